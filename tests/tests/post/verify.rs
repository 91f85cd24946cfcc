//! `mailbox verify`: both log-ins are tried and nothing is sent; a test mail is followed to where it
//! lies, and counts.

use serde_json::Value;
use warmfront_tests::binary::Answer;

use super::scene::Scene;

fn verify(scene: &Scene, more: &[&str]) -> Answer {
    scene.installation.run(&[&["mailbox", "verify"], more].concat())
}

/// How each check of a mailbox stands, in the order they are told.
#[track_caller]
fn standings(answer: &Answer, mailbox: &str) -> Vec<String> {
    let lines = answer.json_lines();
    let of = lines.iter().filter(|line| line["mailbox"] == mailbox);
    let text = |value: &Value| value.as_str().expect("a word").to_owned();
    of.map(|line| format!("{} {}", text(&line["check"]), text(&line["standing"]))).collect()
}

#[track_caller]
fn says(answer: &Answer, words: &[&str]) {
    let text = answer.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(text.contains(word), "nothing about {word:?}: {}", answer.out);
    }
    assert!(answer.out.lines().all(|line| line.chars().count() <= 80), "{}", answer.out);
}

#[test]
fn looking_tells_how_all_stands_and_sends_nothing() {
    let (ann, bob) = ("ann@looked.example", "bob@looked.example");
    let scene = Scene::of(&[ann, bob]);
    scene.reads_mailboxes();
    let answer = verify(&scene, &["--json"]).done();
    let well = [
        "smtp_tls well",
        "clock unknown",
        "hello well",
        "smtp_log_in well",
        "sender well",
        "size well",
        "imap_tls well",
        "imap_log_in well",
        "idle well",
        "junk well",
        "sent well",
    ];
    assert_eq!(
        (standings(&answer, ann), standings(&answer, bob)),
        (well.map(str::to_owned).to_vec(), well.map(str::to_owned).to_vec())
    );
    says(&verify(&scene, &[ann]).done(), &["It can send", "It can be read", "all is well"]);
    scene.office.postfix.rest();
    assert_eq!((scene.office.inbox(ann).len(), scene.office.inbox(bob).len()), (0, 0));
    let _ = verify(&scene, &["ann@loked.example"]).said(2, &["did you mean `ann@looked.example`?"]);
}

#[test]
fn a_refused_log_in_is_told_with_what_mends_it() {
    let ann = "ann@refused.example";
    let mut scene = Scene::of(&[ann]);
    scene.reads_mailboxes();
    scene.installation.secret("MAILBOX_PASSWORD", "another");
    let answer = verify(&scene, &[]);
    assert_eq!(answer.code, Some(3), "{answer}");
    says(
        &answer,
        &["Name or password is wrong. It says: 535 5.7.8", "wrong for reading", "to mend"],
    );
    assert!(!answer.out.contains("another"), "{answer}");
    let told = standings(&verify(&scene, &["--json"]), ann);
    assert_eq!(told[3..], ["smtp_log_in mend", "imap_log_in mend"]);
}

#[test]
fn a_test_mail_is_followed_to_where_it_lies_and_counts() {
    let (ann, seed) = ("ann@tested.example", "seed@sown.example");
    let scene = Scene::of(&[ann, seed]);
    scene.reads_mailboxes();
    let answer = verify(&scene, &["--send-to", seed, "--json"]);
    let told = standings(&answer, ann);
    let test = [
        "test well",
        "counted well",
        "arrival well",
        "clock well",
        "authentication unknown",
        // Nobody signs here.
        "signature mend",
    ];
    assert_eq!(told[told.len() - test.len()..], test, "{answer}");
    assert_eq!((answer.code, standings(&answer, seed)), (Some(3), Vec::new()), "{answer}");
    let mail = scene.office.only(seed);
    for words in [
        "Subject: Test of ann@tested.example",
        "Auto-Submitted: auto-generated",
        "goes to nobody else",
    ] {
        assert!(mail.contains(words), "{words} in {mail}");
    }
    // The copy in Sent counts like any mail by hand, once the daemon has read it, and is no stray.
    has_one_less(&scene, ann, "kim@elsewhere.example");
}

/// After a day's work the mailbox may still do one less than its cap.
#[track_caller]
fn has_one_less(scene: &Scene, mailbox: &str, person: &str) {
    scene.office.admit(&[person]);
    scene.begin("after", 1, &[person], &[(None, "Subject: Hello\n\nHello.\n")]);
    scene.run();
    let told = scene.told(&format!("why {mailbox}"));
    assert_eq!(told["mailbox"]["ceiling"], 499, "{told}");
}

#[test]
fn a_test_mail_that_nobody_files_is_counted_at_once() {
    let ann = "ann@unfiled.example";
    let scene = Scene::of(&[ann]);
    scene.office.admit(&["kim@outside.example"]);
    let answer = verify(&scene, &["--send-to", "kim@outside.example", "--json"]);
    let told = standings(&answer, ann);
    assert_eq!(
        told[told.len() - 4..],
        ["imap mend", "test well", "counted well", "arrival unknown"]
    );
    let _ = scene.office.only("kim@outside.example");
    has_one_less(&scene, ann, "pat@outside.example");
}

#[test]
fn no_test_goes_to_whom_nobody_writes() {
    let (ann, kim) = ("ann@barred.example", "kim@suppressed.example");
    let scene = Scene::of(&[ann]);
    scene.office.admit(&[kim]);
    let _ = scene.installation.run(&["suppress", "add", "suppressed.example"]).done();
    let answer = verify(&scene, &["--send-to", kim, "--json"]);
    assert!(standings(&answer, ann).contains(&"test unseen".to_owned()), "{answer}");
    scene.office.postfix.rest();
    assert_eq!(scene.office.inbox(kim).len(), 0);
}
