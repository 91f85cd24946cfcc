//! The safety rules.

use warmfront_core::span::DAY;

use super::*;

#[test]
fn caps() {
    check_ann(
        "cap = 80",
        &[
            "w.toml:5: `cap` in mailbox[1] is 80, above 10 % of the limit of `gmail`, 500 messages a day; write at most 50, or add `override = true`",
        ],
    );
    check_ann("cap = 80\noverride = true", &[]);
    check_ann("cap = 500\noverride = true", &[]);
    check_ann(
        "cap = 501\noverride = true",
        &[
            "w.toml:5: `cap` in mailbox[1] is 501, above the whole limit of `gmail`, 500 messages a day; write at most 50; no override goes beyond a provider's limit",
        ],
    );
    check_ann(
        "cap = 0",
        &[
            "w.toml:5: `cap` in mailbox[1] must be a whole number from 1 to 100000, not the number 0",
        ],
    );
    check_ann(
        "cap = \"50\"",
        &[
            "w.toml:5: `cap` in mailbox[1] must be a whole number from 1 to 100000, not the text \"50\"",
        ],
    );
}

#[test]
fn a_mistake_in_the_defaults_is_told_once_and_where_it_stands() {
    let text = "[defaults]\ncap = 80\n";
    let two = format!("{text}{}{}", ann(""), ann("").replace("ann@", "bob@"));
    check(
        &two,
        &[
            "w.toml:2: `cap` in [defaults] is 80, above 10 % of the limit of `gmail`, 500 messages a day; write at most 50, or add `override = true`",
        ],
    );
    check(&format!("{text}override = true\n{}", ann("")), &[]);
    check(&format!("{text}{}", ann("override = true")), &[]);
    check(&format!("{text}{}", ann("cap = 50")), &[]);
    // An override covers what stands beside it, not what a mailbox says for itself.
    check(
        &format!("[defaults]\noverride = true\n{}", ann("gap = \"1m\"")),
        &[
            "w.toml:7: `gap` in mailbox[1] is 1m, below 4m; write at least \"4m\", or add `override = true`",
        ],
    );
}

#[test]
fn nobody_is_refused_for_a_cap_nobody_wrote() {
    let ses = ann("smtp = { host = \"email-smtp.eu-west-1.amazonaws.com\" }")
        .replace("gmail", "amazon-ses");
    assert_eq!(loaded(&ses).mailboxes[0].cap, 20);
    assert_eq!(loaded(&ann("")).mailboxes[0].cap, 50);
}

#[test]
fn gaps_paces_and_windows() {
    check_ann(
        "gap = \"30s\"",
        &[
            "w.toml:5: `gap` in mailbox[1] is 30s, below 4m; write at least \"4m\", or add `override = true`",
        ],
    );
    check_ann(
        "gap = \"0s\"",
        &[
            "w.toml:5: `gap` in mailbox[1] is 0s, below 4m; write at least \"4m\", or add `override = true`",
        ],
    );
    check_ann("gap = \"0s\"\noverride = true", &[]);
    check_ann(
        "gap = \"often\"",
        &[
            "w.toml:5: `gap` in mailbox[1]: `often` is no length of time; write a number and a unit: `90s`, `4m`, `8h`, `14d`",
        ],
    );
    check_ann(
        "pace = \"asap\"",
        &[
            "w.toml:5: `pace = \"asap\"` in mailbox[1] bunches the day's messages; write \"even\", or add `override = true`",
        ],
    );
    check_ann("pace = \"asap\"\noverride = true", &[]);
    check_ann(
        "pace = \"fast\"",
        &["w.toml:5: `pace` in mailbox[1]: `fast` is no pace; write \"even\" or \"asap\""],
    );
    check_ann(
        "window = { opens = \"0 0 0 * * *\", length = \"24h\" }",
        &[
            "w.toml:5: `window` in mailbox[1] is open for 24h; nobody writes round the clock: shorten it, or add `override = true`",
        ],
    );
    check_ann("window = { opens = \"0 0 0 * * *\", length = \"24h\" }\noverride = true", &[]);
    check_ann(
        "window = { opens = \"0 0 9 * * 1-5\", length = \"8h\" }",
        &[
            "w.toml:5: the window in mailbox[1].window: `0 0 9 * * 1-5`: write week days by name (`Mon-Fri`); crontab counts Sunday as 0, Quartz as 1",
        ],
    );
    check_ann(
        "window = [{ opens = \"0 0 9 * * *\", length = \"3h\" }, { opens = \"0 0 14 * * *\", lenght = \"3h\" }]",
        &[
            "w.toml:5: `length` is missing in mailbox[1].window[2]",
            "w.toml:5: unknown key `lenght` in mailbox[1].window[2]; did you mean `length`?",
        ],
    );
    check_ann(
        "timezone = \"America/NewYork\"",
        &[
            "w.toml:5: `timezone` in mailbox[1]: `America/NewYork` is no time zone of the IANA database; did you mean `America/New_York`?",
        ],
    );
}

#[test]
fn curves() {
    const WANTED: &str = "must be a ramp { start = 5, step = 2 }, a table of whole numbers above 0 that never falls, such as [5, 7, 10], or \"off\", not";
    check_ann(
        "warmup = \"off\"",
        &[
            "w.toml:5: `warmup = \"off\"` in mailbox[1] sends the whole cap from the first day; write a curve such as { start = 5, step = 2 }, or add `override = true`",
        ],
    );
    check_ann("warmup = \"off\"\noverride = true", &[]);
    for (value, found) in [
        ("[5, 9, 7]", "a list"),
        ("[0, 5]", "a list"),
        ("[]", "a list"),
        ("[5, \"7\"]", "a list"),
        ("[5, -7]", "a list"),
        ("7", "the number 7"),
        ("\"none\"", "the text \"none\""),
    ] {
        let want = format!("w.toml:5: `warmup` in mailbox[1] {WANTED} {found}");
        check_ann(&format!("warmup = {value}"), &[&want]);
    }
    check_ann("warmup = { step = 2 }", &["w.toml:5: `start` is missing in mailbox[1].warmup"]);
    for value in ["{ start = 5 }", "{ start = 5, step = 2, growth_percent = 20 }"] {
        check_ann(
            &format!("warmup = {value}"),
            &["w.toml:5: say `step` or `growth_percent` in mailbox[1].warmup, one of them"],
        );
    }
    check_ann(
        "warmup = { start = 5, setp = 2 }",
        &[
            "w.toml:5: say `step` or `growth_percent` in mailbox[1].warmup, one of them",
            "w.toml:5: unknown key `setp` in mailbox[1].warmup; did you mean `step`?",
        ],
    );
    let curve = |value: &str| loaded(&ann(&format!("warmup = {value}"))).mailboxes[0].curve.clone();
    assert_eq!(curve("{ start = 3, step = 1 }"), Curve::Linear { start: 3, step: 1 });
    assert_eq!(
        curve("{ start = 5, growth_percent = 20 }"),
        Curve::Growth { start: 5, percent: 20 }
    );
    assert_eq!(curve("[5, 7, 7, 10]"), Curve::Table(vec![5, 7, 7, 10]));
}

#[test]
fn thresholds_loosen_only_by_an_override_beside_them() {
    let tail = "; tighten it, or add `override = true` beside it";
    for (line, what) in [
        ("sender_rejections = 11", "`sender_rejections` in [health] is 11, above 10"),
        ("hard_bounces = 4", "`hard_bounces` in [health] is 4, above 3"),
        ("bounce_rate = 3", "`bounce_rate` in [health] is 3, above 2"),
        ("list_bounce_rate = 6", "`list_bounce_rate` in [health] is 6, above 5"),
        ("first_pause = \"23h\"", "`first_pause` in [health] is 23h, below 1d"),
        ("second_pause = \"6d\"", "`second_pause` in [health] is 6d, below 7d"),
        ("last_messages = 19", "`last_messages` in [health] is 19, below 20"),
        ("bounce_window = \"6d\"", "`bounce_window` in [health] is 6d, below 7d"),
        ("list_messages = 21", "`list_messages` in [health] is 21, above 20"),
        ("repeat_window = \"13d\"", "`repeat_window` in [health] is 13d, below 14d"),
        ("spread_mailboxes = 3", "`spread_mailboxes` in [health] is 3, above 2"),
        ("spread_window = \"23h\"", "`spread_window` in [health] is 23h, below 1d"),
        ("slow_for = \"59m\"", "`slow_for` in [health] is 59m, below 1h"),
    ] {
        check(&format!("[health]\n{line}\n"), &[&format!("w.toml:2: {what}{tail}")]);
        check(&format!("[health]\n{line}\noverride = true\n"), &[]);
    }
    let strict = "[health]\nsender_rejections = 5\nhard_bounces = 2\nlast_messages = 40\n\
                  bounce_rate = 1\nbounce_window = \"14d\"\nlist_bounce_rate = 2\n\
                  list_messages = 10\nfirst_pause = \"2d\"\nsecond_pause = \"30d\"\n\
                  repeat_window = \"60d\"\nspread_mailboxes = 1\nspread_window = \"3d\"\n\
                  slow_for = \"2h\"\n";
    let want = Thresholds {
        sender_rejections: 5,
        hard_bounces: 2,
        last_messages: 40,
        bounce_rate: 1,
        bounce_window: 14 * DAY,
        list_bounce_rate: 2,
        list_messages: 10,
        first_pause: 2 * DAY,
        second_pause: 30 * DAY,
        repeat_window: 60 * DAY,
        spread_mailboxes: 1,
        spread_window: 3 * DAY,
        slow_for: 2 * HOUR,
    };
    assert_eq!(loaded(strict).thresholds, want);
    assert_eq!(loaded("").thresholds, Thresholds::default());
}

#[test]
fn limits_loosen_only_by_an_override_beside_them() {
    let tail = "; tighten it, or add `override = true` beside it";
    for (line, what) in [
        ("company_per_day = 3", "`company_per_day` in [limits] is 3, above 2"),
        ("person_gap = \"47h\"", "`person_gap` in [limits] is 1d23h, below 2d"),
        ("domain_per_day = 4001", "`domain_per_day` in [limits] is 4001, above 4000"),
    ] {
        check(&format!("[limits]\n{line}\n"), &[&format!("w.toml:2: {what}{tail}")]);
        check(&format!("[limits]\n{line}\noverride = true\n"), &[]);
        // One beside other things does not count.
        let elsewhere = format!("[defaults]\noverride = true\n[limits]\n{line}\n");
        check(&elsewhere, &[&format!("w.toml:4: {what}{tail}")]);
    }
    let tight = loaded("[limits]\ncompany_per_day = 1\nperson_gap = \"3d\"\ndomain_per_day = 10\n");
    assert_eq!(
        tight.limits,
        Limits { company_per_day: 1, person_gap: 72 * HOUR, domain_per_day: 10 }
    );
}

#[test]
fn what_a_safety_rule_forbids_is_told_from_a_mistake() {
    #[track_caller]
    fn check(text: &str, severity: Severity) {
        let problems = parse(Path::new("w.toml"), text).unwrap_err();
        let forbidding: Vec<_> =
            problems.iter().filter(|problem| problem.severity != Severity::Warning).collect();
        assert!(!forbidding.is_empty(), "{text}");
        assert!(forbidding.iter().all(|problem| problem.severity == severity), "{forbidding:?}");
    }
    for more in [
        "cap = 80",
        "cap = 501\noverride = true",
        "gap = \"30s\"",
        "pace = \"asap\"",
        "warmup = \"off\"",
        "window = { opens = \"0 0 0 * * *\", length = \"24h\" }",
        "smtp = { host = \"mail.x.example\", tls = \"none\" }",
    ] {
        check(&ann(more), Severity::Refusal);
    }
    check("[limits]\nperson_gap = \"47h\"\n", Severity::Refusal);
    check(&ann("").replace("gmail", "m365-hve"), Severity::Refusal);
    for more in ["cap = 0", "gap = \"often\"", "pace = \"fast\"", "colour = 1"] {
        check(&ann(more), Severity::Error);
    }
}
