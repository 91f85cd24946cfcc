//! The program's books against what the server holds.

use std::collections::{BTreeMap, BTreeSet};

use warmfront_tests::binary::{LedgerLine, Scene};

/// Everybody planned is in exactly one state, and the server agrees; gives the count of each state.
#[track_caller]
pub(crate) fn balance(scene: &Scene, people: usize, story: &str) -> BTreeMap<String, usize> {
    let ledger = scene.installation.ledger();
    let held = scene.sink.accepted();
    let mut by_rcpt: BTreeMap<&str, &LedgerLine> = BTreeMap::new();
    for line in &ledger {
        let rcpt = line.rcpt.as_deref().expect("nobody was erased");
        assert!(by_rcpt.insert(rcpt, line).is_none(), "{story}: {rcpt} is in the ledger twice");
    }
    assert_eq!(by_rcpt.len(), people, "{story}: not everybody is in the ledger");

    let mut taken = BTreeSet::new();
    for message in &held {
        let rcpt = message.rcpt.as_str();
        assert!(taken.insert(rcpt), "{story}: {rcpt} was written to twice");
        let line = by_rcpt.get(rcpt).unwrap_or_else(|| panic!("{story}: nobody planned {rcpt}"));
        assert_eq!(message.message_id, line.message_id, "{story}: {line:?}");
        assert_eq!(message.from, line.mailbox, "{story}: {line:?}");
        assert!(["accepted", "in_doubt"].contains(&line.state.as_str()), "{story}: {line:?}");
    }
    let mut states = BTreeMap::new();
    for line in &ledger {
        let is_final = ["accepted", "rejected", "in_doubt"].contains(&line.state.as_str());
        assert!(is_final, "{story}: {line:?}");
        let rcpt = line.rcpt.as_deref().unwrap_or_default();
        assert!(line.state != "accepted" || taken.contains(rcpt), "{story}: lost {line:?}");
        *states.entry(line.state.clone()).or_default() += 1;
    }
    every_doubt_is_listed(scene, &ledger, story);
    let audit = scene.installation.run(&["audit"]);
    assert_eq!(audit.code, Some(0), "{story}: {audit}");
    states
}

/// Whoever is in doubt is listed for the operator, with the reason.
#[track_caller]
fn every_doubt_is_listed(scene: &Scene, ledger: &[LedgerLine], story: &str) {
    let in_doubt = ledger.iter().filter(|line| line.state == "in_doubt");
    for line in in_doubt.clone() {
        assert!(line.why.as_deref().is_some_and(|why| !why.is_empty()), "{story}: {line:?}");
    }
    let told = scene.installation.run(&["reconcile", "--json"]).done().json();
    let listed = told["doubts"].as_array().map(Vec::len);
    assert_eq!(listed, Some(in_doubt.count()), "{story}: {told}");
}
