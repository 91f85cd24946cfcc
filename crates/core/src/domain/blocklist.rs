//! Lists of bad domains: what their answers mean.
//!
//! Lists of addresses are none of ours: the addresses that mail leaves from are the provider's. Only a
//! code that the list documents as a listing is one; whatever else it answers is a refusal to tell.

use super::check::{Check, Cure, Finding, Verdict};
use super::facts::{Facts, Found};

/// A list of bad domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Spamhaus Domain Blocklist.
    Dbl,
    /// SURBL multi.
    Surbl,
    /// URIBL multi.
    Uribl,
}

/// What a list answers with: an address, by its octets.
pub type Code = [u8; 4];

/// What one answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The domain is listed, for that.
    Listed(&'static str),
    /// It is on a list that the list itself calls no reason to refuse.
    Noted(&'static str),
    /// The list did not tell.
    Refused,
}

impl List {
    /// Every list.
    pub const ALL: [Self; 3] = [Self::Dbl, Self::Surbl, Self::Uribl];

    /// The word for configuration and scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dbl => "dbl",
            Self::Surbl => "surbl",
            Self::Uribl => "uribl",
        }
    }

    /// The list of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.as_str() == word)
    }

    /// Its name for people, and where a domain is taken off.
    #[must_use]
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Dbl => ("Spamhaus DBL", "https://check.spamhaus.org/"),
            Self::Surbl => ("SURBL", "https://surbl.org/surbl-analysis"),
            Self::Uribl => ("URIBL", "https://lookup.uribl.com/"),
        }
    }

    /// The zone that is asked.
    #[must_use]
    pub fn zone(self) -> &'static str {
        match self {
            Self::Dbl => "dbl.spamhaus.org",
            Self::Surbl => "multi.surbl.org",
            Self::Uribl => "multi.uribl.com",
        }
    }

    /// A name that is always listed: whoever asks through a resolver that the list does not serve gets
    /// no listing for it, and learns so that none of its answers counts. Spamhaus documents
    /// `dbltest.com`, RFC 5782, section 5 the other.
    #[must_use]
    pub fn always_listed(self) -> &'static str {
        match self {
            Self::Dbl => "dbltest.com",
            Self::Surbl | Self::Uribl => "2.0.0.127",
        }
    }

    /// What a code means.
    ///
    /// docs.spamhaus.com, "Available zones"; surbl.org/lists, "multi"; uribl.com/about.shtml
    /// "Implementation" and refused.shtml; all read 2026-11.
    #[must_use]
    pub fn read(self, code: Code) -> Meaning {
        match (self, code) {
            (Self::Dbl, [127, 0, 1, reason]) => match reason {
                2 => Meaning::Listed("a domain of low reputation"),
                4 => Meaning::Listed("phishing"),
                5 => Meaning::Listed("malware"),
                6 => Meaning::Listed("the control of a botnet"),
                102..=106 => Meaning::Listed("a good domain that others abuse"),
                _ => Meaning::Refused,
            },
            (Self::Surbl, [127, 0, 0, bits]) if bits & 1 == 0 => match bits {
                _ if bits & 8 != 0 => Meaning::Listed("phishing"),
                _ if bits & 16 != 0 => Meaning::Listed("malware"),
                _ if bits & 64 != 0 => Meaning::Listed("spam and abuse"),
                _ if bits & 128 != 0 => Meaning::Listed("a cracked site"),
                _ if bits & 4 != 0 => Meaning::Noted("disposable addresses"),
                _ if bits & 32 != 0 => Meaning::Noted("tracked clicks"),
                _ => Meaning::Refused,
            },
            (Self::Uribl, [127, 0, 0, bits]) if bits & 1 == 0 => match bits {
                _ if bits & 2 != 0 => Meaning::Listed("black"),
                _ if bits & 4 != 0 => Meaning::Noted("grey"),
                _ if bits & 8 != 0 => Meaning::Noted("red"),
                _ => Meaning::Refused,
            },
            _ => Meaning::Refused,
        }
    }
}

/// A finding for all lists together; none where none is asked.
pub(super) fn judge(facts: &Facts) -> Option<Finding> {
    let (mut listed, mut noted, mut silent, mut clean) = (vec![], vec![], vec![], vec![]);
    for listing in &facts.listings {
        let (name, cure) = listing.list.name();
        match &listing.codes {
            Found::Absent(_) => clean.push(name),
            Found::Unknown(why) => silent.push(format!("{name} did not tell: {why}")),
            Found::Is(codes) => {
                let meanings: Vec<Meaning> = codes.iter().map(|&c| listing.list.read(c)).collect();
                let on = meanings.iter().find_map(|m| match m {
                    Meaning::Listed(why) => Some(*why),
                    Meaning::Noted(_) | Meaning::Refused => None,
                });
                let beside = meanings.iter().find_map(|m| match m {
                    Meaning::Noted(why) => Some(*why),
                    Meaning::Listed(_) | Meaning::Refused => None,
                });
                match (on, beside) {
                    (Some(why), _) => listed.push((format!("{name} ({why})"), cure)),
                    (None, Some(why)) => noted.push((format!("{name} ({why})"), cure)),
                    (None, None) => silent.push(format!("{name} did not tell: it refused to")),
                }
            }
        }
    }
    let finding =
        |verdict, what, cure| Some(Finding { check: Check::Blocklist, verdict, what, cure });
    let told = |on: &[(String, &str)]| {
        let names: Vec<&str> = on.iter().map(|(name, _)| name.as_str()).collect();
        let where_to: Vec<&str> = on.iter().map(|(_, cure)| *cure).collect();
        let cure =
            format!("find out why, stop that, then ask to be taken off: {}", where_to.join(", "));
        (format!("listed by {}", names.join(", ")), Some(Cure::told(cure)))
    };
    if !listed.is_empty() {
        let (what, cure) = told(&listed);
        return finding(Verdict::Fail, what, cure);
    }
    // Whoever is silent may have it listed all the same.
    if !silent.is_empty() {
        let noted = noted.iter().map(|(name, _)| format!("noted by {name}"));
        let what: Vec<String> = noted.chain(silent).collect();
        return finding(Verdict::Unknown, what.join("; "), None);
    }
    if !noted.is_empty() {
        let (what, cure) = told(&noted);
        return finding(Verdict::Warn, what, cure);
    }
    (!clean.is_empty()).then(|| Finding {
        check: Check::Blocklist,
        verdict: Verdict::Pass,
        what: format!("not listed by {}", clean.join(", ")),
        cure: None,
    })
}
