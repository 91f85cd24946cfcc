//! A domain whose mailboxes are at several providers: well only where the mail of each is.

use super::check::{Check, Finding, Verdict};
use super::examine;
use super::facts::Facts;

/// Judges a domain by its facts for each provider: of each check the worst.
#[must_use]
pub fn examine_all(of_each: &[Facts]) -> Vec<Finding> {
    let name = |facts: &Facts| facts.host.as_ref().map_or("", |host| host.name);
    worst(of_each.iter().map(|facts| (name(facts), examine(facts))).collect())
}

/// Of each check the worst finding, in their order: a failure, then what is to mend, then what nobody
/// could tell. Of equals the first. It says whose it is where another provider's is otherwise.
fn worst(of_each: Vec<(&str, Vec<Finding>)>) -> Vec<Finding> {
    let all = || of_each.iter().flat_map(|(name, all)| all.iter().map(move |one| (*name, one)));
    let of_check = |check: Check| {
        let mine = || all().filter(move |(_, finding)| finding.check == check);
        let (name, worst) = mine().min_by_key(|(_, finding)| rank(finding.verdict))?;
        let differs = mine().any(|(_, other)| other.what != worst.what);
        let mut finding = worst.clone();
        if differs && finding.verdict != Verdict::Pass && !finding.what.contains(name) {
            finding.what = format!("{name}: {}", finding.what);
        }
        Some(finding)
    };
    Check::ALL.into_iter().filter_map(of_check).collect()
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 0,
        Verdict::Warn => 1,
        Verdict::Unknown => 2,
        Verdict::Pass => 3,
    }
}
