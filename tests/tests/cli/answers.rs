//! `classify smtp`: one answer explained, a file of them judged.

use serde_json::json;
use warmfront_tests::binary::Installation;
use warmfront_tests::server::Fault;

use crate::{run, send, spring};

/// Needs neither a configuration nor books.
fn explained(words: &[&str]) -> serde_json::Value {
    let folder = Installation::empty();
    let asked = [&["classify", "smtp", "--json"], words].concat();
    let told = folder.run(&asked).done();
    assert!(std::fs::read_dir(folder.path()).expect("a folder").next().is_none());
    told.json()
}

#[test]
fn an_answer_is_explained_with_its_rule_and_its_source() {
    let answer = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled \
                  for the Tenant.";
    let told = explained(&["--provider", "microsoft365", "--phase", "auth", answer]);
    assert_eq!((&told["scope"], &told["action"]), (&json!("tenant"), &json!("fix_config")));
    assert_eq!((&told["code"], &told["enhanced"]), (&json!(535), &json!("5.7.139")));
    assert_eq!((&told["unknown"], &told["rule"]), (&json!(false), &json!("login-off-for-tenant")));
    assert!(told["source"].as_str().expect("a text").contains("microsoft"), "{told}");
    assert!(told["follows"].as_str().expect("a text").contains("until somebody"), "{told}");

    let folder = Installation::empty();
    let words = ["classify", "smtp", "--phase", "rcpt", "550", "5.1.1", "User", "unknown"];
    let told = folder.run(&words).done().out;
    for word in ["suppress_recipient", "hard bounce", "user-unknown", "Postfix"] {
        assert!(told.contains(word), "{told}");
    }
}

#[test]
fn what_nobody_knows_is_said_to_be_unknown() {
    let told = explained(&["--phase", "rcpt", "550 what"]);
    assert_eq!((&told["action"], &told["unknown"]), (&json!("drop_message"), &json!(true)));
    let folder = Installation::empty();
    let _ = folder.run(&["classify", "smtp", "--phase", "dinner", "550 no"]).said(2, &["dinner"]);
    let _ = folder.run(&["classify", "smtp"]).said(2, &["ANSWER"]);
}

#[test]
fn a_provider_is_known_by_all_its_names_and_any_other_is_a_mistake() {
    let folder = Installation::empty();
    let answer = "535 5.7.3 Authentication unsuccessful";
    let classify = |provider: &str| {
        folder.run(&["classify", "smtp", "--provider", provider, "--phase", "auth", answer])
    };
    let told = classify("m365-submission").done();
    assert!(told.out.contains("Microsoft refuses this log-in"), "{told}");
    for same in ["microsoft365", "m365-smtp-auth"] {
        assert_eq!(classify(same), told, "{same}");
    }
    assert_eq!(classify("google-workspace"), classify("google").done());
    assert_eq!(told.err, "");
    let _ = classify("microsft365").said(2, &["did you mean `microsoft365`?"]);
    let _ = classify("nobody").said(2, &["`nobody` is no provider", "known are microsoft365"]);
}

#[test]
fn what_no_rule_knew_is_reported() {
    let scene = spring(1);
    assert_eq!(run(&scene, "report --json").done().json()["unknown_answers"], json!([]));
    assert!(!run(&scene, "report").done().out.contains("no rule knew"));
    scene.sink.fault(Fault::Rcpt550Odd, 1.0, 1);
    send(&scene);
    let told = run(&scene, "report --json").done().json();
    let answer = &told["unknown_answers"][0];
    assert_eq!(
        (&answer["mailbox"], &answer["phase"]),
        (&json!("ann@sender1.example"), &json!("rcpt"))
    );
    assert_eq!((&answer["code"], &answer["enhanced_status"]), (&json!(550), &json!(null)));
    assert_eq!((&answer["text"], &answer["count"]), (&json!("<@>: odd letter $(4bQ1)"), &json!(1)));
    let told = run(&scene, "report").done();
    for words in ["no rule knew", "550 <@>: odd letter $(4bQ1)", "classify smtp --phase P \"…\""]
    {
        assert!(told.out.contains(words), "{told}");
    }
    assert!(run(&scene, "suppress list --json").done().json_lines().is_empty());
}

#[test]
fn a_file_comes_back_with_two_columns_more() {
    let folder = Installation::empty();
    folder.write(
        "answers.csv",
        "provider,phase,text_example,scope,note\n\
         gmail-mx,rcpt,\"550-5.1.1 The email account does not exist.\\n550 5.1.1 Really, not\",mine,\"a, b\"\n\
         nobody,supper,450 4.2.1 busy,,\n\
         postfix,rcpt,\"554 5.7.1 <ann@example.com>: Relay access denied\n\",x\n",
    );
    let told = folder.run(&["classify", "smtp", "--csv", "answers.csv"]).done();
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(told.out.as_bytes());
    let heading: Vec<_> = rows.headers().expect("a heading").iter().map(str::to_owned).collect();
    assert_eq!(heading, ["provider", "phase", "text_example", "scope", "note", "scope", "action"]);
    let rows: Vec<Vec<String>> =
        rows.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect();
    assert_eq!(rows[0][3..], ["mine", "a, b", "recipient", "suppress_recipient"]);
    assert_eq!(rows[1][5..], ["recipient", "retry_later"]);
    assert_eq!(rows[2][3..], ["x", "", "ip", "fix_config"]);
    assert!(told.err.contains("3 answers, each known to a rule"), "{}", told.err);
    assert!(told.err.contains("1 row: `supper` is no phase of SMTP"), "{}", told.err);

    // Judged again it has the verdict twice, and the last two columns are always ours.
    folder.write("again.csv", &told.out);
    let again = folder.run(&["classify", "smtp", "--csv", "again.csv"]).done();
    let mut again = csv::ReaderBuilder::new().has_headers(false).from_reader(again.out.as_bytes());
    let again: Vec<csv::StringRecord> = again.records().map(|row| row.expect("a row")).collect();
    assert_eq!(again.len(), 4);
    for row in &again {
        let cells: Vec<&str> = row.iter().collect();
        assert_eq!(cells[5..7], cells[7..], "{row:?}");
    }

    let lines = folder.run(&["classify", "smtp", "--csv", "answers.csv", "--json"]).done().out;
    assert_eq!(lines.lines().count(), 3);

    folder.write("other.csv", "what\n1\n");
    let other = ["classify", "smtp", "--csv", "other.csv"];
    let _ = folder.run(&other).said(1, &["other.csv", "text_example"]);
    let _ = folder.run(&["classify", "smtp", "--csv", "none.csv"]).said(1, &["none.csv"]);
}
