//! `campaign.toml` in, a manifest or what to do about it out.

use warmfront_core::span::HOUR;

use super::*;

const GOOD: &str = r#"name = "Spring"
daily_target = 1000
mailboxes = ["*@example.com", "tag:founders"]
list_source = "Chamber of commerce directory, 2026-09-01"
window = { opens = "0 0 9 * * Mon-Fri", length = "8h" }
[[step]]
template = "steps/1-intro.hbs"
[[step]]
template = "steps/2-nudge.hbs"
wait = "3d"
"#;

fn parsed(text: &str) -> Result<Manifest, Vec<String>> {
    read("campaign.toml", text, 48 * HOUR)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// The good manifest with one thing changed, and all that is then wrong with it.
#[track_caller]
fn check(from: &str, to: &str, want: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    let problems = parsed(&GOOD.replacen(from, to, 1)).unwrap_err();
    let want: Vec<String> = want.iter().map(|what| format!("campaign.toml:{what}")).collect();
    assert_eq!(problems, want, "{to}");
}

#[test]
fn a_good_manifest_is_read_whole() {
    let manifest = parsed(GOOD).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.daily_target), ("Spring", 1000));
    assert_eq!(manifest.mailboxes[1], MailboxPattern::Tag("founders".into()));
    assert_eq!(manifest.opt_out, OPT_OUT);
    assert!(!manifest.opt_in && manifest.timezone.is_none() && manifest.holidays.is_empty());
    assert_eq!(
        (manifest.windows[0].opens(), manifest.windows[0].length()),
        ("0 0 9 * * Mon-Fri", 8 * HOUR)
    );
    let step = |template: &str, wait, line| StepManifest { template: template.into(), wait, line };
    assert_eq!(
        manifest.steps,
        [step("steps/1-intro.hbs", None, 6), step("steps/2-nudge.hbs", Some(Wait::Days(3)), 8)]
    );
}

#[test]
fn several_windows_holidays_and_the_rest() {
    let text = GOOD.replace(
        "window = { opens = \"0 0 9 * * Mon-Fri\", length = \"8h\" }\n",
        "window = [{ opens = \"0 0 9 * * Mon-Fri\", length = \"3h\" }, { opens = \"0 14 * * Mon-Fri\", length = \"3h\" }]\n\
         holidays = [\"2026-12-25\", 2026-12-26]\ntimezone = \"Europe/Berlin\"\nopt_out = \"Sag einfach nein.\"\nopt_in = true\n",
    );
    let manifest = parsed(&text).unwrap();
    assert_eq!((manifest.windows.len(), manifest.holidays.len()), (2, 2));
    assert_eq!(manifest.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!((manifest.opt_out.as_str(), manifest.opt_in), ("Sag einfach nein.", true));
}

#[test]
fn bad_manifests_say_what_to_do() {
    check("name = \"Spring\"\n", "", &["1: `name` is missing"]);
    check("\"Spring\"", "\" \"", &["1: `name`: is empty; say it in a few words"]);
    check(
        "1000",
        "0",
        &["2: `daily_target` must be a whole number from 1 to 1000000, not the number 0"],
    );
    check(
        "1000",
        "\"many\"",
        &["2: `daily_target` must be a whole number from 1 to 1000000, not the text \"many\""],
    );
    check(
        "daily_target",
        "daily_tarket",
        &[
            "1: `daily_target` is missing",
            "2: unknown key `daily_tarket`; did you mean `daily_target`?",
        ],
    );
    check(
        "[\"*@example.com\", \"tag:founders\"]",
        "[]",
        &[
            "3: `mailboxes` is empty, so nobody could carry the campaign; name one, or `*@example.com`",
        ],
    );
    check(
        "*@example.com",
        "everybody",
        &[
            "3: `everybody` is no mailbox; write an address, a pattern such as `*@example.com`, or `tag:NAME`",
        ],
    );
    check("tag:founders", "tag:", &["3: `tag:` names no tag; write e.g. `tag:founders`"]);
    check(
        "list_source = \"Chamber of commerce directory, 2026-09-01\"\n",
        "",
        &["1: `list_source` is missing"],
    );
    check(
        "Chamber of commerce directory, 2026-09-01",
        "",
        &["4: `list_source`: is empty; say it in a few words"],
    );
}

#[test]
fn bad_windows_days_and_sentences_say_what_to_do() {
    check(
        "0 0 9 * * Mon-Fri",
        "0 0 9 31 2 *",
        &["5: `0 0 9 31 2 *` never opens: no such day exists"],
    );
    check(
        "8h",
        "0h",
        &["5: the window `0 0 9 * * Mon-Fri` has no length; say how long it stays open, e.g. `8h`"],
    );
    check(
        "length = \"8h\"",
        "lenght = \"8h\"",
        &[
            "5: `length` is missing in [window]",
            "5: unknown key `lenght` in [window]; did you mean `length`?",
        ],
    );
    check(
        "window = { opens = \"0 0 9 * * Mon-Fri\", length = \"8h\" }\n",
        "",
        &[
            "1: `window` is missing: say when people may be written to, e.g. window = { opens = \"0 0 9 * * Mon-Fri\", length = \"8h\" }",
        ],
    );
    check(
        "{ opens = \"0 0 9 * * Mon-Fri\", length = \"8h\" }",
        "[]",
        &[
            "1: `window` is missing: say when people may be written to, e.g. window = { opens = \"0 0 9 * * Mon-Fri\", length = \"8h\" }",
        ],
    );
    check(
        "[[step]]\n",
        "timezone = \"America/NewYork\"\n[[step]]\n",
        &[
            "6: `timezone`: `America/NewYork` is no time zone of the IANA database; did you mean `America/New_York`?",
        ],
    );
    check(
        "[[step]]\n",
        "holidays = [\"Christmas\", 7]\n[[step]]\n",
        &[
            "6: the number 7 is no day; write year, month, day: \"2026-12-25\"",
            "6: the text \"Christmas\" is no day; write year, month, day: \"2026-12-25\"",
        ],
    );
    check(
        "[[step]]\n",
        "opt_out = \"{{x}}\"\n[[step]]\n",
        &["6: `opt_out`: is one sentence for everybody; it takes no values"],
    );
    check("name =", "name = =", &["1: this is not TOML: extra `=`, expected nothing (column 8)"]);
}

#[test]
fn bad_steps_say_what_to_do() {
    check(
        "\"3d\"",
        "\"1d\"",
        &[
            "10: `wait = \"1d\"` is less than the 2d that lie between two messages to one person; wait longer",
        ],
    );
    check(
        "\"3d\"",
        "\"soon\"",
        &[
            "10: `wait` in step[2]: `soon` is no wait; write days `3d`, business days `2bd` or hours `6h`, at most 365 days",
        ],
    );
    check(
        "wait = \"3d\"\n",
        "",
        &["8: `wait` is missing in step[2]: say how long after the step before, e.g. \"3d\""],
    );
    check(
        "[[step]]\n",
        "[[step]]\nwait = \"3d\"\n",
        &["7: the first step waits for nothing; leave its `wait` out"],
    );
    check("template = \"steps/2-nudge.hbs\"\n", "", &["8: `template` is missing in step[2]"]);
    check(
        "steps/2-nudge.hbs",
        "../2.hbs",
        &[
            "9: `template` in step[2]: `../2.hbs` leads out of the campaign's folder; write e.g. `steps/1-intro.hbs`",
        ],
    );
    check(
        "steps/2-nudge.hbs",
        "/etc/passwd",
        &[
            "9: `template` in step[2]: `/etc/passwd` leads out of the campaign's folder; write e.g. `steps/1-intro.hbs`",
        ],
    );
    check(
        "steps/2-nudge.hbs",
        "steps/2-nudge.txt",
        &["9: `template` in step[2]: `steps/2-nudge.txt` is no template; its name ends in `.hbs`"],
    );
    let stepless = GOOD.split("[[step]]").next().unwrap();
    assert_eq!(
        parsed(stepless).unwrap_err(),
        [
            "campaign.toml:1: `step` is missing: a campaign has at least one [[step]] with a `template`"
        ]
    );
    let twelve = format!("{GOOD}{}", "[[step]]\ntemplate = \"x.hbs\"\nwait = \"3d\"\n".repeat(10));
    assert_eq!(
        parsed(&twelve).unwrap_err(),
        ["campaign.toml:35: 12 steps; 10 is the most: nobody answers the eleventh"]
    );
}

#[test]
fn patterns_mean_mailboxes() {
    #[track_caller]
    fn check(pattern: &str, want: bool) {
        let address = Address::parse("ann.lee@mail.example.com").unwrap();
        let tags = ["founders".to_owned()];
        assert_eq!(
            MailboxPattern::parse(pattern).unwrap().matches(&address, &tags),
            want,
            "{pattern}"
        );
    }
    check("ann.lee@mail.example.com", true);
    check("Ann.Lee@Mail.Example.com", true);
    check("*@mail.example.com", true);
    check("*@*example.com", true);
    check("*@*", true);
    check("a*e@*", true);
    check("*lee@*.com", true);
    check("*@example.com", false);
    check("ann@mail.example.com", false);
    check("ann.lee@mail.example.co", false);
    check("ann.lee*.lee@mail.example.com", false);
    check("tag:founders", true);
    check("tag: founders", true);
    check("tag:sales", false);
}
