//! DKIM: whether a key stands where receivers look for it.

use super::check::{Check, Cure, Finding, Record, Verdict};
use super::facts::{DkimKey, Facts, Found, Selector};
use super::host::{DkimCure, Host};

/// Below this receivers take no signature: RFC 8301, section 3.2, and Google's and Yahoo's rules for
/// senders.
const BITS_MIN: u32 = 1_024;

/// What RFC 8301, section 3.2 asks signers for.
const BITS_GOOD: u32 = 2_048;

pub(super) fn judge(facts: &Facts) -> Finding {
    let finding = |verdict, what: String, cure| Finding { check: Check::Dkim, verdict, what, cure };
    if facts.dkim.is_empty() {
        let what = "the provider's selectors are not known: say which there are";
        let cure = Cure::told(name_selectors(facts));
        return finding(Verdict::Unknown, what.to_owned(), Some(cure));
    }
    if let Some((selector, bits)) = best(facts) {
        let size = if bits == u32::MAX { "Ed25519".to_owned() } else { format!("{bits} bits") };
        if bits < BITS_GOOD {
            let what = format!("`{selector}` has a key of {size}: {BITS_GOOD} are asked for");
            return finding(
                Verdict::Warn,
                what,
                Some(Cure::told("turn the key to one of 2048 bits")),
            );
        }
        return finding(Verdict::Pass, format!("`{selector}` has a key ({size})"), None);
    }
    let told = facts.dkim.iter().map(trouble).collect::<Vec<_>>().join("; ");
    if !all_told(facts) {
        return finding(Verdict::Unknown, told, None);
    }
    let is_there = facts.dkim.iter().any(|selector| selector.key.answer().is_some());
    if is_certain(facts) || is_there {
        return finding(Verdict::Warn, format!("no key: {told}"), Some(cure(facts)));
    }
    let what = format!("no key where one usually is, though any name may be chosen: {told}");
    finding(Verdict::Unknown, what, Some(cure(facts)))
}

/// Whether a signature of the domain can pass. `None`: nobody can tell.
pub(super) fn can_pass(facts: &Facts) -> Option<bool> {
    if best(facts).is_some() {
        return Some(true);
    }
    (is_certain(facts) && all_told(facts)).then_some(false)
}

/// Whether the domain signs under no other selectors than were asked for: the DNS does not say which
/// there are, so elsewhere a missing key proves nothing.
fn is_certain(facts: &Facts) -> bool {
    facts.selectors_told || facts.host.as_ref().is_some_and(Host::has_fixed_selectors)
}

/// Whether all that was asked was answered, and proves nothing for want of certain selectors.
pub(super) fn is_told_by_guess(facts: &Facts) -> bool {
    !is_certain(facts) && all_told(facts)
}

/// How an operator makes the selectors certain.
pub(super) fn name_selectors(facts: &Facts) -> String {
    format!("write `dkim = [\"SELECTOR\"]` into [domain.\"{}\"]", facts.domain)
}

fn all_told(facts: &Facts) -> bool {
    facts.dkim.iter().all(|selector| !matches!(selector.key, Found::Unknown(_)))
}

/// The longest key that receivers take, and whose it is.
fn best(facts: &Facts) -> Option<(&str, u32)> {
    let bits = |selector: &Selector| match selector.key {
        Found::Is(DkimKey::Bits(bits)) if bits >= BITS_MIN => Some(bits),
        _ => None,
    };
    let keys = facts.dkim.iter().filter_map(|s| Some((s.name.as_str(), bits(s)?)));
    keys.max_by_key(|(_, bits)| *bits)
}

fn trouble(selector: &Selector) -> String {
    let what = match &selector.key {
        Found::Absent(_) => "nothing there".to_owned(),
        Found::Unknown(why) => format!("could not be asked: {why}"),
        Found::Is(DkimKey::Revoked) => "revoked (`p=` is empty)".to_owned(),
        Found::Is(DkimKey::Broken(why)) => format!("no key that serves: {why}"),
        Found::Is(DkimKey::Bits(bits)) => format!("a key of {bits} bits, too short for receivers"),
    };
    format!("`{}`: {what}", selector.name)
}

fn cure(facts: &Facts) -> Cure {
    let at = |selector: &str| format!("{selector}._domainkey.{}", facts.domain);
    let host = facts.host.as_ref().filter(|_| !facts.selectors_told);
    match host.map(|host| (host, host.dkim)) {
        Some((host, DkimCure::Cnames(target))) => {
            let record = |selector: &&str| Record {
                name: at(selector),
                kind: "CNAME",
                value: target.replace("SELECTOR", selector).replace("DOMAIN", &facts.domain),
            };
            let text = format!(
                "in {} choose the domain, publish what it shows, then let it sign",
                host.console
            );
            Cure { text, records: host.selectors.iter().map(record).collect() }
        }
        Some((host, DkimCure::OneTxt)) => Cure::publish(
            format!(
                "where it signs under another selector, {}; else generate a key of 2048 bits in {}, \
                 publish it, then start authentication",
                name_selectors(facts),
                host.console
            ),
            Record::txt(at(host.selectors[0]), "as the console shows it: v=DKIM1; k=rsa; p=…"),
        ),
        None => {
            let first = facts.dkim.first().map_or("SELECTOR", |selector| selector.name.as_str());
            Cure::publish(
                "let your provider make a key of 2048 bits and publish what it shows",
                Record::txt(at(first), "v=DKIM1; k=rsa; p=…"),
            )
        }
    }
}
