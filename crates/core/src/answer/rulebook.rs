//! The rules by which answers are judged: an ordered table kept as data.
//!
//! `rules.csv` says what each rule wants (provider, phases, codes, enhanced codes, text: all that
//! it names must fit), what it decides, an answer that no earlier rule takes, and the public page
//! it was made from. Learns nothing: a rule is added by whoever read the page.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use super::{Action, Answer, Enhanced, Phase, Scope, cure, reading};
use crate::problem;
use crate::provider::Presets;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// Whose answers it knows, any of these; nobody named: anybody's.
    #[serde(deserialize_with = "words")]
    providers: Vec<String>,
    /// In which phases, any of these; none named: in any.
    #[serde(deserialize_with = "phases")]
    phases: Vec<Phase>,
    /// How the reply code begins, any of these; none named: anyhow.
    #[serde(deserialize_with = "words")]
    codes: Vec<String>,
    /// The enhanced code, any of these; none named: with or without one.
    #[serde(deserialize_with = "patterns")]
    enhanced: Vec<Pattern>,
    /// What the text holds, any of these; none named: anything.
    #[serde(deserialize_with = "phrases")]
    text: Vec<String>,
    /// Whom the answer concerns.
    pub scope: Scope,
    /// What to do.
    pub action: Action,
    /// What scope and action do not say.
    pub mark: Option<Mark>,
    /// An answer that hits this rule and none before it: the phase, then the answer.
    pub example: String,
    /// The public page the rule was made from.
    pub source: String,
}

/// What scope and action do not say of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The server called the message spam.
    Spam,
    /// Somebody's policy refuses us: the sender, not an address that does not exist.
    Policy,
    /// A limit is reached that time gives back; nobody has to mend anything.
    Quota,
    /// No rule knows the answer: it fell to the safe side.
    Unknown,
}

impl Mark {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Policy => "policy",
            Self::Quota => "quota",
            Self::Unknown => "unknown",
        }
    }
}

/// Enhanced codes of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    class: Option<u16>,
    subject: u16,
    detail: Option<(u16, u16)>,
}

impl Pattern {
    /// `5.7.1`, `x.7.1` for both classes, `x.7.x` for every detail, `x.7.500-699` for a range.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let class = parts.next()?;
        let subject = parts.next()?.parse().ok()?;
        let detail = parts.next()?;
        let class = if class == "x" { None } else { Some(class.parse().ok()?) };
        let (from, to) = detail.split_once('-').unwrap_or((detail, detail));
        let detail =
            if detail == "x" { None } else { Some((from.parse().ok()?, to.parse().ok()?)) };
        parts.next().is_none().then_some(Self { class, subject, detail })
    }

    fn fits(self, code: Enhanced) -> bool {
        self.class.is_none_or(|class| class == code.class)
            && self.subject == code.subject
            && self.detail.is_none_or(|(from, to)| (from..=to).contains(&code.detail))
    }
}

/// An answer as rules see it.
pub(super) struct Seen {
    phase: Phase,
    code: String,
    enhanced: Option<Enhanced>,
    text: String,
    provider: Option<String>,
}

/// What a row of a table wants of an answer: all that it names must fit.
pub(super) struct Wants<'a> {
    pub(super) providers: &'a [String],
    pub(super) phases: &'a [Phase],
    pub(super) codes: &'a [String],
    pub(super) enhanced: &'a [Pattern],
    pub(super) text: &'a [String],
}

impl Wants<'_> {
    pub(super) fn fit(&self, seen: &Seen) -> bool {
        let none_or = |empty, fits| empty || fits;
        none_or(self.phases.is_empty(), self.phases.contains(&seen.phase))
            && none_or(self.codes.is_empty(), self.codes.iter().any(|c| seen.code.starts_with(c)))
            && none_or(
                self.providers.is_empty(),
                seen.provider.as_ref().is_some_and(|name| knows(self.providers, name)),
            )
            && none_or(
                self.enhanced.is_empty(),
                seen.enhanced.is_some_and(|code| self.enhanced.iter().any(|p| p.fits(code))),
            )
            && none_or(
                self.text.is_empty(),
                self.text.iter().any(|phrase| holds(&seen.text, phrase)),
            )
    }
}

impl Rule {
    /// The answer that hits this rule and none before it.
    #[must_use]
    pub fn example(&self) -> Answer {
        let (phase, written) = self.example.split_once(' ').unwrap_or((&self.example, ""));
        Answer::parse(Phase::from_word(phase).unwrap_or(Phase::Ndr), written)
    }

    /// A provider whose answers it knows; `None`: anybody's.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.providers.first().map(String::as_str)
    }

    fn wants(&self) -> Wants<'_> {
        let Self { providers, phases, codes, enhanced, text, .. } = self;
        Wants { providers, phases, codes, enhanced, text }
    }
}

/// Whether a row's provider is meant: the very one, or the house it belongs to (`gmail` is `gmail-mx`
/// too).
fn knows(providers: &[String], provider: &str) -> bool {
    providers.iter().any(|known| {
        let rest = provider.strip_prefix(known.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

/// Every rule, in the order in which they are asked.
#[must_use]
pub fn rules() -> &'static [Rule] {
    &RULES
}

/// Whether a provider of this name is known to presets, rules or cures, or as one whose answers the
/// general rules were made from.
#[must_use]
pub fn is_provider(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let (presets, houses) = (Presets::load(), houses());
    let is_part = |service: &&str| {
        let house = name.strip_suffix(*service).and_then(|rest| rest.strip_suffix('-'));
        house.is_some_and(|house| houses.contains(house))
    };
    presets.find(&name).is_some()
        || ALIASES.iter().any(|(alias, known)| name == *alias || name == *known)
        || houses.contains(name.as_str())
        || SERVICES.iter().any(is_part)
}

/// The provider that was probably meant.
#[must_use]
pub fn nearest_provider(name: &str) -> Option<String> {
    let presets = Presets::load();
    let houses = houses();
    let rules = ALIASES.iter().flat_map(|(alias, known)| [*alias, *known]);
    let names = presets.names().chain(rules).chain(houses);
    problem::nearest(&name.trim().to_ascii_lowercase(), names).map(str::to_owned)
}

/// Whom rules and cures name, and others of whom only general rules tell.
fn houses() -> BTreeSet<&'static str> {
    let rules = RULES.iter().flat_map(|rule| &rule.providers);
    rules.chain(cure::providers()).map(String::as_str).chain(OTHERS).collect()
}

/// The rule that decides.
pub(super) fn first_that_fits(answer: &Answer, provider: Option<&str>) -> &'static Rule {
    let seen = seen(answer, provider);
    RULES
        .iter()
        .find(|rule| rule.wants().fit(&seen))
        .expect("the last rule wants nothing, and a test sees to it")
}

/// An answer as rules see it, given whose server gave it.
pub(super) fn seen(answer: &Answer, provider: Option<&str>) -> Seen {
    Seen {
        phase: answer.phase,
        code: match (answer.code, answer.phase) {
            // What a report tells without a code is a failure: else nobody had reported it.
            (0, Phase::Ndr) => "550".to_owned(),
            (0, _) => NO_CODE.to_owned(),
            (code, _) => code.to_string(),
        },
        enhanced: answer.enhanced,
        text: reading::words(answer.code, &answer.text),
        provider: provider.map(canonical),
    }
}

/// The name by which rules call a provider.
fn canonical(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, known)| (*known).to_owned())
}

/// Whether a text holds a phrase, `*` in it standing for anything between.
fn holds(text: &str, phrase: &str) -> bool {
    let mut rest = text;
    phrase.split('*').all(|part| {
        let at = rest.find(part);
        at.map(|at| rest = &rest[at + part.len()..]).is_some()
    })
}

/// A cell of words with blanks between.
pub(super) fn words<'de, D: Deserializer<'de>>(cell: D) -> Result<Vec<String>, D::Error> {
    Ok(String::deserialize(cell)?.split_whitespace().map(str::to_owned).collect())
}

pub(super) fn phases<'de, D: Deserializer<'de>>(cell: D) -> Result<Vec<Phase>, D::Error> {
    let parse = |word: &String| {
        Phase::from_word(word).ok_or_else(|| D::Error::custom(format!("no phase `{word}`")))
    };
    words(cell)?.iter().map(parse).collect()
}

pub(super) fn patterns<'de, D: Deserializer<'de>>(cell: D) -> Result<Vec<Pattern>, D::Error> {
    let parse = |word: &String| {
        Pattern::parse(word).ok_or_else(|| D::Error::custom(format!("no enhanced code `{word}`")))
    };
    words(cell)?.iter().map(parse).collect()
}

/// A cell of phrases with `|` between; blanks within one count.
pub(super) fn phrases<'de, D: Deserializer<'de>>(cell: D) -> Result<Vec<String>, D::Error> {
    let cell = String::deserialize(cell)?;
    Ok(cell.split('|').filter(|phrase| !phrase.is_empty()).map(str::to_owned).collect())
}

/// How a rule calls what has no reply code.
const NO_CODE: &str = "none";

/// Servers of whose answers general rules were made, beside those that rules and cures name.
const OTHERS: [&str; 16] = [
    "barracuda",
    "cisco",
    "cloudflare",
    "comcast",
    "cox",
    "exim",
    "generic",
    "m365",
    "mimecast",
    "orange",
    "outlookcom",
    "postfix",
    "proofpoint",
    "qmail",
    "sendmail",
    "tonline",
];

/// What a name may say behind the house: which of its servers answered.
const SERVICES: [&str; 5] = ["mx", "submission", "relay", "ndr", "directsend"];

/// Presets (`providers.csv`) and other names that rules call differently.
const ALIASES: [(&str, &str); 13] = [
    ("microsoft365", "m365-submission"),
    ("m365-smtp-auth", "m365-submission"),
    ("m365-direct-send", "m365-directsend"),
    ("m365-relay-connector", "m365-relay"),
    ("outlook-consumer", "outlookcom-submission"),
    ("google", "gmail-submission"),
    ("google-workspace", "gmail-submission"),
    ("google-trial", "gmail-submission"),
    ("gmail-consumer", "gmail-submission"),
    ("google-smtp-relay", "gmail-relay"),
    ("aol", "yahoo-submission"),
    ("amazon-ses", "ses"),
    ("local-mta", "postfix"),
];

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rows = csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize();
    rows.collect::<Result<_, _>>().expect("the table is built in, and a test reads it")
});

const TABLE: &str = include_str!("rules.csv");
