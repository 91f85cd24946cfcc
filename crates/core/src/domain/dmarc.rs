//! DMARC: the policy that holds for a domain, found as RFC 9989 has it.

use super::check::{Check, Cure, Finding, Record, Verdict};
use super::facts::{Facts, Found};

/// The most names a receiver asks: RFC 9989, section 4.10.
pub const QUERIES_MAX: usize = 8;

/// What a policy asks receivers to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nothing; it is enough for what large receivers ask.
    None,
    /// To put what fails aside.
    Quarantine,
    /// To refuse what fails.
    Reject,
}

impl Policy {
    /// As the record writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// One level less: what a policy under test comes to (RFC 9989, section 4.7).
    fn eased(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

/// A DMARC record, as far as it matters here. Tags that nobody knows are none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcRecord {
    /// `p`.
    pub policy: Option<Policy>,
    /// `sp`, for names below the one it stands at; `p` where it says nothing.
    pub below: Option<Policy>,
    /// `t=y`: a test.
    pub testing: bool,
    /// `psd`: whether registrations are made below the name, where it says.
    pub psd: Option<bool>,
    /// Whether SPF must be of the very domain.
    pub strict_spf: bool,
    /// Whether DKIM must be of the very domain.
    pub strict_dkim: bool,
    /// Whether somebody gets reports.
    pub reports: bool,
}

/// The names to ask for a record, the domain first: RFC 9989, section 4.10. Of more than eight labels
/// those in the middle are left out.
#[must_use]
pub fn names_to_ask(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let above = (labels.len() - 1).min(QUERIES_MAX - 1);
    let tops = (1..=above).rev().map(|n| labels[labels.len() - n..].join("."));
    [domain.to_owned()].into_iter().chain(tops).collect()
}

pub(super) fn judge(facts: &Facts) -> Finding {
    let finding =
        |verdict, what: String, cure| Finding { check: Check::Dmarc, verdict, what, cure };
    let publish = |text: &str| {
        let record = Record::txt(format!("_dmarc.{}", facts.domain), "v=DMARC1; p=none");
        Some(Cure::publish(text, record))
    };
    let Some((name, record)) = chosen(facts) else {
        let unknown = facts.dmarc.iter().find_map(|(_, found)| match found {
            Found::Unknown(why) => Some(why),
            Found::Is(_) | Found::Absent(_) => None,
        });
        return match unknown {
            Some(why) => finding(Verdict::Unknown, format!("could not be asked: {why}"), None),
            None => {
                let what =
                    "no DMARC record: Gmail, Yahoo and Outlook.com ask whoever sends much for one";
                finding(Verdict::Warn, what.to_owned(), publish("publish; `p=none` is enough"))
            }
        };
    };
    let is_own = name == facts.domain;
    let stated = if is_own { record.policy } else { record.below.or(record.policy) };
    let Some(stated) = stated.or(record.reports.then_some(Policy::None)) else {
        let what = format!("the record at _dmarc.{name} has no policy (`p=`), so it is none");
        return finding(Verdict::Warn, what, publish("publish instead"));
    };
    let policy = if record.testing { stated.eased() } else { stated };
    let mut what = format!("p={}", policy.as_str());
    if record.testing && policy != stated {
        what = format!("{what} (`t=y` tests p={})", stated.as_str());
    }
    if !is_own {
        what = format!("{what}, as {name} has it");
    }
    if policy == Policy::None {
        what = format!("{what}: enough for large receivers, and it keeps no forger away");
    }
    let strict: Vec<&str> = [(record.strict_spf, "SPF"), (record.strict_dkim, "DKIM")]
        .into_iter()
        .filter_map(|(is_strict, what)| is_strict.then_some(what))
        .collect();
    if !strict.is_empty() {
        what = format!("{what}; {} must be of {} itself", strict.join(" and "), facts.domain);
    }
    finding(Verdict::Pass, what, None)
}

/// The record that holds for the domain: its own, else that of its organisation, the highest name with
/// one below a public suffix (RFC 9989, section 4.10.1).
fn chosen(facts: &Facts) -> Option<(&str, &DmarcRecord)> {
    let mut records: Vec<(&str, &DmarcRecord)> = Vec::new();
    for (name, found) in &facts.dmarc {
        match found {
            // What is not known may be the record that holds.
            Found::Unknown(_) => break,
            Found::Absent(_) => {}
            Found::Is(record) => {
                records.push((name, record));
                if record.psd.is_some() {
                    break;
                }
            }
        }
    }
    let own = records.iter().find(|(name, _)| *name == facts.domain);
    let organisation = records.iter().rev().find(|(_, record)| record.psd != Some(true));
    own.or(organisation).or(records.last()).copied()
}
