//! What to click or to run where a server refuses a mailbox: an ordered table kept as data.
//!
//! `cures.csv` stands beside the rules: those say what an answer means for the machine, these what
//! it means for whoever has to mend it. What an IMAP server says has no reply code; its rows ask
//! for that. Knows no cure for what is the recipient's doing.

use std::sync::LazyLock;

use serde::Deserialize;

use super::rulebook::{Pattern, Wants, patterns, phases, phrases, seen, words};
use super::{Answer, Phase};
use crate::cells::yes_or_no;

/// What is wrong with a mailbox's way to its server, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Cure {
    /// What it is called.
    pub name: String,
    /// Whose answers it knows, any of these; nobody named: anybody's.
    #[serde(deserialize_with = "words")]
    providers: Vec<String>,
    /// In which phases, any of these; none named: in any.
    #[serde(deserialize_with = "phases")]
    phases: Vec<Phase>,
    /// How the reply code begins, any of these; `none` for IMAP, which has none.
    #[serde(deserialize_with = "words")]
    codes: Vec<String>,
    /// The enhanced code, any of these; none named: with or without one.
    #[serde(deserialize_with = "patterns")]
    enhanced: Vec<Pattern>,
    /// What the text holds, any of these; none named: anything.
    #[serde(deserialize_with = "phrases")]
    text: Vec<String>,
    /// Whether it speaks of a password, so that whoever logs in by tokens is told something else.
    #[serde(deserialize_with = "yes_or_no")]
    pub password: bool,
    /// What is wrong, in a sentence.
    pub wrong: String,
    /// What to do about it, `ADDRESS` standing for the mailbox.
    cure: String,
    /// An answer that hits this row and none before it: the phase, then the answer.
    example: String,
    /// The public page the row was made from.
    pub source: String,
}

impl Cure {
    /// What to do about it, for a mailbox that is known or for any.
    #[must_use]
    pub fn to_do(&self, address: Option<&str>) -> String {
        address.map_or_else(|| self.cure.clone(), |address| self.cure.replace("ADDRESS", address))
    }

    fn wants(&self) -> Wants<'_> {
        let Self { providers, phases, codes, enhanced, text, .. } = self;
        Wants { providers, phases, codes, enhanced, text }
    }
}

/// What mends that a server gave this answer, if that is a mailbox's to mend. What an IMAP server
/// says is an answer at [`Phase::Auth`] with the code 0.
#[must_use]
pub fn cure(answer: &Answer, provider: Option<&str>) -> Option<&'static Cure> {
    // A report speaks for the recipient's server, and an acceptance needs no cure.
    if answer.phase == Phase::Ndr || matches!(answer.code, 200..400) {
        return None;
    }
    let seen = seen(answer, provider);
    CURES.iter().find(|cure| cure.wants().fit(&seen))
}

/// Whose answers any row knows.
pub(super) fn providers() -> impl Iterator<Item = &'static String> {
    CURES.iter().flat_map(|cure| &cure.providers)
}

static CURES: LazyLock<Vec<Cure>> = LazyLock::new(|| {
    let rows = csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize();
    rows.collect::<Result<_, _>>().expect("the table is built in, and a test reads it")
});

const TABLE: &str = include_str!("cures.csv");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Action, classify};
    use super::*;

    #[test]
    fn every_row_is_hit_by_its_example_and_no_row_stands_before_it() {
        for row in CURES.iter() {
            let (phase, said) = row.example.split_once(' ').unwrap();
            let answer = Answer::parse(Phase::from_word(phase).unwrap(), said);
            let hit = cure(&answer, row.providers.first().map(String::as_str));
            let hit = hit.map(|hit| hit.name.as_str());
            assert_eq!(hit, Some(row.name.as_str()), "{}", row.example);
        }
    }

    #[test]
    fn every_row_says_what_is_wrong_what_to_do_and_who_says_so() {
        let mut seen = BTreeSet::new();
        for row in CURES.iter() {
            assert!(seen.insert(&row.name), "{} is named twice", row.name);
            assert!(row.wrong.ends_with('.') && row.cure.ends_with('.'), "{}", row.name);
            assert!(!row.source.is_empty(), "{} has no source", row.name);
            assert!(!row.to_do(Some("ann@one.example")).contains("ADDRESS"), "{}", row.name);
        }
    }

    #[test]
    fn whatever_calls_for_an_operator_before_mail_has_a_cure() {
        #[derive(serde::Deserialize)]
        struct Known {
            provider: String,
            phase: String,
            answer: String,
        }
        let corpus = include_str!("corpus.csv");
        let known: Result<Vec<Known>, _> =
            csv::Reader::from_reader(corpus.as_bytes()).into_deserialize().collect();
        let mut tried = 0;
        for Known { provider, phase, answer } in known.unwrap() {
            let answer = Answer::parse(Phase::from_word(&phase).unwrap(), &answer);
            let asks = classify(&answer, Some(&provider)).action;
            // Nobody submits mail to the servers that take it for others.
            let is_before_mail = !provider.ends_with("-mx")
                && !matches!(answer.phase, Phase::Data | Phase::Eod | Phase::Ndr);
            if is_before_mail
                && matches!(asks, Action::FixCredentials | Action::FixConfig | Action::PauseMailbox)
            {
                tried += 1;
                assert!(cure(&answer, Some(&provider)).is_some(), "{provider}: {answer}");
            }
        }
        assert!(tried > 20, "{tried}");
    }

    #[test]
    fn an_answer_without_a_mailbox_to_blame_has_none() {
        #[track_caller]
        fn check(phase: Phase, said: &str) {
            assert_eq!(cure(&Answer::parse(phase, said), None), None, "{said}");
        }
        check(Phase::Rcpt, "550 5.1.1 User unknown");
        check(Phase::Eod, "250 2.0.0 OK");
        check(Phase::Ndr, "535 5.7.8 Error: authentication failed");
        check(Phase::Rcpt, "451 4.7.1 Greylisted, try again later");
        check(Phase::Rcpt, "551 5.7.1 The sender is blocked by the recipient");
        check(Phase::Rcpt, "554 5.7.1 Sender address [a@b.test] blocked using dbl.spamhaus.org");
        check(Phase::Mail, "503 5.5.1 Error: send HELO/EHLO first");
        check(Phase::StartTls, "454 4.7.0 TLS not available due to temporary reason");
    }
}
