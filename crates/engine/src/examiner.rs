//! The examiner: looks at the DNS of every sending domain once a day, and oftener while something is
//! wrong.
//!
//! What the answers mean core says, what they do to mail the books. Nobody waits for it: sending goes
//! by what the books know.

use std::collections::BTreeMap;

use tracing::{debug, info, warn};
use warmfront_core::domain::{examine_all, not_asked};
use warmfront_core::span::{DAY, HOUR, Millis};
use warmfront_mail::dns::Dns;
use warmfront_store::{DomainCheck, Turn};

use crate::EngineError;
use crate::office::Office;

/// The examiner of one process.
#[derive(Debug)]
pub struct Examiner {
    office: Office,
    dns: Dns,
}

impl Examiner {
    /// An examiner that has asked nothing yet.
    #[must_use]
    pub fn new(office: Office, dns: Dns) -> Self {
        Self { office, dns }
    }

    /// Looks at every domain that is due by `now`; says when to come back.
    pub async fn tick(&mut self, now: Millis) -> Result<Millis, EngineError> {
        let store = &self.office.store;
        let checks = store.domain_checks().await?;
        let mut next = now + DAY;
        for domain in asked(&self.office) {
            let due = due(&checks, domain);
            if due > now {
                next = next.min(due);
                continue;
            }
            let question = self.office.fleet.question(domain, self.office.day(now));
            let findings = examine_all(&self.dns.facts(&question).await);
            debug!(domain, findings = findings.len(), "a sending domain was looked at");
            match store.record_domain(domain, &findings, now).await? {
                Turn::None => {}
                Turn::Failing(because) => {
                    warn!(
                        domain,
                        "writes to nobody new: {because}; see `warmfront doctor {domain}`"
                    );
                }
                Turn::Well => info!(domain, "passes its checks again, and writes to new people"),
            }
            next = next.min(now + HOUR);
        }
        Ok(next)
    }
}

/// The sending domains about which somebody can be asked.
pub(crate) fn asked(office: &Office) -> impl Iterator<Item = &str> {
    let looks = office.fleet.domains.is_some();
    let domains = office.fleet.sending_domains().into_iter();
    domains.filter(move |domain| looks && not_asked(domain).is_none())
}

/// When a domain is to be looked at again: a day later, or an hour where it fails, or did not answer.
fn due(checks: &[DomainCheck], domain: &str) -> Millis {
    let mine: BTreeMap<&str, &DomainCheck> = checks
        .iter()
        .filter(|check| check.domain == domain)
        .map(|check| (check.check_name.as_str(), check))
        .collect();
    let Some(asked_at) = mine.values().map(|check| check.asked_at).max() else {
        return Millis::MIN;
    };
    let fails = mine.values().any(|check| check.verdict == "fail");
    let silent =
        |check: &&DomainCheck| check.verdict == "unknown" || check.seen_at < check.asked_at;
    let is_silent = mine.get("exists").is_some_and(silent);
    asked_at + if fails || is_silent { HOUR } else { DAY }
}
