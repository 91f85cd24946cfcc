//! The checks, what one comes to, and when a failure holds mail back.

use std::fmt;

use crate::span::{MINUTE, Millis, length_text};

/// One question about a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Whether there is such a domain.
    Exists,
    /// Whether SPF or DKIM can pass at all.
    Authentication,
    /// RFC 7208.
    Spf,
    /// RFC 6376.
    Dkim,
    /// RFC 9989.
    Dmarc,
    /// Whether answers can arrive.
    Mx,
    /// What large receivers ask of whoever sends much.
    Bulk,
    /// How long the domain is registered.
    Age,
    /// Whether a list of bad domains has it.
    Blocklist,
}

impl Check {
    /// Every check, in the order in which they are told.
    pub const ALL: [Self; 9] = [
        Self::Exists,
        Self::Authentication,
        Self::Spf,
        Self::Dkim,
        Self::Dmarc,
        Self::Mx,
        Self::Bulk,
        Self::Age,
        Self::Blocklist,
    ];

    /// The word for books and scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Authentication => "authentication",
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::Mx => "mx",
            Self::Bulk => "bulk",
            Self::Age => "age",
            Self::Blocklist => "blocklist",
        }
    }
}

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Pass,
    /// Something ought to be mended; mail leaves all the same.
    Warn,
    /// First messages wait once it has stood for the grace.
    Fail,
    /// Nobody could tell.
    Unknown,
}

impl Verdict {
    /// The word for books and scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }

    /// The verdict of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Pass, Self::Warn, Self::Fail, Self::Unknown].into_iter().find(|v| v.as_str() == word)
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// What it comes to.
    pub verdict: Verdict,
    /// What was found, for people.
    pub what: String,
    /// What mends it, where there is something to mend.
    pub cure: Option<Cure>,
}

/// What mends a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cure {
    /// What to do.
    pub text: String,
    /// The record to publish, where there is one.
    pub records: Vec<Record>,
}

impl Cure {
    /// What to do, where no record says it.
    #[must_use]
    pub fn told(text: impl Into<String>) -> Self {
        Self { text: text.into(), records: Vec::new() }
    }

    /// The same with a record to publish.
    #[must_use]
    pub fn publish(text: impl Into<String>, record: Record) -> Self {
        Self { text: text.into(), records: vec![record] }
    }
}

/// A record of the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose, without the dot at the end.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// What it says.
    pub value: String,
}

impl Record {
    /// A record of text.
    #[must_use]
    pub fn txt(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), kind: "TXT", value: value.into() }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.kind, self.value)
    }
}

/// What is known of a check: its last definite verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The verdict.
    pub verdict: Verdict,
    /// When it was first seen, with nothing else seen since.
    pub since: Millis,
    /// When it was last seen.
    pub seen_at: Millis,
}

impl Known {
    /// What is known once a check came to `verdict`: where nobody could tell, what was known before.
    #[must_use]
    pub fn after(before: Option<Self>, verdict: Verdict, now: Millis) -> Self {
        match before {
            Some(known) if verdict == Verdict::Unknown => known,
            Some(known) if known.verdict == verdict => {
                Self { seen_at: now.max(known.since), ..known }
            }
            _ => Self { verdict, since: now, seen_at: now },
        }
    }

    /// Whether first messages of the domain wait: it was seen to fail, and seen so again once the
    /// grace was over. Silence between the two is no sign of health, and a single look no proof of
    /// illness. The view `failing_domains` of the books says the same.
    #[must_use]
    pub fn gates(self, grace: Millis) -> bool {
        self.verdict == Verdict::Fail && self.seen_at - self.since >= grace
    }
}

/// How long a failure stands before it holds anything back, unless told otherwise: a record that was
/// lost on Friday evening is found and back on Monday.
pub const GRACE: Millis = 3 * crate::span::DAY;

/// No grace is shorter: two looks, so far apart, are what confirms a listing.
pub const GRACE_MIN: Millis = 15 * MINUTE;

/// Why a grace is none, if so.
#[must_use]
pub fn grace_refusal(grace: Millis) -> Option<String> {
    (grace < GRACE_MIN).then(|| {
        format!(
            "{} is too short: what fails is looked at twice, at least {} apart",
            length_text(grace),
            length_text(GRACE_MIN)
        )
    })
}
