//! What reads octets from outside, each behind one function: the fuzz targets in `tests/fuzz` call
//! them with whatever they make up, and a test on the stable compiler with the corpora and what it
//! makes of them.
//!
//! They return nothing: to come back without a panic, and soon, is all that is asked here.

use std::io::Cursor;

use warmfront_campaigns::prospects::{self, Row};
use warmfront_campaigns::templates::{Footer, Mailbox, OPT_OUT, Renderer, StepSource};
use warmfront_core::address::Address;
use warmfront_core::answer::{self, Answer, Phase};
use warmfront_core::inbound::{self, Arrival, Known};
use warmfront_mail::arrival;

/// One way in.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 4] =
    [("inbound", inbound), ("answer", answer), ("csv", csv), ("template", template)];

/// A mail that came in: read, classified, judged.
pub fn inbound(octets: &[u8]) {
    let arrival = arrival::read(octets, 0);
    assert!(controls(&arrival).is_empty(), "{:?} in {arrival:?}", controls(&arrival));
    let told = inbound::classify(&arrival);
    assert!(told.recipients.len() <= inbound::RECIPIENTS_MAX, "{told:?}");
    for known in [Known::Lately, Known::Own, Known::Nothing] {
        let judged = told.clone().judged(&known);
        assert!(!judged.kind.is_report() || !judged.effects.suppress, "{judged:?}");
    }
}

/// The control characters anywhere in what was read of a mail, but those that part lines and columns:
/// PostgreSQL takes no text with a NUL. Printed, each is escaped in its own way.
fn controls(arrival: &Arrival) -> Vec<String> {
    let printed = format!("{arrival:?}").replace("\\\\", "");
    let escapes = printed.split('\\').skip(1);
    let is_one = |rest: &&str| match rest.strip_prefix("u{").and_then(|rest| rest.split_once('}')) {
        Some((code, _)) => {
            let c = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
            c.is_some_and(char::is_control)
        }
        None => rest.starts_with(['0', 'r']),
    };
    escapes.filter(is_one).map(|rest| rest.chars().take(8).collect()).collect()
}

/// A server's answer, as it stands in a log.
pub fn answer(octets: &[u8]) {
    let written = String::from_utf8_lossy(octets);
    for phase in Phase::ALL {
        let answer = Answer::parse(phase, &written);
        for provider in [None, Some("microsoft365")] {
            let _ = answer::consequence(&answer, &answer::classify(&answer, provider));
        }
    }
}

/// A prospect list: every row accepted, rejected or a duplicate.
pub fn csv(octets: &[u8]) {
    let mut rows = 0;
    let report = prospects::read_from("list.csv", Cursor::new(octets), None, |_: Row| rows += 1);
    if let Ok(report) = report {
        assert_eq!(report.rows(), rows);
    }
}

/// A step's text, compiled and written to one person.
pub fn template(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets).into_owned();
    let subject = text.lines().next().map(str::to_owned);
    let html = Some(text.clone());
    let step = StepSource { position: 1, variant: "a".to_owned(), subject, text, html };
    let footer = Footer {
        legal_name: "Example Ltd".to_owned(),
        postal_address: "1 Main Street, Springfield".to_owned(),
        opt_out: OPT_OUT.to_owned(),
    };
    let Ok(renderer) = Renderer::from_sources(&[step], footer) else { return };
    let address = Address::parse("ann@sender.example").expect("an address");
    let mailbox = Mailbox { name: "Ann", address: &address };
    let mut people = Vec::new();
    let list = "email,first_name,company\nbob@prospect.example,Bob,\n";
    let read = prospects::read_from("list.csv", Cursor::new(list), None, |row| people.push(row));
    read.expect("a sound list");
    for row in people {
        let Row::Accepted { prospect, .. } = row else { panic!("{row:?}") };
        let _ = renderer.render(1, "a", &prospect, mailbox);
    }
}
