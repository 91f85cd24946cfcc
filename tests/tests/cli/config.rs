//! What can be wrong in `warmfront.toml`.

use warmfront_tests::binary::PASSWORD;

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
    check("override = true\ncap = 500", "cap = 50", 3, &["warmup", "gap", "pace", "window"]);
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
