//! `why` and `report`: whatever left or did not is explained, with what clears it.

use serde_json::{Value, json};
use warmfront_tests::binary::{Daemon, Scene, wait_until};

use crate::{edit, run, send, spring};

const FIRST: &str = "ann@sender1.example";
const PAT: &str = "p0@spring-0.example";

/// The answer about a subject as JSON.
#[track_caller]
fn why(scene: &Scene, subject: &str) -> Value {
    run(scene, &format!("why {subject} --json")).done().json()
}

/// The words of the reasons at a place of an answer, the binding one first.
#[track_caller]
fn words(told: &Value) -> Vec<&str> {
    let reasons = told["reasons"].as_array().unwrap_or_else(|| panic!("no reasons: {told}"));
    reasons.iter().map(|reason| reason["reason"].as_str().expect("a word")).collect()
}

/// What people read: it says all of `want`, in lines of at most eighty columns.
#[track_caller]
fn says(scene: &Scene, line: &str, want: &[&str]) {
    let told = run(scene, line).done();
    let text = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in want {
        assert!(text.contains(word), "nothing about {word:?}: {told}");
    }
    for line in told.out.lines() {
        assert!(line.chars().count() <= 80, "{line:?} is too long");
    }
}

#[test]
fn a_person_is_explained_from_the_import_to_the_last_step() {
    let scene = spring(3);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let told = why(&scene, PAT);
    let next = &told["enrolments"][0]["next"];
    assert_eq!(words(next), ["campaign_not_running"], "{told}");
    assert_eq!(next["reasons"][0]["clears"], "operator");
    says(&scene, &format!("why {PAT}"), &["line 2", "is draft", "warmfront campaign start"]);

    let _ = run(&scene, "campaign start spring").done();
    assert_eq!(words(&why(&scene, PAT)["enrolments"][0]["next"]), ["no_plan"]);
    says(&scene, &format!("why {PAT}"), &["no daemon is running"]);

    let _ = run(&scene, "run --until-idle").done();
    let told = why(&scene, PAT);
    let enrolment = &told["enrolments"][0];
    let message = &enrolment["messages"][0];
    assert_eq!((&message["state"], &message["code"]), (&json!("accepted"), &json!(250)));
    assert_eq!((words(message), &message["mailbox"]), (vec!["accepted"], &json!(FIRST)));
    let reason = &message["reasons"][0];
    let said = reason["says"].as_str().expect("a sentence");
    assert!(said.starts_with("the server took it over at attempt 1: it answered 250"), "{said}");
    assert_eq!((&reason["since"], &reason["clears"]), (&message["settled_at"], &json!("never")));
    assert_eq!((&reason["clears_at"], &reason["cure"]), (&Value::Null, &Value::Null));
    assert_eq!((&enrolment["state"], &enrolment["next"]), (&json!("finished"), &Value::Null));
    assert_eq!(enrolment["over"]["clears"], "never");
    says(&scene, &format!("why {PAT}"), &["accepted", "it answered 250", "the last step"]);

    let ledger = scene.installation.ledger();
    let id = ledger[0].message_id.as_ref().expect("it was sent");
    for id in [id.as_str(), id.trim_matches(['<', '>'])] {
        let told = why(&scene, id);
        assert_eq!(told["message"]["rcpt"], json!(ledger[0].rcpt), "{id}");
    }
    assert_eq!(why(&scene, "spring")["campaign"]["enrolments"], json!({ "finished": 3 }));
}

#[test]
fn a_full_day_says_its_numbers_and_the_day_that_clears_it() {
    let scene = spring(3);
    edit(&scene, "campaigns/spring/campaign.toml", "daily_target = 3", "daily_target = 2");
    send(&scene);
    let told = why(&scene, "p2@spring-2.example");
    let next = &told["enrolments"][0]["next"];
    assert_eq!(words(next), ["daily_target"], "{told}");
    let reason = &next["reasons"][0];
    let numbers = "the campaign has had 2 messages today, of a daily target of 2";
    assert_eq!((&reason["says"], &reason["clears"]), (&json!(numbers), &json!("next_day")));
    let clears: jiff::Timestamp =
        reason["clears_at"].as_str().expect("a moment").parse().expect("RFC 3339");
    assert!(clears.as_millisecond() > scene.installation.now());
    says(&scene, "why spring", &["next in turn: p2@spring-2.example", "today 2 of", "clears with"]);
}

#[test]
fn a_follow_up_waits_for_its_time_and_for_the_inbox() {
    let scene = spring(1);
    let step = "1-intro.hbs\"\n[[step]]\ntemplate = \"steps/2-nudge.hbs\"\nwait = \"3d\"";
    edit(&scene, "campaigns/spring/campaign.toml", "1-intro.hbs\"", step);
    scene.installation.write("campaigns/spring/steps/2-nudge.hbs", "Did you see my note?\n");
    send(&scene);
    let told = why(&scene, PAT);
    let next = &told["enrolments"][0]["next"];
    assert_eq!(next["step"], 2);
    assert_eq!(words(next), ["inbox_not_read", "waits", "person_gap", "daily_target"], "{told}");
    assert_eq!(next["reasons"][1]["clears_at"], next["not_before"]);
    // It has no `imap`, so no daemon will ever read its inbox.
    assert_eq!(next["reasons"][0]["clears"], "operator");
    says(&scene, &format!("why {PAT}"), &["step 2: not planned, 3d after", "there is none"]);
}

#[test]
fn a_mailbox_says_what_its_day_is_made_of_and_what_stops_it() {
    let scene = spring(3);
    let _ = run(&scene, &format!("mailbox pause {FIRST} --because checking")).done();
    send(&scene);
    let told = why(&scene, FIRST);
    assert_eq!(words(&told["mailbox"])[0], "mailbox_paused", "{told}");
    assert_eq!(told["mailbox"]["next"], Value::Null);
    says(&scene, &format!("why {FIRST}"), &["is paused: checking", "mailbox resume ADDRESS"]);
    // Nothing is planned for the people either, and the plan says how many of them.
    let told = why(&scene, PAT);
    let next = &told["enrolments"][0]["next"];
    assert_eq!(words(next), ["paused"], "{told}");
    assert!(next["reasons"][0]["says"].as_str().expect("a text").contains("3 of the campaign"));

    let _ = run(&scene, &format!("mailbox resume {FIRST}")).done();
    let _ = run(&scene, "run --until-idle").done();
    let told = why(&scene, FIRST);
    assert_eq!(told["mailbox"]["accepted"], 3);
    assert_eq!(told["mailbox"]["allowance_is"]["reason"], "cap");
    says(&scene, &format!("why {FIRST}"), &["3 tried, 3 accepted", "nothing is planned for it"]);
}

#[test]
fn whoever_is_suppressed_is_told_so_and_a_broken_configuration_is_no_excuse() {
    let scene = spring(3);
    let _ = run(&scene, "suppress add spring-0.example --reason asked").done();
    send(&scene);
    edit(&scene, "warmfront.toml", "cap = 500", "cap = \"many\"");
    let told = why(&scene, PAT);
    assert_eq!(told["suppressed"][0]["value"], "spring-0.example");
    assert_eq!(told["enrolments"][0]["over"]["reason"], "enrolment_over");
    says(&scene, &format!("why {PAT}"), &["suppressed: domain spring-0.example", "asked"]);
    says(&scene, "report", &["spring: 2 people written to"]);
}

#[test]
fn a_running_daemon_is_named_and_not_waited_for() {
    let scene = spring(3);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").done();
    let mut daemon = Daemon::start(&scene.installation, &["run"], None);
    let state = || why(&scene, PAT)["enrolments"][0]["messages"][0]["state"].clone();
    wait_until("the books have it", || state() == "accepted");
    let told = why(&scene, PAT);
    assert!(told["running"].is_string(), "{told}");
    says(&scene, &format!("why {PAT}"), &["accepted", "running: "]);
    daemon.terminate();
    daemon.ended_well("it was asked to");
}

#[test]
fn what_nobody_knows_is_told_with_what_was_meant() {
    let scene = spring(1);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "why sprung").said(1, &["`sprung`", "did you mean `spring`?"]);
    let nobody = run(&scene, "why nobody@nowhere.example --json").said(1, &["rejected.csv"]);
    assert_eq!(nobody.json()["exit"], 1);
}

#[test]
fn a_report_counts_what_became_of_all_messages() {
    let scene = spring(3);
    send(&scene);
    let told = run(&scene, "report --json").done().json();
    let campaign = &told["campaigns"][0];
    assert_eq!(
        (&campaign["campaign"], &campaign["people"]["written_to"]),
        (&json!("spring"), &json!(3))
    );
    for (by, name) in [("step", "1"), ("variant", "1 a"), ("mailbox", FIRST)] {
        let row = &campaign[format!("by_{by}")][0];
        assert_eq!(
            (&row[by], &row["accepted"], &row["replied"]),
            (&json!(name), &json!(3), &json!(0))
        );
        let high = row["reply_rate_high"].as_f64().expect("a rate");
        assert!((0.55..0.57).contains(&high), "of nobody in three: {high}");
    }
    assert_eq!(told["answers"], json!([]));
    says(&scene, "report spring", &["spring: 3 people written to, 0 replied: 0.0 % (0.0–56.1 %)"]);
    let all = &told["campaigns"][0]["messages"];
    let steps = told["campaigns"][0]["by_step"].as_array().expect("a list");
    for what in ["planned", "accepted", "rejected"] {
        let sum: u64 = steps.iter().map(|step| step[what].as_u64().expect("a count")).sum();
        assert_eq!(all[what], sum, "{what}: {all}");
    }
    let day = told["campaigns"][0]["by_step"][0].clone();
    assert_eq!(
        run(&scene, "report --since 2000-01-01 --json").done().json()["campaigns"][0]["by_step"][0],
        day
    );
    says(&scene, "report --since 2999-01-01", &["no message was planned or sent since 2999-01-01"]);
    let _ = run(&scene, "report sprung").said(2, &["did you mean `spring`?"]);
}

/// Whoever has to mend a log-in is told what to click, not the server's words alone.
#[test]
fn a_refused_log_in_is_told_with_its_cure() {
    let mut scene = spring(1);
    scene.installation.secret("MAILBOX_PASSWORD", "another");
    send(&scene);
    let told = why(&scene, FIRST);
    let reason = &told["mailbox"]["reasons"][0];
    assert_eq!(reason["reason"], "mailbox_paused", "{told}");
    let cure = reason["cure"].as_str().expect("a cure");
    let restart = "After a change of `MAILBOX_PASSWORD` start the daemon again";
    for words in ["Name or password is wrong.", restart, "mailbox verify ann@sender1.example"] {
        assert!(cure.contains(words), "{cure}");
    }
    let answer = ["classify", "smtp", "--phase", "auth", "--provider", "microsoft365"];
    let line = "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.";
    let answer = scene.installation.run(&[&answer[..], &[line, "--json"]].concat()).done().json();
    assert_eq!(answer["wrong"], "Name or password is wrong.", "{answer}");
    assert!(answer["cure"].as_str().is_some_and(|cure| cure.contains("outlook.office.com")));
}
