//! Twenty mailboxes, each with a password of its own, and a thousand people.

use std::collections::{BTreeMap, BTreeSet};

use mail_parser::MessageParser;
use warmfront_tests::postfix::{Delivered, Door};

use crate::accounts::{balance, header};
use crate::scene::{Mailbox, Scene, people};

#[test]
fn a_thousand_messages_of_twenty_mailboxes_arrive_as_the_books_say() {
    let doors = [Door::Starttls, Door::Starttls, Door::Starttls, Door::Implicit, Door::LoginOnly];
    let mailboxes = (1..=20).zip(doors.into_iter().cycle());
    let address = |nr: u32| format!("ann@sender{nr}.example");
    let mailboxes = mailboxes.map(|(nr, door)| Mailbox::new(&address(nr), door));
    let scene = Scene::of(mailboxes.collect());
    let outcome = scene.play("thousand", &people("thousand", 1_000), STEP);

    assert_eq!(balance(&outcome), BTreeMap::from([("accepted", 1_000)]));
    assert!(outcome.ledger.iter().all(|line| line.attempts == 1), "{:?}", outcome.ledger);
    assert_eq!(outcome.received.refusals, [""; 0]);
    assert_eq!(scene.postfix.turned_away(), [""; 0]);
    let mut carried: BTreeMap<String, u32> = BTreeMap::new();
    for mail in &outcome.received.mail {
        *carried.entry(mail.sender.clone()).or_default() += 1;
        is_as_promised(mail);
    }
    assert_eq!(carried, (1..=20).map(|nr| (address(nr), 50)).collect());
    let tokens: BTreeSet<&str> =
        outcome.received.mail.iter().map(|mail| header(mail, "List-Unsubscribe")).collect();
    assert_eq!(tokens.len(), 1_000, "everybody has a way out of his own");
}

/// What Postfix added is on top; below it the message is whole, and says nothing of who made it.
#[track_caller]
fn is_as_promised(mail: &Delivered) {
    let Delivered { sender, rcpt, text, trace, .. } = mail;
    assert!(trace.contains(" with ESMTPSA id "), "TLS and a log-in: {trace}");
    assert!(trace.starts_with("from [127.0.0.1] "), "who we say we are: {trace}");
    let (headers, body) = text.split_once("\n\n").expect("headers and a body");
    let names: Vec<&str> = headers
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split_once(": ").expect("a header field").0)
        .collect();
    assert_eq!(names, HEADERS, "{headers}");
    assert!(text.is_ascii() && !text.contains(['\r', '\0']), "{text}");
    // RFC 2045, section 6.7.
    assert!(body.lines().all(|line| line.len() <= 76), "{body}");

    let domain = sender.split_once('@').expect("an address").1;
    let id = header(mail, "Message-ID");
    assert!(id.ends_with(&format!("@{domain}>")) && !id.contains("localhost"), "{id}");
    let way_out = header(mail, "List-Unsubscribe");
    let token = way_out.strip_prefix(&format!("<mailto:{sender}?subject=unsub-")).expect(way_out);
    let token = token.strip_suffix('>').expect(way_out);
    // When it was made, so that the books keep those of a day together; then 96 bits of chance, and
    // two seals of 40 that look no different.
    let (_, chance) = token.split_once('.').expect(way_out);
    assert!(chance.len() == 44 && chance.bytes().all(|b| b.is_ascii_hexdigit()), "{way_out}");

    let parsed = MessageParser::default().parse(text.as_bytes()).expect("a message");
    let from = parsed.from().and_then(|from| from.first()).expect("a sender");
    assert_eq!((from.name(), from.address()), (Some("Ann \u{c9}t\u{e9}"), Some(sender.as_str())));
    let to = parsed.to().and_then(|to| to.first()).expect("a recipient");
    assert_eq!((to.name(), to.address()), (Some("Zo\u{eb}"), Some(rcpt.as_str())));
    assert_eq!(parsed.subject(), Some("A question, Zo\u{eb}"));
    assert!(parsed.date().is_some_and(|date| date.is_valid()), "{headers}");
    assert_eq!(parsed.body_text(0).as_deref(), Some(BODY), "{text}");
    assert_eq!(parsed.parts.len(), 1, "{text}");
}

/// Lines that SMTP and files treat in a way of their own, and a line longer than they take.
const STEP: &str = "Subject: A question, {{first_name}}\n\n\
    Hello {{first_name}},\n\n.dot\n.\n..\nFrom here on\n=3D \n\
    0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n";

/// The same, as people read it.
const BODY: &str = "Hello Zo\u{eb},\n\n.dot\n.\n..\nFrom here on\n=3D \n\
    0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n\n\
    If you would rather not hear from me again, reply \"unsubscribe\" and I will not write again.\n\n\
    Example Ltd\n1 Main Street, Springfield, IL 62701, USA\n\n";

const HEADERS: [&str; 9] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Unsubscribe",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];
