//! Every rule by its own example, real answers that no rule was copied from, and the safe side.

use std::collections::BTreeSet;

use super::*;

/// Real answers in public sources, and what they are taken to mean.
#[derive(Debug, Deserialize)]
struct Known {
    provider: String,
    phase: String,
    answer: String,
    scope: Scope,
    action: Action,
    source: String,
}

fn corpus() -> Vec<Known> {
    let rows = csv::Reader::from_reader(include_str!("corpus.csv").as_bytes()).into_deserialize();
    rows.collect::<Result<_, _>>().unwrap()
}

fn phase(word: &str) -> Phase {
    Phase::from_word(word).unwrap_or_else(|| panic!("no phase `{word}`"))
}

#[test]
fn every_rule_is_hit_by_its_example_and_no_rule_stands_before_it() {
    for rule in rules() {
        let hit = classify(&rule.example(), rule.provider()).rule;
        assert_eq!(hit.name, rule.name, "the example of {}: {}", rule.name, rule.example);
    }
}

#[test]
fn every_rule_has_a_name_of_its_own_and_a_source() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        assert!(seen.insert(&rule.name), "{} is named twice", rule.name);
        assert!(!rule.source.is_empty(), "{} has no source", rule.name);
        assert!(rule.example.contains(' '), "{} has no example", rule.name);
    }
    assert!(seen.len() > 100);
}

#[test]
fn real_answers_mean_what_they_are_taken_to_mean() {
    let corpus = corpus();
    assert!(corpus.len() > 200);
    for known in corpus {
        let answer = Answer::parse(phase(&known.phase), &known.answer);
        let got = classify(&answer, Some(&known.provider));
        let rule = &got.rule.name;
        assert_eq!((got.scope, got.action), (known.scope, known.action), "{rule}: {known:?}");
        assert!(!known.source.is_empty(), "{known:?}");
    }
}

#[test]
fn a_provider_is_known_by_all_its_names_and_no_other() {
    let presets = crate::provider::Presets::load();
    let corpus = corpus();
    let known = corpus.iter().map(|known| known.provider.as_str()).chain(presets.names());
    for name in known.chain(["Google-Workspace", "m365-hve", "gmail-relay", "socketlabs", "1und1"])
    {
        assert!(is_provider(name), "{name}");
    }
    for (name, near) in [
        ("microsft365", Some("microsoft365")),
        ("google-worksapce", Some("google-workspace")),
        ("nobody", None),
    ] {
        assert!(!is_provider(name), "{name}");
        let told = nearest_provider(name);
        assert!(near.is_none_or(|near| told.as_deref() == Some(near)), "{name}: {told:?}");
    }
}

/// Nobody is suppressed for what nobody understands, and something is always decided.
#[test]
fn whatever_a_server_says_is_judged_and_what_is_unknown_falls_to_the_safe_side() {
    let suppresses =
        |action| matches!(action, Action::SuppressRecipient | Action::SuppressRecipientDomain);
    for phase in Phase::ALL {
        for code in 0..1_000 {
            let got = classify(&Answer::new(phase, code, "what"), None);
            assert!(!(got.is_unknown() && suppresses(got.action)), "{code} at {phase:?}");
        }
    }
    for (phase, code) in [(Phase::Rcpt, 550), (Phase::Eod, 554), (Phase::Mail, 550)] {
        assert!(classify(&Answer::new(phase, code, "what"), None).is_unknown(), "{code}");
    }
}

/// Nothing before MAIL is about a person or a message, but for a host that takes no mail at all
/// (RFC 7504).
#[test]
fn nothing_before_mail_is_about_a_person_or_a_message() {
    for known in corpus() {
        for phase in [Phase::Connect, Phase::Ehlo, Phase::StartTls, Phase::Auth] {
            let got = classify(&Answer::parse(phase, &known.answer), Some(&known.provider));
            let is_ours = !matches!(got.scope, Scope::Recipient | Scope::Message);
            let excepted = matches!(got.action, Action::Accept | Action::SuppressRecipientDomain);
            assert!(is_ours || excepted, "{} at {phase:?}: {}", got.rule.name, known.answer);
        }
    }
}

#[test]
fn an_answer_means_the_same_however_its_lines_come() {
    #[track_caller]
    fn check(first: &str, second: &str) {
        let rule = |written| classify(&Answer::parse(Phase::Eod, written), None).rule.name.as_str();
        assert_eq!(rule(first), rule(second), "{first}");
    }
    let joined = "550 5.7.1 This message is likely unsolicited email. To reduce the amount";
    check(joined, "550-5.7.1 This message is\r\n550-5.7.1 likely unsolicited\r\n550 5.7.1 email.");
    check(joined, "550-5.7.1 This message is\\n550-5.7.1 likely unsolicited\\n550 5.7.1 email.");
    check(joined, "550 5.7.1 This message is 5.7.1 LIKELY  unsolicited 5.7.1 email.");
    check("550 no mailbox (#5.2.1)", "SMTP; 550 5.2.1 no mailbox");
}

/// Whose address is a word of ours must not be judged by it.
#[test]
fn an_address_decides_nothing() {
    let got = |text| classify(&Answer::parse(Phase::Rcpt, text), None).rule.name.as_str();
    let want = got("550 5.1.1 <ann@example.com>: no");
    assert_eq!(got("550 5.1.1 <blacklist@spam.rate.example>: no"), want);
}

#[test]
fn a_provider_is_known_by_each_of_its_names_and_an_unknown_one_by_general_rules() {
    #[track_caller]
    fn check(provider: &str, line: &str, want: (Scope, Action)) {
        let got = classify(&Answer::parse(Phase::Auth, line), Some(provider));
        assert_eq!((got.scope, got.action), want, "{provider}");
    }
    let refused = "535 no";
    check("ses", refused, (Scope::Tenant, Action::FixCredentials));
    check("Amazon-SES", refused, (Scope::Tenant, Action::FixCredentials));
    check("nobody-knows", refused, (Scope::Mailbox, Action::FixCredentials));
    assert!(is_provider("amazon-ses") && is_provider("gmail-mx"));
    assert!(!is_provider("nobody-knows"));
}

#[test]
fn what_is_shown_is_the_beginning_of_what_is_judged() {
    let long = format!("5.2.0 {} over quota", "x".repeat(10_000));
    let answer = Answer::new(Phase::Rcpt, 552, &long);
    assert_eq!(classify(&answer, None).action, Action::RetryLater);
    assert!(answer.to_string().len() < 5_000);
}

#[test]
fn an_answer_is_found_again_in_a_sentence_that_quotes_it() {
    #[track_caller]
    fn check(sentence: &str, want: Option<(Phase, u16, &str)>) {
        let found = Answer::quoted_in(sentence);
        let got = found.as_ref().map(|one| (one.phase, one.code, one.text.as_str()));
        assert_eq!(got, want, "{sentence}");
    }
    let said = "5.7.139 Authentication unsuccessful, 3 times.";
    let answer = Answer::new(Phase::Auth, 535, said);
    let sentence = format!("the server refused the log-in: {answer}; 550 and more");
    check(&sentence, Some((Phase::Auth, 535, said)));
    check(&answer.to_string(), Some((Phase::Auth, 535, said)));
    check("paused by the operator (at noon)", None);
    check("what somebody wrote (at auth)", None);
    check("535 no phase", None);
}
