//! What the books say against what the server took.

use std::collections::{BTreeMap, BTreeSet};

use warmfront_tests::binary::{LedgerLine, Scene};

/// The messages in the books by state, once the server agrees with each: a step of a campaign is
/// there once and was taken once at most, under its own Message-ID and from its own mailbox; what
/// was taken is accepted or in doubt, what is accepted was taken.
#[track_caller]
pub(crate) fn balance(scene: &Scene, story: &str) -> BTreeMap<String, usize> {
    let ledger = scene.installation.ledger();
    let mut by_id: BTreeMap<&str, &LedgerLine> = BTreeMap::new();
    let mut steps = BTreeSet::new();
    let mut states = BTreeMap::new();
    for line in &ledger {
        let step = (line.campaign.as_str(), line.rcpt.as_deref(), line.step);
        assert!(steps.insert(step), "{story}: twice in the ledger: {line:?}");
        if let Some(id) = &line.message_id {
            let other = by_id.insert(id, line);
            assert!(other.is_none(), "{story}: one Message-ID for {line:?} and {other:?}");
        }
        *states.entry(line.state.clone()).or_default() += 1;
    }
    let (mut taken, mut written_to) = (BTreeSet::new(), BTreeSet::new());
    for message in &scene.sink.accepted() {
        let id = message.message_id.as_deref().expect("every message has an id");
        let line = by_id.get(id).unwrap_or_else(|| panic!("{story}: nobody sent {message:?}"));
        assert!(taken.insert(id.to_owned()), "{story}: sent twice: {line:?}");
        let step = (message.rcpt.clone(), line.campaign.as_str(), line.step);
        assert!(written_to.insert(step), "{story}: written to twice: {line:?}");
        let said = (line.rcpt.as_deref(), line.mailbox.as_str());
        assert_eq!((Some(message.rcpt.as_str()), message.from.as_str()), said, "{story}");
        assert!(["accepted", "in_doubt"].contains(&line.state.as_str()), "{story}: {line:?}");
    }
    for line in ledger.iter().filter(|line| line.state == "accepted") {
        let id = line.message_id.as_deref().unwrap_or_default();
        assert!(taken.contains(id), "{story}: lost {line:?}");
    }
    let audit = scene.installation.run(&["audit"]);
    assert_eq!(audit.code, Some(0), "{story}: {audit}");
    states
}

/// How many people of each campaign are in a state that has a name.
#[track_caller]
pub(crate) fn people(scene: &Scene) -> BTreeMap<String, u64> {
    let list = scene.installation.run(&["campaign", "list", "--json"]).done();
    let count = |line: serde_json::Value| {
        let states = line["enrolments"].as_object().expect("people by state").values();
        let name = line["campaign"].as_str().expect("a name").to_owned();
        (name, states.map(|count| count.as_u64().expect("a count")).sum())
    };
    list.json_lines().into_iter().map(count).collect()
}

/// The messages that the server took, counted by whatever a limit is of.
pub(crate) fn taken_by(scene: &Scene, of: impl Fn(&str, &str) -> String) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for message in scene.sink.accepted() {
        *counts.entry(of(&message.from, &message.rcpt)).or_default() += 1;
    }
    counts
}

/// The part of an address behind its sign.
pub(crate) fn domain(address: &str) -> String {
    address.rsplit('@').next().unwrap_or_default().to_owned()
}
