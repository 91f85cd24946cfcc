//! A draft in, octets out; read back by a parser that is not ours.

use mail_parser::{HeaderValue as Value, MessageParser, MimeHeaders};

use super::*;

/// 2026-03-02 09:30:00 UTC, a Monday.
const MONDAY: Millis = 1_772_443_800_000;

struct People {
    ann: Address,
    bob: Address,
}

fn people() -> People {
    People {
        ann: Address::parse("ann@example.com").unwrap(),
        bob: Address::parse("bob@acme.example").unwrap(),
    }
}

fn draft(people: &People) -> Draft<'_> {
    Draft {
        from: &people.ann,
        from_name: Some("Ann Lee"),
        to: &people.bob,
        to_name: None,
        subject: "A question",
        text: "Hello Bob,\n\nhow are you?\n",
        html: None,
        message_id: "<1f2e3d@example.com>",
        in_reply_to: None,
        references: &[],
        list_unsubscribe_mailto: None,
        date: MONDAY,
    }
}

/// What every message must be, whatever is in it.
#[track_caller]
fn composed(draft: &Draft) -> String {
    let text = String::from_utf8(compose(draft).unwrap()).unwrap();
    assert!(text.is_ascii());
    assert!(text.ends_with("\r\n"));
    for line in text.split("\r\n") {
        assert!(line.len() <= 998, "{} octets", line.len());
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    let (headers, _) = text.split_once("\r\n\r\n").unwrap();
    let count = |name: &str| {
        let name = format!("{name}:").to_ascii_lowercase();
        headers.lines().filter(|line| line.to_ascii_lowercase().starts_with(&name)).count()
    };
    for once in ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"] {
        assert_eq!(count(once), 1, "{once} in\n{headers}");
    }
    for never in ["X-Mailer", "User-Agent", "Bcc", "Sender", "Auto-Submitted", "Precedence"] {
        assert_eq!(count(never), 0, "{never} in\n{headers}");
    }
    text
}

#[test]
fn a_plain_message_is_just_what_it_says() {
    assert_eq!(
        composed(&draft(&people())),
        "From: \"Ann Lee\" <ann@example.com>\r\n\
         To: bob@acme.example\r\n\
         Subject: A question\r\n\
         Date: Mon, 02 Mar 2026 09:30:00 +0000\r\n\
         Message-ID: <1f2e3d@example.com>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         Hello Bob,\r\n\
         \r\n\
         how are you?\r\n\
         \r\n"
    );
}

#[test]
fn names_and_subjects_of_any_script_come_back_as_they_were() {
    #[track_caller]
    fn check(name: &str, subject: &str) {
        let people = people();
        let draft = Draft { from_name: Some(name), to_name: Some(name), subject, ..draft(&people) };
        let text = composed(&draft);
        let message = MessageParser::default().parse(text.as_bytes()).unwrap();
        let from = message.from().unwrap().first().unwrap();
        let to = message.to().unwrap().first().unwrap();
        assert_eq!(from.name(), Some(name), "{text}");
        assert_eq!(from.address(), Some("ann@example.com"));
        assert_eq!((to.name(), to.address()), (Some(name), Some("bob@acme.example")));
        assert_eq!(message.from().unwrap().iter().count(), 1);
        assert_eq!(message.subject(), Some(subject), "{text}");
    }
    check("Ann Lee", "A question");
    check("Anne-Sophie d'Été", "Grüße aus Zürich");
    check("Lee, Ann (Sales) <x@y.example>", "Offer: 50 % off; \"really\" (no)");
    check("Ann \"the\\man\" Lee", "a, b");
    check(
        "山田 太郎",
        "お問い合わせについて、少しだけお時間をいただけますでしょうか。よろしくお願いします",
    );
    check("Ёжик В. Тумане", &"Б".repeat(200));
    check(
        "Ann 🚀",
        "🚀🚀🚀 to the moon and back again, as quickly as anybody could ever want 🚀🚀🚀",
    );
    check("Ann", "word ".repeat(40).trim_end());
    check("Ann", &"x".repeat(200));
}

#[test]
fn texts_come_back_as_they_were_over_seven_bits() {
    #[track_caller]
    fn check(text: &str, want: &str) {
        let people = people();
        let whole = composed(&Draft { text, html: Some(text), ..draft(&people) });
        let message = MessageParser::default().parse(whole.as_bytes()).unwrap();
        assert_eq!(message.body_text(0).unwrap().trim_end_matches("\r\n"), want, "{whole}");
        assert_eq!(message.body_html(0).unwrap().trim_end_matches("\r\n"), want, "{whole}");
    }
    check("a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd");
    check("Schöne Grüße\n-- \nAnn", "Schöne Grüße\r\n-- \r\nAnn");
    check("..\n.\nFrom here", "..\r\n.\r\nFrom here");
    check(&"x".repeat(5_000), &"x".repeat(5_000));
    check(&"すみません".repeat(300), &"すみません".repeat(300));
    check("--=_1f2e3dexamplecom\né=20", "--=_1f2e3dexamplecom\r\né=20");
}

#[test]
fn html_stands_behind_the_text() {
    let people = people();
    let html = Some("<p>Hello</p>");
    let text = composed(&Draft { html, ..draft(&people) });
    let message = MessageParser::default().parse(text.as_bytes()).unwrap();
    let kinds: Vec<_> = message
        .parts
        .iter()
        .map(|part| {
            let kind = part.content_type().unwrap();
            format!("{}/{} {:?}", kind.ctype(), kind.subtype().unwrap(), kind.attribute("charset"))
        })
        .collect();
    assert_eq!(
        kinds,
        ["multipart/alternative None", "text/plain Some(\"utf-8\")", "text/html Some(\"utf-8\")"]
    );
}

#[test]
fn a_retry_sends_the_same_octets() {
    let people = people();
    let draft = Draft { html: Some("<p>é</p>"), ..draft(&people) };
    assert_eq!(compose(&draft).unwrap(), compose(&draft).unwrap());
}

#[test]
fn a_thread_is_named_by_its_messages() {
    let people = people();
    let references: Vec<String> = (0..40).map(|n| format!("<{n:032}@mail.example.com>")).collect();
    let text = composed(&Draft {
        in_reply_to: Some(&references[39]),
        references: &references,
        list_unsubscribe_mailto: Some("unsub@example.com?subject=unsub-4f5e6d7c"),
        ..draft(&people)
    });
    let longest = text.lines().map(str::len).max().unwrap();
    assert!(longest <= 78, "a line of {longest} octets is not folded");
    let message = MessageParser::default().parse(text.as_bytes()).unwrap();
    let bare: Vec<&str> = references.iter().map(|id| &id[1..id.len() - 1]).collect();
    assert_eq!(message.message_id(), Some("1f2e3d@example.com"));
    assert_eq!(message.in_reply_to().as_text(), Some(bare[39]));
    match message.references() {
        Value::TextList(ids) => assert_eq!(*ids, bare),
        other => panic!("{other:?}"),
    }
    assert!(
        text.contains("List-Unsubscribe: <mailto:unsub@example.com?subject=unsub-4f5e6d7c>\r\n"),
        "{text}"
    );
}

#[test]
fn what_could_end_a_header_is_refused_by_name() {
    #[track_caller]
    fn check(spoil: impl Fn(&mut Draft), want: &str) {
        let people = people();
        let mut spoilt = draft(&people);
        spoil(&mut spoilt);
        assert_eq!(compose(&spoilt).unwrap_err().to_string(), want);
    }
    let control = |field: &str| {
        format!("the {field} holds a line break or another control character; take it out")
    };
    check(|d| d.subject = "x\r\nBcc: v@y.example", &control("subject"));
    check(|d| d.subject = "x\ny", &control("subject"));
    check(|d| d.subject = "x\ry", &control("subject"));
    check(|d| d.from_name = Some("Ann\0"), &control("sender's name"));
    check(|d| d.to_name = Some("Bob\r\n\r\nHi"), &control("recipient's name"));
    check(|d| d.subject = " ", "the subject is empty; write one");
    let identifier = |field: &str, id: &str| {
        format!("`{id}` is no message identifier for {field}; it reads `<left@right>`")
    };
    check(|d| d.message_id = "<a@b>\r\nX: y", &identifier("Message-ID", "<a@b>\\r\\nX: y"));
    check(|d| d.message_id = "a@b", &identifier("Message-ID", "a@b"));
    check(|d| d.message_id = "<a@b@c>", &identifier("Message-ID", "<a@b@c>"));
    check(|d| d.in_reply_to = Some("<a b@c>"), &identifier("In-Reply-To", "<a b@c>"));
    check(
        |d| d.list_unsubscribe_mailto = Some("u@x.example?subject=a b"),
        "`u@x.example?subject=a b` cannot stand in a mailto link; percent-encode what is no plain \
         ASCII (RFC 6068)",
    );
    check(|d| d.date = -1, "-1 ms is no moment a Date header can hold");
    check(|d| d.date = i64::MAX, "9223372036854775807 ms is no moment a Date header can hold");
}

#[test]
fn references_are_refused_one_by_one() {
    let people = people();
    let references = ["<a@b>".to_owned(), "<c@d>\n<e@f>".to_owned()];
    let problem = compose(&Draft { references: &references, ..draft(&people) }).unwrap_err();
    let id = "<c@d>\\n<e@f>".to_owned();
    assert_eq!(problem, ComposeProblem::Identifier { field: "References", id });
}

#[test]
fn a_subject_has_two_hundred_characters_at_most() {
    let people = people();
    let (fits, too_long) = ("ü".repeat(200), "ü".repeat(201));
    assert!(compose(&Draft { subject: &fits, ..draft(&people) }).is_ok());
    let problem = compose(&Draft { subject: &too_long, ..draft(&people) }).unwrap_err();
    assert_eq!(problem, ComposeProblem::SubjectTooLong(201));
}

#[test]
fn a_word_that_cannot_be_folded_is_refused() {
    let people = people();
    let mailto = format!("u@x.example?subject={}", "x".repeat(1_000));
    let draft = Draft { list_unsubscribe_mailto: Some(&mailto), ..draft(&people) };
    assert!(matches!(compose(&draft), Err(ComposeProblem::LineTooLong(_))));
}
