//! What Postfix refuses, and what the books make of it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use warmfront_tests::postfix::{Door, Postfix};

use crate::accounts::balance;
use crate::scene::{Mailbox, Scene, people};

#[test]
fn a_wrong_password_pauses_its_mailbox_and_no_other() {
    let mailboxes =
        (1..=4).map(|nr| Mailbox::new(&format!("bob@sender{nr}.example"), Door::Starttls));
    let scene = Scene::of(mailboxes.collect());
    scene.postfix.admit("bob.at.sender2.example", "another one");
    let outcome = scene.play("wrong", &people("wrong", 40), STEP);
    assert_eq!(balance(&outcome), BTreeMap::from([("accepted", 30), ("planned", 10)]));
    let left = outcome.ledger.iter().filter(|line| line.state == "planned");
    assert!(left.clone().all(|line| line.mailbox == "bob@sender2.example" && line.attempts == 0));
    scene.stands("bob@sender2.example", "paused", "the server refused the log-in: 535 5.7.8 ");
    scene.stands("bob@sender1.example", "active", "");
    // Servers count wrong passwords, and shut out whoever insists.
    assert_eq!(scene.postfix.turned_away(), ["bob.at.sender2.example"]);
}

#[test]
fn somebody_whom_postfix_does_not_know_is_rejected_in_the_books_and_not_there() {
    let mailboxes =
        (1..=2).map(|nr| Mailbox::new(&format!("cat@sender{nr}.example"), Door::Starttls));
    let scene = Scene::of(mailboxes.collect());
    let mut list = people("gone", 20);
    list.push("gone@lost.example".to_owned());
    let outcome = scene.play("gone", &list, STEP);
    assert_eq!(balance(&outcome), BTreeMap::from([("accepted", 20), ("rejected", 1)]));
    let line = outcome.ledger.iter().find(|line| line.state == "rejected").expect("one");
    assert_eq!(line.rcpt.as_deref(), Some("gone@lost.example"));
    assert_eq!(
        line.why.as_deref(),
        Some(
            "550 5.1.1 <gone@lost.example>: Recipient address rejected: User unknown in virtual \
             mailbox table (at rcpt)"
        )
    );
    let [refusal] = outcome.received.refusals.as_slice() else {
        panic!("{:?}", outcome.received.refusals)
    };
    assert!(refusal.contains("RCPT") && refusal.contains("to=<gone@lost.example>"), "{refusal}");
}

#[test]
fn a_message_that_is_too_large_is_rejected_before_or_after_it_is_sent() {
    // Where EHLO tells the most it takes, not one byte of it is sent.
    check(Door::Small, "552 5.3.4 the message has ");
    check(Door::SmallUnsaid, "552 5.3.4 Error: message file too big (at eod)");

    #[track_caller]
    fn check(door: Door, why: &str) {
        let scene = Scene::of(vec![Mailbox::new("dan@sender.example", door)]);
        let step = format!("{STEP}{}", "0123456789\n".repeat(200));
        let outcome = scene.play("large", &people("large", 3), &step);
        assert_eq!(balance(&outcome), BTreeMap::from([("rejected", 3)]));
        for line in &outcome.ledger {
            let told = line.why.as_deref().unwrap_or_default();
            assert!(told.starts_with(why), "{told}");
            assert_eq!(line.attempts, 1);
        }
        // The text is to blame, and nobody else.
        scene.stands("dan@sender.example", "active", "");
    }
}

#[test]
fn nothing_is_said_to_a_server_without_starttls() {
    let scene = Scene::of(vec![Mailbox::new("eve@sender.example", Door::Plain)]);
    let outcome = scene.play("plain", &people("plain", 3), STEP);
    assert_eq!(balance(&outcome), BTreeMap::from([("planned", 3)]));
    let why = outcome.ledger[0].why.as_deref().unwrap_or_default();
    assert!(why.contains("127.0.0.1 offers no STARTTLS"), "{why}");
    let missing = "its server cannot be used as it is set up: 127.0.0.1 offers no STARTTLS; ";
    scene.stands("eve@sender.example", "paused", missing);
    assert_eq!(scene.postfix.turned_away(), [""; 0], "no password left us");
}

#[test]
fn whoever_writes_as_somebody_else_stops_until_it_is_set_up_rightly() {
    let mut mailbox = Mailbox::new("ann@other.example", Door::Starttls);
    mailbox.login = "eve.at.other.example".to_owned();
    let scene = Scene::of(vec![mailbox]);
    let outcome = scene.play("borrowed", &people("borrowed", 3), STEP);
    // Nobody is to blame but the mailbox: its messages wait, and nothing more is tried.
    assert_eq!(balance(&outcome), BTreeMap::from([("planned", 3)]));
    assert_eq!(outcome.received.refusals.len(), 1, "{:?}", outcome.received.refusals);
    let told = outcome.ledger.iter().filter_map(|line| line.why.as_deref());
    let tells = |why: &str| why.starts_with("553 5.7.1") && why.contains("not owned by user eve");
    assert_eq!(told.filter(|why| tells(why)).count(), 1, "{:?}", outcome.ledger);
    scene.stands("ann@other.example", "paused", "its server cannot be used as it is set up");
}

/// What the tests around rely on: a client that is careless with line ends, or does not wait for its
/// turn, gets nowhere here.
#[test]
fn this_postfix_is_a_strict_one() {
    let postfix = Postfix::lent();
    let connect = || {
        let tcp = TcpStream::connect(("127.0.0.1", postfix.port(Door::Plain)));
        BufReader::new(tcp.expect("an open port"))
    };
    let say = |to: &mut BufReader<TcpStream>, line: &[u8]| {
        to.get_mut().write_all(line).expect("somebody who listens");
    };
    let hear = |from: &mut BufReader<TcpStream>, want: &str| {
        let mut said = String::new();
        from.read_line(&mut said).expect("an answer");
        assert!(said.starts_with(want), "{said}");
    };

    let mut early = connect();
    hear(&mut early, "220 ");
    say(&mut early, b"EHLO client.example\r\nNOOP\r\n");
    hear(&mut early, "554 5.5.0 ");

    let mut careless = connect();
    hear(&mut careless, "220 ");
    say(&mut careless, b"EHLO client.example\n");
    hear(&mut careless, "550 5.5.2 ");
}

const STEP: &str = "Subject: A question, {{first_name}}\n\nHello {{first_name}}.\n";
