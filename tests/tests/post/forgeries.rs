//! Five hundred reports that somebody made up, in the inbox of whoever is to be stopped by them.

use std::collections::BTreeMap;

use sqlx::{Connection as _, SqliteConnection};
use tokio::runtime::Runtime;

use super::scene::{Scene, Step};

#[test]
fn five_hundred_forged_reports_suppress_nobody_and_stop_no_mailbox() {
    let scene = Scene::of(&[MAILBOX]);
    let people: Vec<String> = (0..10).map(|nr| format!("p{nr}@forged-{nr}.example")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    scene.office.admit(&people);
    scene.begin("forged", people.len(), &people, &STEPS);
    scene.run();
    let ids: Vec<String> = people
        .iter()
        .map(|person| scene.line("forged", person, 1).message_id.expect("it was sent"))
        .collect();

    // Half of the people are blamed by name, half only by the ids of their messages.
    let (named, unnamed) = (&people[..5], &people[5..]);
    let mut server = scene.office.postfix.exchange();
    for nr in 0..100 {
        let person = named[nr % named.len()];
        let near = near(&ids[nr % named.len()], nr);
        let right = &ids[named.len() + nr % unnamed.len()];
        let stranger = format!("s{nr}@elsewhere.example");
        let random = format!("<{:032x}@forged.example>", (nr as u128 + 1) * 0x9E37_79B9_7F4A_7C15);
        for (what, to, id) in [
            ("5.1.1 no such user", stranger.as_str(), random.as_str()),
            ("5.1.1 no such user", stranger.as_str(), right),
            ("5.1.1 no such user", person, &near),
            ("5.7.1 blocked as spam", person, &near),
            if nr % 2 == 0 { ("5.1.1 no such user", person, "") } else { ("abuse", person, "") },
        ] {
            server.hand_in("", MAILBOX, &report(nr, what, to, id));
        }
        // Other tests' mail goes the same way, and need not stand behind all of this.
        if nr % 10 == 9 {
            scene.office.postfix.rest();
        }
    }
    assert_eq!(scene.office.inbox(MAILBOX).len(), 500);

    scene.reads_mailboxes();
    scene.run();
    assert_eq!(scene.suppressed(), []);
    scene.mailboxes_are_well();
    for person in &people {
        let told = scene.enrolment("forged", person);
        // Too much to go on by, too little to stop by: the operator is asked.
        let want = if named.contains(person) { "held" } else { "active" };
        assert_eq!(told["state"], want, "{told}");
        assert_eq!(scene.line("forged", person, 1).state, "accepted");
    }
    assert_eq!(scene.told("campaign status forged")["state"], "running");
    let report = scene.told("report forged");
    let step = &report["campaigns"][0]["by_step"][0];
    assert_eq!((step["bounced"].as_u64(), step["complained"].as_u64()), (Some(0), Some(0)));
    let kinds =
        [("suspicious", 200), ("hard_bounce", 150), ("sender_block", 100), ("complaint", 50)];
    assert_eq!(recorded(&scene), kinds.map(|(kind, n)| (kind.to_owned(), n)).into());
}

/// A digit of an id, changed.
fn near(id: &str, nr: usize) -> String {
    let at = id.bytes().position(|byte| byte == b'@').expect("an id");
    let at = at - 1 - nr % 8;
    let digit = if &id[at..=at] == "0" { "1" } else { "0" };
    format!("{}{digit}{}", &id[..at], &id[at + 1..])
}

/// A report as servers write it (RFC 3464), or as those do who pass on complaints (RFC 5965).
fn report(nr: usize, what: &str, rcpt: &str, id: &str) -> String {
    let (kind, fields) = match what.split_once(' ') {
        Some((status, words)) => (
            "delivery-status",
            format!(
                "Reporting-MTA: dns; mx.elsewhere.example\n\n\
                 Final-Recipient: rfc822; {rcpt}\nAction: failed\nStatus: {status}\n\
                 Diagnostic-Code: smtp; 550 {status} {words}\n"
            ),
        ),
        None => (
            "feedback-report",
            format!(
                "Feedback-Type: {what}\nUser-Agent: Elsewhere/1\nVersion: 1\n\
                 Original-Rcpt-To: <{rcpt}>\n"
            ),
        ),
    };
    let id = if id.is_empty() { String::new() } else { format!("Message-ID: {id}\n") };
    format!(
        "From: Mail Delivery System <mailer-daemon@mx.elsewhere.example>\nTo: {MAILBOX}\n\
         Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n\
         Message-ID: <{nr}.{what}.{}@mx.elsewhere.example>\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type={kind}; boundary=\"b\"\n\n\
         --b\nContent-Type: text/plain\n\nThis is the mail system.\n\n\
         --b\nContent-Type: message/{kind}\n\n{fields}\n\
         --b\nContent-Type: text/rfc822-headers\n\n\
         From: {MAILBOX}\nTo: {rcpt}\nSubject: A question\n{id}\n--b--\n",
        id.len(),
        what = what.replace(' ', "."),
    )
}

/// How many of each kind the books hold.
fn recorded(scene: &Scene) -> BTreeMap<String, i64> {
    let url = format!("sqlite://{}", scene.installation.file("warmfront.db").display());
    let rows = Runtime::new().expect("a runtime").block_on(async {
        let mut books = SqliteConnection::connect(&url).await.expect("the books");
        let query = sqlx::query_as("SELECT kind, count(*) FROM inbound GROUP BY kind");
        query.fetch_all(&mut books).await
    });
    rows.expect("rows").into_iter().collect()
}

const MAILBOX: &str = "ann@forged.example";

const STEPS: [Step; 2] =
    [(None, "Subject: A question\n\nMay I ask?\n"), (Some("3d"), "Did you see this?\n")];
