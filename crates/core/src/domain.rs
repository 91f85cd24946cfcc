//! What the DNS says of a sending domain, judged: what is wrong, what that costs, and the record that
//! mends it.
//!
//! Facts in, findings out: whoever asks the DNS brings [`Facts`], [`examine`] judges them. Only a
//! definite answer makes a finding; a question without one leaves what was known before ([`Known`]).
//! What the findings do to mail is a rule of its own: [`Known::gates`].

pub mod blocklist;
mod check;
mod dkim;
mod dmarc;
mod facts;
mod host;
mod mx;
mod providers;
mod spf;
mod standing;

pub use self::check::{
    Check, Cure, Finding, GRACE, GRACE_MIN, Known, Record, Verdict, grace_refusal,
};
pub use self::dmarc::{DmarcRecord, DmarcTags, Policy, QUERIES_MAX, names_to_ask};
pub use self::facts::{
    Absent, Cover, DkimKey, Exchange, Facts, Found, Listing, Selector, SpfAll, SpfRecord, SpfWalk,
};
pub use self::host::{DkimCure, Host, host};
pub use self::providers::examine_all;
pub use self::spf::{LOOKUPS_MAX, VOIDS_MAX};

use crate::address::is_free_mail;

/// Judges a domain for one provider: a finding for each check, in their order.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let spf = spf::judge(facts);
    let dkim = dkim::judge(facts);
    let authentication = standing::authentication(facts);
    let dmarc = dmarc::judge(facts);
    let mut findings = vec![standing::existence(facts), authentication, spf, dkim, dmarc];
    findings.push(mx::judge(facts));
    findings.push(standing::bulk(facts, &findings));
    findings.push(standing::age(facts));
    findings.extend(blocklist::judge(facts));
    if facts.exists == Found::Absent(Absent::Name) {
        // Whatever else is absent is absent for that, and mends nothing that failed before.
        for finding in findings.iter_mut().filter(|finding| finding.check != Check::Exists) {
            finding.verdict = Verdict::Unknown;
            finding.what = "the name does not exist".to_owned();
            finding.cure = None;
        }
    }
    findings
}

/// Why nobody is asked about a domain, if so: nothing there is the operator's to publish.
#[must_use]
pub fn not_asked(domain: &str) -> Option<&'static str> {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let is_at = |reserved: &str| {
        domain.strip_suffix(reserved).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if RESERVED.into_iter().any(is_at) {
        return Some("reserved name: not asked");
    }
    if PRIVATE.into_iter().any(is_at) || !domain.contains('.') {
        return Some("private name: not asked");
    }
    is_free_mail(&domain).then_some("a mail provider's own domain: not asked")
}

/// Names that belong to nobody and never will: RFC 2606, sections 2 and 3, RFC 6761, section 6, and
/// RFC 6762, section 3.
const RESERVED: [&str; 8] = [
    "test",
    "example",
    "invalid",
    "localhost",
    "local",
    "example.com",
    "example.net",
    "example.org",
];

/// Names that stand in nobody's DNS but that of one's own network: RFC 8375, ICANN's resolution
/// 2024.07.29.06 on `internal`, and RFC 6762, appendix G.
const PRIVATE: [&str; 7] = ["internal", "lan", "home.arpa", "corp", "home", "intranet", "private"];

#[cfg(test)]
mod tests;
