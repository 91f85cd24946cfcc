//! What can be wrong in `warmfront.toml`.

use warmfront_tests::binary::{Answer, Fleet, PASSWORD, Scene};
use warmfront_tests::server::Fault;

use crate::{edit, refused, run, spring};

const FILE: &str = "warmfront.toml";

/// Writes `new` for `old` into a good configuration: told so, and nothing is imported.
#[track_caller]
fn check(old: &str, new: &str, code: i32, words: &[&str]) {
    let scene = spring(1);
    edit(&scene, FILE, old, new);
    refused(&scene, code, words);
}

#[test]
fn a_mistake_is_told_with_its_line_and_its_cure() {
    check("cap = ", "capp = ", 1, &["warmfront.toml:13:", "`capp`", "did you mean `cap`"]);
    check(
        "timezone = \"",
        "timezone = \"Europe/Nowhere",
        1,
        &["warmfront.toml:6:", "no time zone"],
    );
    check("gap = \"0s\"", "gap = \"soon\"", 1, &["warmfront.toml:15:", "`soon`"]);
    check("0 0 0 * * *", "0 0 9 30 2 *", 1, &["warmfront.toml:17:", "0 0 9 30 2 *", "never"]);
    check("length = \"24h\"", "length = \"0h\"", 1, &["warmfront.toml:17:", "has no length"]);
    check("provider = \"smtp\"", "provider = \"micros\"", 1, &["warmfront.toml:9:", "`micros`"]);
    check("ca.pem\" }", "ca.pem\"", 1, &["warmfront.toml:12:", "this is not TOML"]);
}

#[test]
fn what_only_a_safety_rule_forbids_is_refused() {
    let most = "above 10 % of the limit of `smtp`, 500 messages a day; write at most 50";
    check("override = true", "", 3, &["warmfront.toml:13:", "`cap`", most]);
    check("cap = 500", "cap = 501", 3, &["warmfront.toml:13:", "no override"]);
    check("[defaults]", "[limits]\ncompany_per_day = 3\n[defaults]", 3, &["company_per_day"]);
    let open = "[web]\nlisten = \"0.0.0.0:8025\"\n[defaults]";
    check("[defaults]", open, 3, &["warmfront.toml:6:", "`listen`", "127.0.0.1"]);
    check("override = true\ncap = 500", "cap = 50", 3, &["warmup", "gap", "pace", "window"]);
}

#[test]
fn a_service_for_mail_that_was_asked_for_carries_nothing_else_and_says_so() {
    let scene = spring(1);
    edit(&scene, FILE, "provider = \"smtp\"", "provider = \"sendgrid\"");
    let asked = ["ann@sender1.example is at sendgrid", "unsolicited", "opt_in = true"];
    let _ = run(&scene, "check campaigns/spring").said(1, &asked);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").said(3, &asked);
    edit(&scene, "campaigns/spring/campaign.toml", "daily_target", "opt_in = true\ndaily_target");
    let _ = run(&scene, "campaign import campaigns/spring --update").done();
    let _ = run(&scene, "campaign start spring").done();
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 1);
}

#[test]
fn mailboxes_that_a_campaign_leaves_out_are_named_with_the_reason() {
    let scene = Scene::of(3);
    scene.write_campaign("spring", 2);
    edit(&scene, FILE, "provider = \"smtp\"", "provider = \"sendgrid\"");
    let left = "1 of its 3 mailboxes is left out: ann@sender1.example (sendgrid)";
    let checked = run(&scene, "check campaigns/spring").done();
    assert!(checked.err.contains(left) && checked.err.contains("opt_in = true"), "{checked}");
    assert!(checked.out.contains("2 matching mailboxes"), "{checked}");
    let imported = run(&scene, "campaign import campaigns/spring").done();
    assert!(imported.err.contains(left), "{imported}");
    let started = run(&scene, "campaign start spring --json").done();
    assert!(started.err.contains(left), "{started}");
    let told = started.json();
    let warnings = told["warnings"].as_array().expect("a list");
    assert!(warnings[0].as_str().is_some_and(|text| text.starts_with(left)), "{told}");
    // Those whose inbox nobody reads are told too.
    assert!(told["warnings"].to_string().contains("and 1 other mailbox"), "{told}");
    edit(&scene, "campaigns/spring/campaign.toml", "daily_target", "opt_in = true\ndaily_target");
    let checked = run(&scene, "check campaigns/spring").done();
    assert!(!checked.err.contains("left out"), "{checked}");
}

#[test]
fn what_check_and_the_list_say_fits_a_terminal() {
    let mailboxes = (1..=3).map(|nr| {
        (format!("a.rather.long.name.of.somebody.{nr}@outreach.subsidiary.example"), 500)
    });
    let scene = Scene::with(&Fleet { mailboxes: mailboxes.collect(), ..Fleet::of(0) });
    scene.write_campaign("spring", 2);
    // Before there are books: the days are counted in another zone then.
    edit(&scene, FILE, "timezone = ", "# timezone = ");
    let first = "a.rather.long.name.of.somebody.1@outreach.subsidiary.example";
    let because = "its people are away until the end of the month, and nobody else looks after it";
    let pause = ["mailbox", "pause", first, "--because", because];
    let _ = scene.installation.run(&pause).done();
    edit(&scene, FILE, "provider = \"smtp\"", "provider = \"sendgrid\"");
    for words in [&["check"][..], &["mailbox", "list"]] {
        let mut command = scene.installation.command(words);
        let said = Answer::from(command.env("COLUMNS", "80").output().expect("it starts"));
        for line in said.out.lines().chain(said.err.lines()) {
            assert!(line.chars().count() <= 80, "{words:?}: {line}");
        }
    }
}

#[test]
fn whoever_looks_or_stops_something_need_not_mend_the_configuration_first() {
    let scene = spring(2);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").done();
    edit(&scene, FILE, "cap = ", "capp = ");
    for line in [
        "suppress add p0@company0.example",
        "mailbox pause ann@sender1.example",
        "campaign pause spring",
        "status",
        "mailbox list",
        "campaign list",
        "ledger",
        "audit",
    ] {
        let said = run(&scene, line).done();
        assert!(said.err.contains("warmfront.toml:13:"), "{line}: {said}");
    }
    for line in ["campaign start spring", "mailbox resume ann@sender1.example", "run"] {
        let _ = run(&scene, line).said(1, &["warmfront.toml:13:", "`capp`"]);
    }
    edit(&scene, FILE, "capp = ", "cap = ");
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 0, "what was stopped stays stopped");
}

#[test]
fn a_missing_secret_is_named_and_nothing_is_sent_until_it_is_there() {
    let mut scene = spring(2);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").done();
    scene.installation.forget_secrets();
    let words = ["ann@sender1.example", "`MAILBOX_PASSWORD` is not set", "set it where"];
    for line in ["check", "run --until-idle"] {
        let _ = run(&scene, line).said(1, &words);
    }
    assert_eq!(scene.sink.accepted_count(), 0);
    let _ = run(&scene, "audit").done();
    scene.installation.secret("MAILBOX_PASSWORD", PASSWORD);
    let _ = run(&scene, "check").done();
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 2);
}

#[test]
fn a_failure_is_told_in_json_too() {
    #[track_caller]
    fn check(scene: &Scene, line: &str, code: i32) {
        let said = run(scene, line).said(code, &[]);
        let told = said.json();
        assert_eq!((&told["ok"], &told["exit"]), (&false.into(), &code.into()), "{said}");
        assert!(told["errors"][0].is_string(), "{said}");
        assert!(!said.err.is_empty(), "{said}");
    }
    let scene = spring(1);
    check(&scene, "campaign start nope --json", 2);
    check(&scene, "pln --json", 2);
    check(&scene, "plan --days 0 --json", 2);
    check(&scene, "campaign import nope --json", 1);
    check(&scene, "check nope --json", 1);
    check(&scene, "--config nope.toml status --json", 1);
    edit(&scene, "warmfront.toml", "cap = ", "capp = ");
    check(&scene, "run --until-idle --json", 1);
    check(&scene, "check --json", 1);
}

#[test]
fn certificates_that_cannot_be_read_are_told_before_anything_begins() {
    let scene = spring(1);
    edit(&scene, FILE, "ca = \"ca.pem\"", "ca = \"nope.pem\"");
    for line in ["check", "run --until-idle"] {
        let _ = run(&scene, line).said(1, &["warmfront.toml:", "nope.pem cannot be read"]);
        scene.installation.write("nope.pem", "no certificate");
        let _ = run(&scene, line).said(1, &["warmfront.toml:", "no certificate in PEM"]);
        std::fs::remove_file(scene.installation.file("nope.pem")).expect("it was there");
    }
}

#[test]
fn a_run_gives_its_summary_in_json_and_a_check_its_warnings() {
    let scene = spring(1);
    let told = run(&scene, "run --until-idle --json").done().json();
    assert_eq!((&told["ok"], &told["accepted_today"]), (&true.into(), &0.into()), "{told}");
    edit(&scene, "warmfront.toml", "timezone = ", "# timezone = ");
    let told = run(&scene, "check --json").done().json();
    assert!(told["warnings"].to_string().contains("days are counted in UTC"), "{told}");
}

#[test]
fn verify_says_which_tls_a_port_speaks_and_when_to_come_again() {
    let scene = spring(1);
    edit(&scene, FILE, "tls = \"starttls\"", "tls = \"implicit\"");
    let verify = |line: &str, words: &[&str]| {
        let told = run(&scene, line).said(3, &[]);
        let text = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in words {
            assert!(text.contains(words), "nothing about {words:?}: {told}");
        }
    };
    verify("mailbox verify", &["this port seems to speak STARTTLS; write `tls = \"starttls\"`"]);
    edit(&scene, FILE, "tls = \"implicit\"", "tls = \"starttls\"");
    scene.sink.fault(Fault::Rcpt451, 1.0, 1);
    let sends = "mailbox verify --send-to kim@outside.example";
    verify(sends, &["not seen: The server puts it off. It says: 451", "Try again in some minutes"]);
}
