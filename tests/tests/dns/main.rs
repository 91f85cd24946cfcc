//! What is found in the DNS of a domain, and what is made of it: a real resolver asks a name server on
//! this machine, and the verdicts are whole.

mod examiner;
mod lists;
mod outages;
mod providers;
mod records;

use std::time::Duration;

use jiff::civil::date;
use warmfront_core::domain::{self, Check, Finding, Verdict, host};
use warmfront_mail::dns::{Dns, Question, Settings};
use warmfront_tests::dns::NameServer;

/// A way to ask that server, which is near: what it does not say at once it will not say.
fn way(server: &NameServer, settings: Settings) -> Dns {
    let timeout = Duration::from_millis(300);
    Dns::open(Settings { server: Some(server.address()), timeout, ..settings }).expect("a resolver")
}

/// What is asked about a domain of mailboxes at that provider, or at several: `google+fastmail`.
fn question(domain: &str, preset: &str) -> Question {
    Question {
        domain: domain.to_owned(),
        hosts: preset.split('+').filter_map(host).collect(),
        is_elsewhere: preset.split('+').any(|preset| host(preset).is_none()),
        selectors: Vec::new(),
        registered: None,
        today: date(2026, 11, 22),
        most_a_day: 100,
    }
}

/// The findings about a domain by that zone.
async fn examined(zone: &str, question: &Question) -> Vec<Finding> {
    let server = NameServer::start(zone);
    domain::examine_all(&way(&server, Settings::default()).facts(question).await)
}

/// One finding of them.
fn of(findings: &[Finding], check: Check) -> (Verdict, String) {
    let mut mine = findings.iter().filter(|finding| finding.check == check);
    let finding = mine.next().unwrap_or_else(|| panic!("no {}: {findings:#?}", check.as_str()));
    assert!(mine.next().is_none(), "twice {}: {findings:#?}", check.as_str());
    (finding.verdict, finding.what.clone())
}
