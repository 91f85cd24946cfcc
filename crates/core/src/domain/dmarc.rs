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

/// What is published for DMARC at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DmarcRecord {
    /// One record.
    One(DmarcTags),
    /// More records than one, of which receivers use none: RFC 9989, section 4.10.
    Several(Vec<String>),
    /// One with something else than a semicolon behind `v=DMARC1`, which receivers pass over; and what
    /// it would say.
    Broken(DmarcTags),
}

/// A DMARC record, as far as it matters here. Tags that nobody knows are none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DmarcTags {
    /// `p`; nothing where what it, `sp` or `np` says cannot be read.
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
    /// The tags as they are published, those that nobody knows too, without those that cannot be read.
    pub kept: Vec<String>,
    /// Tags that cannot be read: receivers take them as if they were not there.
    pub slips: Vec<String>,
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
    let policy = holding(facts).map(|(name, tags, stated)| told(facts, name, tags, stated));
    match (trouble(facts), policy) {
        (Some((what, cure)), Some(policy)) => {
            finding(Verdict::Warn, format!("{what}; {policy}"), Some(cure))
        }
        (Some((what, cure)), None) => finding(Verdict::Warn, what, Some(cure)),
        (None, Some(policy)) => finding(Verdict::Pass, policy, None),
        (None, None) => {
            let unknown = facts.dmarc.iter().find_map(|(_, found)| match found {
                Found::Unknown(why) => Some(why),
                Found::Is(_) | Found::Absent(_) => None,
            });
            if let Some(why) = unknown {
                return finding(Verdict::Unknown, format!("could not be asked: {why}"), None);
            }
            let what =
                "no DMARC record: Gmail, Yahoo and Outlook.com ask whoever sends much for one";
            let record = Record::txt(format!("_dmarc.{}", facts.domain), "v=DMARC1; p=none");
            let cure = Cure::publish("publish; `p=none` is enough", record);
            finding(Verdict::Warn, what.to_owned(), Some(cure))
        }
    }
}

/// Whether a policy holds for the domain, whatever there is to mend in its records.
pub(super) fn holds(facts: &Facts) -> bool {
    holding(facts).is_some()
}

/// The record that holds, where it stands and what it states. One without a policy is none, unless it
/// asks for reports.
fn holding(facts: &Facts) -> Option<(&str, &DmarcTags, Policy)> {
    let (name, tags) = chosen(facts)?;
    let stated = if name == facts.domain { tags.policy } else { tags.below.or(tags.policy) };
    let stated = stated.or(tags.reports.then_some(Policy::None))?;
    Some((name, tags, stated))
}

/// What the record that holds says.
fn told(facts: &Facts, name: &str, tags: &DmarcTags, stated: Policy) -> String {
    let policy = if tags.testing { stated.eased() } else { stated };
    let mut what = format!("p={}", policy.as_str());
    if tags.testing && policy != stated {
        what = format!("{what} (`t=y` tests p={})", stated.as_str());
    }
    if name != facts.domain {
        what = format!("{what}, as {name} has it");
    }
    if policy == Policy::None {
        what = format!("{what}: enough for large receivers, and it keeps no forger away");
    }
    let strict: Vec<&str> = [(tags.strict_spf, "SPF"), (tags.strict_dkim, "DKIM")]
        .into_iter()
        .filter_map(|(is_strict, what)| is_strict.then_some(what))
        .collect();
    if !strict.is_empty() {
        what = format!("{what}; {} must be of {} itself", strict.join(" and "), facts.domain);
    }
    what
}

/// What is wrong with the records, up to the one that is chosen. Never is another one published beside
/// them: of several receivers use none.
fn trouble(facts: &Facts) -> Option<(String, Cure)> {
    let chosen = chosen(facts).map(|(name, _)| name);
    for (name, found) in &facts.dmarc {
        let is_chosen = chosen == Some(name.as_str());
        let place = format!("_dmarc.{name}");
        let publish = |text: &str, tags| Cure::publish(text, Record::txt(&place, mended(tags)));
        match found {
            Found::Unknown(_) => return None,
            Found::Is(DmarcRecord::Several(texts)) => {
                let what = format!(
                    "{} DMARC records at {place}: receivers use none (RFC 9989, section 4.10)",
                    texts.len()
                );
                let cure = format!("keep one and take the others away: {}", quoted(texts));
                return Some((what, Cure::told(cure)));
            }
            Found::Is(DmarcRecord::Broken(tags)) => {
                let what = format!(
                    "the record at {place} has a slip: no semicolon behind `v=DMARC1`, so receivers \
                     pass over it"
                );
                return Some((what, publish("publish instead", tags)));
            }
            Found::Is(DmarcRecord::One(tags)) if is_chosen => {
                let none = if holds(facts) { "" } else { ", so it is none" };
                let what = match tags.slips.is_empty() {
                    true if none.is_empty() => return None,
                    true => format!("the record at {place} has no policy (`p=`){none}"),
                    false => {
                        let slips = quoted(&tags.slips);
                        format!("the record at {place} has a slip: nobody can read {slips}{none}")
                    }
                };
                return Some((what, publish("publish instead", tags)));
            }
            Found::Absent(_) | Found::Is(DmarcRecord::One(_)) => {}
        }
    }
    None
}

/// The record with what can be read of it, and with a policy.
fn mended(tags: &DmarcTags) -> String {
    let is_policy = |tag: &String| {
        tag.split_once('=').is_some_and(|(key, _)| key.trim().eq_ignore_ascii_case("p"))
    };
    let policy = if tags.kept.iter().any(is_policy) { None } else { Some("p=none") };
    let kept = tags.kept.iter().map(String::as_str);
    ["v=DMARC1"].into_iter().chain(policy).chain(kept).collect::<Vec<_>>().join("; ")
}

fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
}

/// The record that is taken for the domain: its own, else that of its organisation, the highest name with
/// one below a public suffix (RFC 9989, section 4.10.1).
fn chosen(facts: &Facts) -> Option<(&str, &DmarcTags)> {
    let mut records: Vec<(&str, &DmarcTags)> = Vec::new();
    for (name, found) in &facts.dmarc {
        match found {
            // What is not known may be the record that holds.
            Found::Unknown(_) => break,
            Found::Is(DmarcRecord::One(tags)) => {
                records.push((name, tags));
                if tags.psd.is_some() {
                    break;
                }
            }
            Found::Absent(_) | Found::Is(DmarcRecord::Several(_) | DmarcRecord::Broken(_)) => {}
        }
    }
    let own = records.iter().find(|(name, _)| *name == facts.domain);
    let organisation = records.iter().rev().find(|(_, tags)| tags.psd != Some(true));
    own.or(organisation).or(records.last()).copied()
}
