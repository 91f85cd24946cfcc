//! `classify inbound`, on every mail of the corpus: one line each, by its own word and in the light of
//! what was sent.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use warmfront_tests::binary::{Answer, Scene};

/// The corpus.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/inbound")
}

/// What is expected of each mail, by the columns of its index.
fn index() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder().join("index.csv")).expect("an index");
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn classify(scene: &Scene, files: &[PathBuf], more: &[&str]) -> Answer {
    let mut words = vec!["classify", "inbound"];
    words.extend(files.iter().map(|file| file.to_str().expect("a name")));
    words.extend(more);
    scene.installation.run(&words)
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn every_mail_of_the_corpus_is_what_its_index_says() {
    let (scene, index) = (Scene::of(1), index());
    assert!(index.len() >= 150, "{} mails", index.len());
    let files: Vec<PathBuf> = index.iter().map(|row| folder().join(&row[0])).collect();
    let sent = folder().join("sent.json");
    let answer = classify(&scene, &files, &["--sent", sent.to_str().expect("a name")]).done();
    let got: Vec<String> = lines(&answer)
        .iter()
        .zip(&index)
        .map(|(told, row)| {
            let effects = &told["effects"];
            let fields =
                ["kind", "status", "recipient", "return_date"].map(|name| word(&told[name]));
            let (enrolment, mailbox) = (word(&effects["enrolment"]), word(&effects["mailbox"]));
            let fields = fields.join(",");
            format!("{},{fields},{},{enrolment},{mailbox}", row[0], effects["suppress"])
        })
        .collect();
    let judged = |row: &Vec<String>| [&row[..1], &row[2..]].concat().join(",");
    let want: Vec<String> = index.iter().map(judged).collect();
    differ(&got, &want);
}

#[test]
fn without_what_was_sent_a_report_is_taken_at_its_word() {
    let (scene, index) = (Scene::of(1), index());
    let files: Vec<PathBuf> = index.iter().map(|row| folder().join(&row[0])).collect();
    let answer = classify(&scene, &files, &[]).done();
    let kinds = lines(&answer);
    let got: Vec<String> = kinds
        .iter()
        .zip(&index)
        .map(|(told, row)| format!("{},{}", row[0], word(&told["kind"])))
        .collect();
    let want: Vec<String> = index.iter().map(|row| row[..2].join(",")).collect();
    differ(&got, &want);
}

/// All that differs, not the first alone.
#[track_caller]
fn differ(got: &[String], want: &[String]) {
    assert_eq!(got.len(), want.len());
    let wrong: Vec<String> = got
        .iter()
        .zip(want)
        .filter(|(got, want)| got != want)
        .map(|(got, want)| format!("got  {got}\nwant {want}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), want.len(), wrong.join("\n"));
}

#[test]
fn one_line_has_the_fields_that_scripts_read() {
    let scene = Scene::of(1);
    let file = folder().join("hard_bounce/postfix-user-unknown.eml");
    let told = lines(&classify(&scene, std::slice::from_ref(&file), &[]).done());
    let want = json!({
        "file": file, "kind": "hard_bounce", "status": "5.1.1", "recipient": "bob@prospect.example",
        "message_id": "<0f1e2d3c4b5a69788796a5b4c3d2e1f0@sender.example>", "return_date": null,
        "effects": { "suppress": true, "enrolment": "stop", "mailbox": "none" },
    });
    assert_eq!(told, [want]);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_are_told() {
    let scene = Scene::of(1);
    let files =
        ["reply/stranger.eml", "reply/top-posted.eml", "reply"].map(|name| folder().join(name));
    let answer = classify(&scene, &files, &[]);
    assert_eq!(answer.code, Some(1), "{answer}");
    assert_eq!(lines(&answer).len(), 1);
    for file in ["stranger.eml: cannot be read", "reply: cannot be read"] {
        assert!(answer.err.contains(file), "{answer}");
    }
}

#[test]
fn what_was_sent_must_be_written_as_the_help_says() {
    let scene = Scene::of(1);
    let file = folder().join("reply/top-posted.eml");
    scene.installation.write("sent.json", r#"{"mailbox": "nobody", "sent": []}"#);
    let sent = scene.installation.file("sent.json");
    let answer = classify(&scene, &[file], &["--sent", sent.to_str().expect("a name")]);
    assert_eq!(answer.code, Some(1), "{answer}");
    assert!(answer.err.contains("sent.json: not what was sent"), "{answer}");
}
