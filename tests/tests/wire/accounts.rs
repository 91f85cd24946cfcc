//! The program's books against what Postfix received.

use std::collections::BTreeMap;

use warmfront_tests::postfix::{Delivered, LogEntry, login};

use crate::scene::Outcome;

/// What the books call accepted is what Postfix delivered, each once, with the same Message-ID, to
/// the same person, from the same mailbox, which was logged in with its own name; and Postfix's log
/// says the same as its mail. Gives the count of each state.
#[track_caller]
pub(crate) fn balance(outcome: &Outcome) -> BTreeMap<&str, usize> {
    let accepted = outcome.ledger.iter().filter(|line| line.state == "accepted");
    let mut booked: Vec<Fact> = accepted
        .map(|line| Fact {
            message_id: line.message_id.clone().expect("it was claimed"),
            rcpt: line.rcpt.clone().expect("nobody was erased"),
            sender: line.mailbox.clone(),
            login: login(&line.mailbox),
        })
        .collect();
    booked.sort();
    let mut delivered: Vec<Fact> = outcome.received.mail.iter().map(Fact::of).collect();
    delivered.sort();
    assert_eq!(booked, delivered, "the books on the left, the mail on the right");

    let mail = outcome.received.mail.iter().map(|mail| LogEntry {
        queue_id: mail.queue_id.clone(),
        login: authenticated(mail).to_owned(),
        message_id: header(mail, "Message-ID").to_owned(),
        rcpts: vec![mail.rcpt.clone()],
    });
    assert_eq!(outcome.received.log, mail.collect::<Vec<_>>(), "the log and the mail");

    let mut states = BTreeMap::new();
    for line in &outcome.ledger {
        *states.entry(line.state.as_str()).or_default() += 1;
    }
    states
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    message_id: String,
    rcpt: String,
    sender: String,
    login: String,
}

impl Fact {
    #[track_caller]
    fn of(mail: &Delivered) -> Self {
        Self {
            message_id: header(mail, "Message-ID").to_owned(),
            rcpt: mail.rcpt.clone(),
            sender: mail.sender.clone(),
            login: authenticated(mail).to_owned(),
        }
    }
}

/// Who was logged in, by the line that Postfix wrote on top.
#[track_caller]
fn authenticated(mail: &Delivered) -> &str {
    let (_, behind) = mail.trace.split_once("(Authenticated sender: ").expect("a log-in");
    behind.split_once(')').expect("the end of it").0
}

/// The value of a header field that is on one line, and there once.
#[track_caller]
pub(crate) fn header<'a>(mail: &'a Delivered, name: &str) -> &'a str {
    let (headers, _) = mail.text.split_once("\n\n").expect("headers and a body");
    let mut found = headers.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let value = found.next().unwrap_or_else(|| panic!("no {name} in\n{headers}"));
    assert_eq!(found.next(), None, "{name} twice in\n{headers}");
    value
}
