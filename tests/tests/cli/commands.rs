//! Each command, and the fields that scripts read.

use serde_json::{Value, json};
use warmfront_tests::binary::Scene;

use crate::{run, send, spring};

/// The answer of a command as one JSON value.
#[track_caller]
fn told(scene: &Scene, line: &str) -> Value {
    run(scene, line).done().json()
}

/// `value` has these fields.
#[track_caller]
fn has(value: &Value, fields: &str) {
    for field in fields.split(' ') {
        assert!(value.get(field).is_some(), "no `{field}` in {value}");
    }
}

const FIRST: &str = "ann@sender1.example";

#[test]
fn an_import_is_counted_and_a_second_one_changes_nothing() {
    let scene = spring(3);
    let import = "campaign import campaigns/spring --json";
    let rehearsed = told(&scene, &format!("{import} --dry-run"));
    has(&rehearsed, "rows accepted rejected duplicates outcome");
    assert_eq!((&rehearsed["rows"], &rehearsed["outcome"]), (&json!(3), &json!("accept")));
    assert!(run(&scene, "campaign list --json").done().out.is_empty());
    assert_eq!(told(&scene, import)["accepted"], 3);
    let again = told(&scene, import);
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(3)));
    assert_eq!(again["rejected"], json!([]));

    scene.installation.write("campaigns/spring/prospects.csv", "name\nAnn\n");
    let refused = run(&scene, &format!("{import} --dry-run"));
    assert_eq!(refused.code, Some(1), "{refused}");
    assert_eq!(refused.json()["outcome"], "reject");
}

#[test]
fn a_campaign_is_started_paused_listed_and_explained() {
    let scene = spring(3);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let start = "campaign start spring --json";
    let unread = "nobody reads the inbox of ann@sender1.example: there is no `imap.host`; replies and \
                  bounces go unseen, and their follow-ups wait";
    let running = json!({ "campaign": "spring", "state": "running", "warnings": [unread] });
    assert_eq!(told(&scene, start), running);
    let _ = run(&scene, start).said(2, &["running already"]);
    let pause = "campaign pause spring --json";
    assert_eq!(told(&scene, pause), json!({ "campaign": "spring", "state": "paused" }));
    let _ = run(&scene, pause).said(2, &["is paused"]);
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 0);
    for line in ["campaign list --json", "campaign status spring --json"] {
        let campaign = told(&scene, line);
        assert_eq!(campaign["state"], "paused");
        assert_eq!(campaign["why"], "paused by the operator");
        assert_eq!(campaign["enrolments"], json!({ "active": 3 }));
    }
    let listed = run(&scene, "campaign list").done();
    assert!(listed.out.contains("spring"), "{listed}");
    let status = run(&scene, "campaign status spring").done();
    assert!(status.out.contains("3 people: 3 active"), "{status}");
}

#[test]
fn a_plan_is_shown_before_and_after_it_is_saved() {
    let scene = spring(3);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").done();
    let plan = told(&scene, "plan --json");
    has(&plan, "day mailboxes planned shortfall campaigns saved");
    has(&plan["mailboxes"][0], "address warm_day allowance allotted first_at last_at");
    assert_eq!((&plan["planned"], &plan["saved"]), (&json!(3), &json!(false)));
    assert_eq!(plan["campaigns"], json!([{ "name": "spring", "planned": 3, "shortfall": 0 }]));
    let text = run(&scene, "plan").done();
    assert!(text.out.contains("3 planned of 3 wanted"), "{text}");

    let day = plan["day"].as_str().expect("a day").to_owned();
    let dated = told(&scene, &format!("plan --date {day} --json"));
    assert_eq!(dated["day"], plan["day"]);
    let today: jiff::civil::Date = day.parse().expect("a day");
    let tomorrow = today.tomorrow().expect("there is one");
    assert_eq!(told(&scene, &format!("plan --date {tomorrow} --json"))["planned"], 3);
    let weeks = told(&scene, "plan --days 30 --json");
    assert_eq!(weeks["days"][0]["planned"], 3);
    let yesterday = today.yesterday().expect("there was one");
    let _ = run(&scene, &format!("plan --date {yesterday}")).said(2, &["is past"]);

    let _ = run(&scene, "run --until-idle").done();
    let saved = told(&scene, "plan --json");
    assert_eq!((&saved["planned"], &saved["saved"]), (&json!(3), &json!(true)));
}

#[test]
fn what_does_not_fit_is_said_with_its_cure() {
    let scene = spring(520);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").done();
    let plan = told(&scene, "plan --json");
    assert_eq!(plan["planned"], 500);
    has(&plan["shortfall"][0], "count why cure");
    assert_eq!(plan["shortfall"][0]["count"], 20);
    let cure = plan["shortfall"][0]["cure"].as_str().expect("a text");
    assert!(cure.contains("1 more warmed mailbox"), "{cure}");
}

#[test]
fn a_run_ends_with_books_that_say_what_was_sent() {
    let scene = spring(3);
    send(&scene);
    let ledger = scene.installation.ledger();
    let held = scene.sink.accepted();
    assert_eq!((ledger.len(), held.len()), (3, 3));
    for line in &ledger {
        let message = held.iter().find(|one| Some(&one.rcpt) == line.rcpt.as_ref());
        assert_eq!(line.message_id, message.expect("it arrived").message_id);
        assert_eq!((line.campaign.as_str(), line.mailbox.as_str()), ("spring", FIRST));
        assert_eq!((line.state.as_str(), line.step, line.attempts), ("accepted", 1, 1));
        let settled = line.settled_at.as_ref().expect("it is settled");
        for moment in [&line.due_at, settled] {
            let _: jiff::Timestamp = moment.parse().expect("RFC 3339");
            assert!(moment.ends_with('Z'), "{moment}");
        }
    }
    let status = told(&scene, "status --json");
    assert_eq!((&status["accepted_today"], &status["daemon"]), (&json!(3), &Value::Null));
    assert_eq!(status["messages"], json!({ "accepted": 3 }));
    let audit = told(&scene, "audit --json");
    assert_eq!((&audit["ok"], &audit["imbalances"]), (&json!(true), &json!([])));
    let text = run(&scene, "audit").done();
    let equation = "spring: 3 rows = 3 accepted + 0 rejected + 0 duplicates";
    assert!(text.out.contains(equation) && text.out.ends_with("the books add up\n"), "{text}");
    for line in ["status", "ledger", "ledger --campaign spring"] {
        assert!(run(&scene, line).done().out.contains("accepted"), "{line}");
    }
}

#[test]
fn a_mailbox_is_listed_paused_and_resumed() {
    let scene = spring(3);
    let listed = told(&scene, "mailbox list --json");
    has(&listed, "address state provider cap warm_day ease_percent allowance paused_until why");
    assert_eq!((&listed["address"], &listed["state"]), (&json!(FIRST), &json!("active")));
    let pause = format!("mailbox pause {FIRST} --json");
    assert_eq!(told(&scene, &pause), json!({ "address": FIRST, "state": "paused" }));
    let _ = run(&scene, &pause).said(2, &["is paused already"]);
    send(&scene);
    assert_eq!(scene.sink.accepted_count(), 0);
    let text = run(&scene, "mailbox list").done();
    assert!(text.out.contains("is paused until `mailbox resume`"), "{text}");
    let resume = format!("mailbox resume {FIRST} --json");
    assert_eq!(told(&scene, &resume), json!({ "address": FIRST, "state": "active" }));
    let _ = run(&scene, &resume).said(2, &["is not paused"]);
}

#[test]
fn whoever_is_suppressed_is_not_written_to() {
    let scene = spring(3);
    let added = told(&scene, "suppress add p0@spring-0.example Spring-1.example --json");
    assert_eq!(added, json!({ "added": 2, "unchanged": 0 }));
    scene.installation.write("no.csv", "name,email\nX,x@y.example\nZ,p0@spring-0.example\n");
    let imported = told(&scene, "suppress import no.csv --json");
    assert_eq!(imported, json!({ "added": 1, "unchanged": 1, "outcome": "accept" }));
    scene.installation.write("bad.csv", "email\nx@y.example\nnonsense\n");
    let _ = run(&scene, "suppress import bad.csv").said(1, &["bad.csv:3:", "nonsense"]);
    let removed = told(&scene, "suppress remove x@y.example --json");
    assert_eq!(removed, json!({ "removed": 1, "unchanged": 0 }));
    let listed = run(&scene, "suppress list --json").done().json_lines();
    let values: Vec<&Value> = listed.iter().map(|entry| &entry["value"]).collect();
    assert_eq!(values, ["p0@spring-0.example", "spring-1.example"]);
    has(&listed[0], "scope value reason since");
    send(&scene);
    let to: Vec<String> = scene.sink.accepted().into_iter().map(|message| message.rcpt).collect();
    assert_eq!(to, ["p2@spring-2.example"]);
    let audit = run(&scene, "audit").done();
    assert!(audit.out.contains("2 suppressed"), "{audit}");
}

#[test]
fn whoever_is_stopped_is_not_written_to() {
    let scene = spring(3);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let stopped = told(&scene, "person stop P0@spring-0.example spring-1.example --json");
    assert_eq!(stopped, json!({ "stopped": 2 }));
    assert_eq!(told(&scene, "person stop spring-1.example --json"), json!({ "stopped": 0 }));
    assert_eq!(told(&scene, "person release spring-2.example --json"), json!({ "released": 0 }));
    let _ = run(&scene, "person stop x --campaign sprung").said(2, &["did you mean `spring`?"]);
    send(&scene);
    let to: Vec<String> = scene.sink.accepted().into_iter().map(|message| message.rcpt).collect();
    assert_eq!(to, ["p2@spring-2.example"]);
    assert!(run(&scene, "audit").done().out.contains("2 stopped"));
}

#[test]
fn a_table_in_a_pipe_is_a_row_a_line_and_a_new_database_is_told() {
    let scene = Scene::of(1);
    let first = run(&scene, "campaign list").said(0, &["a new, empty database was made"]);
    assert!(!first.out.is_empty());
    scene.write_campaign("a-campaign-whose-name-fills-most-of-a-terminal-by-itself", 1);
    let name = "campaigns/a-campaign-whose-name-fills-most-of-a-terminal-by-itself";
    let _ = scene.installation.run(&["campaign", "import", name]).done();
    let said = run(&scene, "campaign list").done();
    assert_eq!((said.out.lines().count(), said.err.contains("database")), (2, false), "{said}");
}

#[test]
fn people_who_had_a_message_lately_are_told_as_the_reason() {
    let scene = Scene::of(1);
    scene.begin("spring", 2);
    let _ = run(&scene, "run --until-idle").done();
    scene.write_campaign("summer", 2);
    let list = std::fs::read(scene.installation.file("campaigns/spring/prospects.csv"));
    scene.installation.write("campaigns/summer/prospects.csv", list.expect("a list"));
    for line in ["campaign import campaigns/summer", "campaign start summer"] {
        let _ = run(&scene, line).done();
    }
    // Tomorrow nothing is saved yet.
    let today = told(&scene, "plan --json")["day"].as_str().expect("a day").to_owned();
    let today: jiff::civil::Date = today.parse().expect("a day");
    let day = today.tomorrow().expect("time goes on");
    let said = run(&scene, &format!("plan --date {day}")).done();
    assert!(said.out.contains("because of the time between two messages to one person"), "{said}");
    let told = run(&scene, &format!("plan --date {day} --json")).done().json();
    assert_eq!(told["waiting"][0]["why"], "person_gap", "{told}");
}
