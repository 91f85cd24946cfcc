//! By its own word, and by what we sent.

use super::*;

const ID: &str = "<1@sender.example>";

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn bob() -> Address {
    address("bob@prospect.example")
}

/// A report that blames Bob for a message of ours.
fn report(action: Action, status: &str, diagnostic: &str) -> Arrival {
    Arrival {
        failures: vec![Failure {
            recipients: vec![bob()],
            action: Some(action),
            status: Enhanced::parse(status),
            diagnostic: diagnostic.to_owned(),
            ..Failure::default()
        }],
        returned: Returned { names: vec![ID.to_owned()], to: vec![bob()] },
        ..Arrival::default()
    }
}

fn complaint(recipients: &[Address]) -> Arrival {
    Arrival {
        feedback: Some(Feedback { kind: "abuse".to_owned(), recipients: recipients.to_vec() }),
        returned: Returned { names: vec![ID.to_owned()], to: Vec::new() },
        ..Arrival::default()
    }
}

/// What Bob writes in answer to a message of ours.
fn answer(subject: &str, text: &str) -> Arrival {
    Arrival {
        from: Some(bob()),
        subject: subject.to_owned(),
        refers_to: vec![ID.to_owned()],
        text: text.to_owned(),
        ..Arrival::default()
    }
}

/// Kind and effects in one line.
fn line(inbound: &Inbound) -> String {
    let Effects { suppress, enrolment, mailbox } = inbound.effects;
    let suppress = if suppress { " suppress" } else { "" };
    format!("{}:{suppress} {enrolment:?} {mailbox:?}", inbound.kind.as_str())
}

#[track_caller]
fn check(arrival: &Arrival, known: Option<&Known>, want: &str) {
    let inbound = classify(arrival);
    let inbound = match known {
        Some(known) => inbound.judged(known),
        None => inbound,
    };
    assert_eq!(line(&inbound), want, "{arrival:#?} {known:?}");
}

#[test]
fn structure_decides_in_its_order() {
    use Action::{Delayed, Done, Failed};
    let unknown = report(Failed, "5.1.1", "550 5.1.1 no such user");
    check(&unknown, None, "hard_bounce: suppress Stop None");
    check(&report(Failed, "5.2.2", ""), None, "soft_bounce: Go None");
    check(&report(Delayed, "5.1.1", "550 no such user"), None, "delayed: Go None");
    check(&report(Done, "2.0.0", ""), None, "unrelated: Go None");
    check(&report(Failed, "5.7.1", "listed at spamhaus"), None, "sender_block: Hold Block");
    check(&report(Failed, "5.7.233", ""), None, "sender_block: Hold Limit");
    check(&complaint(&[bob()]), None, "complaint: suppress Stop Complaint");
    check(&answer("Re: x", "Gladly."), None, "reply: Stop None");
    check(&answer("Re: x", "unsubscribe"), None, "unsubscribe: suppress Stop None");
    check(&answer("Automatic reply: x", "unsubscribe"), None, "auto_reply: Go None");
    // A report is a report, whatever else it is marked as.
    let marks = Marks { auto_submitted: Some("auto-replied".to_owned()), ..Marks::default() };
    check(&Arrival { marks, ..unknown }, None, "hard_bounce: suppress Stop None");
}

#[test]
fn a_report_counts_only_for_the_message_and_the_person_it_names() {
    let hard = report(Action::Failed, "5.1.1", "");
    let to_bob = Known::Message(bob());
    let to_eve = Known::Message(address("eve@other.example"));
    check(&hard, Some(&to_bob), "hard_bounce: suppress Stop None");
    check(&hard, Some(&to_eve), "suspicious: Go None");
    check(&hard, Some(&Known::Lately), "hard_bounce: Hold None");
    check(&hard, Some(&Known::Nothing), "suspicious: Go None");
    let soft = report(Action::Failed, "5.2.2", "");
    check(&soft, Some(&Known::Lately), "soft_bounce: Hold None");
    check(&soft, Some(&to_eve), "suspicious: Go None");
    let delayed = report(Action::Delayed, "4.4.1", "");
    check(&delayed, Some(&Known::Lately), "delayed: Go None");
    let block = report(Action::Failed, "5.7.1", "");
    check(&block, Some(&Known::Lately), "sender_block: Hold None");
    check(&block, Some(&Known::Nothing), "suspicious: Go None");
    check(&complaint(&[bob()]), Some(&to_eve), "complaint: suppress Stop Complaint");
    check(&complaint(&[bob()]), Some(&Known::Nothing), "suspicious: Go None");
    check(&complaint(&[]), Some(&to_bob), "complaint: suppress Stop Complaint");
    let redacted = address("redacted@provider.example");
    check(&complaint(&[redacted]), Some(&to_bob), "complaint: suppress Stop Complaint");
}

#[test]
fn a_bounce_without_an_id_or_a_recipient_suppresses_nobody() {
    let hard = report(Action::Failed, "5.1.1", "");
    let nameless = Arrival { returned: Returned::default(), ..hard.clone() };
    check(&nameless, None, "hard_bounce: Hold None");
    let mut faceless = hard;
    faceless.failures[0].recipients.clear();
    check(&faceless, None, "hard_bounce: Hold None");
    check(&faceless, Some(&Known::Message(bob())), "hard_bounce: Hold None");
}

#[test]
fn of_several_blamed_it_is_whom_the_returned_message_went_to() {
    let mut several = report(Action::Failed, "5.1.1", "");
    let other = Failure {
        recipients: vec![address("eve@other.example")],
        action: Some(Action::Failed),
        status: Enhanced::parse("5.2.2"),
        ..Failure::default()
    };
    several.failures.insert(0, other);
    let inbound = classify(&several);
    assert_eq!((inbound.kind, inbound.recipients), (Kind::HardBounce, vec![bob()]));
}

#[test]
fn who_writes_and_is_not_known_is_none_of_our_business() {
    check(&answer("Re: x", "Gladly."), Some(&Known::Message(bob())), "reply: Stop None");
    check(&answer("Re: x", "Gladly."), Some(&Known::Nothing), "unrelated: Go None");
    check(&answer("Re: x", "Gladly."), Some(&Known::Own), "unrelated: Go None");
    check(&answer("Re: x", "unsubscribe"), Some(&Known::Nothing), "unrelated: Go None");
    let news = Marks { is_bulk: true, ..Marks::default() };
    let news = Arrival { marks: news, refers_to: Vec::new(), ..answer("News", "Buy!") };
    check(&news, None, "unrelated: Go None");
    check(&news, Some(&Known::Nothing), "unrelated: Go None");
}

#[test]
fn whoever_we_wrote_to_answers_however_their_mail_is_marked() {
    let to_bob = Known::Message(bob());
    let fresh = Arrival { refers_to: Vec::new(), ..answer("Your offer", "Gladly.") };
    let crm = Marks { is_bulk: true, ..Marks::default() };
    let crm = Arrival { marks: crm, ..fresh.clone() };
    let desk = Arrival { from: Some(address("postmaster@prospect.example")), ..fresh.clone() };
    for arrival in [crm, desk] {
        check(&arrival, Some(&to_bob), "reply: Stop None");
        check(&arrival, Some(&Known::Own), "unrelated: Go None");
        assert!(classify(&arrival).counts_by_its_sender());
    }
    let marks = Marks { is_from_nobody: true, ..Marks::default() };
    check(&Arrival { marks, ..fresh.clone() }, Some(&to_bob), "auto_reply: Go None");
    let marks = Marks { auto_submitted: Some("auto-generated".into()), ..Marks::default() };
    check(&Arrival { marks, ..fresh }, Some(&to_bob), "auto_reply: Go None");
    let kind_word = Feedback { kind: "not-spam".to_owned(), recipients: vec![bob()] };
    let kind_word = Arrival { feedback: Some(kind_word), ..complaint(&[]) };
    check(&kind_word, Some(&to_bob), "unrelated: Go None");
}

#[test]
fn what_names_no_message_is_about_its_sender_unless_it_is_a_report() {
    let counts = |arrival: &Arrival| classify(arrival).counts_by_its_sender();
    assert!(counts(&answer("Re: x", "Gladly.")));
    assert!(counts(&answer("Automatic reply: x", "I am away.")));
    assert!(counts(&answer("Re: x", "unsubscribe")));
    assert!(!counts(&report(Action::Failed, "5.1.1", "")));
    assert!(!counts(&report(Action::Done, "2.0.0", "")));
    assert!(!counts(&complaint(&[])));
}

#[test]
fn an_absence_is_a_subject_that_says_nothing_else() {
    let kind = |subject: &str| classify(&answer(subject, "Thanks for your message.")).kind;
    for subject in [
        "Out of office",
        "Out of Office AutoReply: Hello",
        "Out of office Re: Hello",
        "Out of the office until 30 November",
        "Out of office - back on Monday",
        "Automatic reply: Out of office hours support",
        "Automatische Antwort: Hallo",
        "Réponse automatique : Bonjour",
        "Abwesenheit vom 20.11. bis 30.11.",
        "On vacation!",
        "自動応答: Hello",
    ] {
        assert_eq!(kind(subject), Kind::AutoReply, "{subject}");
    }
    for subject in [
        "Out of office hours support",
        "Out-of-office furniture for your team",
        "Re: Out of office",
        "On vacation rentals and your offer",
        "Automatic reply rules in your product",
        "Afwezigheidsregistratie",
    ] {
        assert_eq!(kind(subject), Kind::Reply, "{subject}");
    }
}

#[test]
fn somebody_away_is_written_to_when_they_are_back() {
    let text = "I am away until 1 December 2026.";
    let away = Arrival { received_at: 1_795_219_200_000, ..answer("Out of office", text) };
    let inbound = classify(&away);
    assert_eq!(inbound.return_on.map(|day| day.to_string()).as_deref(), Some("2026-12-02"));
    check(&away, None, "auto_reply: Hold None");
    check(&away, Some(&Known::Message(bob())), "auto_reply: Hold None");
    check(&away, Some(&Known::Nothing), "auto_reply: Go None");
}
