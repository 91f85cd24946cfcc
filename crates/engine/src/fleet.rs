//! The fleet as the configuration has it: what the books do not hold.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use warmfront_campaigns::manifest::MailboxPattern;
use warmfront_core::address::{Address, organization};
use warmfront_core::calendar::Window;
use warmfront_core::domain::{Host, host};
use warmfront_core::health::Thresholds;
use warmfront_core::plan::Pace;
use warmfront_core::provider::{ColdMail, Preset};
use warmfront_core::span::{MINUTE, Millis};
use warmfront_core::warmup::Curve;
use warmfront_mail::dns::Question;
use warmfront_store::{FRESH_MS, MailboxSpec, Settings};

/// One mailbox.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// Its address.
    pub address: Address,
    /// The name recipients see.
    pub name: Option<String>,
    /// What its provider allows.
    pub provider: Preset,
    /// The most it may ever send in a day.
    pub cap: u32,
    /// Its curve.
    pub curve: Curve,
    /// The least time between two of its messages.
    pub gap: Millis,
    /// When it may send at all, seen from `timezone`.
    pub window: Option<Vec<Window>>,
    /// The zone of its window.
    pub timezone: TimeZone,
    /// The tenant it shares.
    pub tenant: Option<String>,
    /// Names that campaigns may call it by.
    pub tags: BTreeSet<String>,
    /// How it spreads its day.
    pub pace: Pace,
    /// Whether anybody reads its inbox; without that its follow-ups wait.
    pub inbox_is_read: bool,
    /// Where it stands on its curve when first seen.
    pub warm_days: u32,
    /// The mailboxes that share its provider's rate, with it: one where that counts each by itself.
    pub sharers: u32,
}

impl Mailbox {
    /// The least time between two attempts: its gap, or what its provider's rate asks if longer.
    #[must_use]
    pub fn spacing(&self) -> Millis {
        let rate = self.provider.limit_per_minute.filter(|&rate| rate > 0);
        let all = MINUTE as u64 * u64::from(self.sharers);
        // Rounded up, so that no minute holds one too many.
        let by_rate = rate.map_or(0, |rate| all.div_ceil(u64::from(rate)));
        self.gap.max(Millis::try_from(by_rate).unwrap_or(Millis::MAX))
    }
}

/// All of it, with the limits that mailboxes share.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The mailboxes, by address.
    pub mailboxes: BTreeMap<Address, Mailbox>,
    /// The zone whose civil date counts for every limit.
    pub timezone: TimeZone,
    /// Its name.
    pub timezone_name: String,
    /// Messages to one company in a day.
    pub company_per_day: u32,
    /// Least time between two messages to one person.
    pub person_gap: Millis,
    /// Messages of one sending domain in a day.
    pub domain_per_day: u32,
    /// When mailboxes and campaigns stop.
    pub thresholds: Thresholds,
    /// Messages of each tenant in a day.
    pub tenants: BTreeMap<String, u32>,
    /// How its domains are looked at; nothing where nobody looks.
    pub domains: Option<Domains>,
}

/// How sending domains are looked at.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    /// How long a failure stands before first messages wait for it.
    pub grace: Millis,
    /// What the operator says of a domain, by name: the day it was registered, its DKIM selectors.
    pub told: BTreeMap<String, (Option<Date>, Vec<String>)>,
}

impl Fleet {
    /// The mailboxes a campaign may use. A provider that takes only mail people asked for carries
    /// no other campaign.
    pub fn matching(
        &self,
        patterns: &[MailboxPattern],
        opt_in: bool,
    ) -> impl Iterator<Item = &Mailbox> {
        self.mailboxes.values().filter(move |mailbox| {
            let tags: Vec<String> = mailbox.tags.iter().cloned().collect();
            let allowed = match mailbox.provider.cold_mail {
                ColdMail::Yes => true,
                ColdMail::OptIn => opt_in,
                ColdMail::No => false,
            };
            allowed && patterns.iter().any(|p| p.matches(&mailbox.address, &tags))
        })
    }

    /// Why no mailbox may carry a campaign nobody opted in to, where some would if they had: whose
    /// provider takes only mail that was asked for, and what it says of that.
    #[must_use]
    pub fn wants_opt_in(&self, patterns: &[MailboxPattern]) -> Option<String> {
        let mailbox = self.matching(patterns, true).next()?;
        let Mailbox { address, provider, .. } = mailbox;
        Some(format!(
            "{address} is at {}, which takes only mail that its readers asked for ({}); where they \
             did, say `opt_in = true` in campaign.toml",
            provider.name, provider.why
        ))
    }

    /// Which of the mailboxes that a campaign names take no part in it, and why: their providers take
    /// only mail that was asked for, and it does not say so. `None` where all may, or none.
    #[must_use]
    pub fn leaves_out(&self, patterns: &[MailboxPattern], opt_in: bool) -> Option<String> {
        let may = self.matching(patterns, opt_in).map(|mailbox| &mailbox.address);
        let may: BTreeSet<&Address> = may.collect();
        let all: Vec<&Mailbox> = self.matching(patterns, true).collect();
        let is_out = |mailbox: &&&Mailbox| !may.contains(&mailbox.address);
        let out: Vec<&&Mailbox> = all.iter().filter(is_out).collect();
        if may.is_empty() || out.is_empty() {
            return None;
        }
        let named: Vec<String> = out
            .iter()
            .take(LEFT_OUT_NAMED)
            .map(|mailbox| format!("{} ({})", mailbox.address, mailbox.provider.name))
            .collect();
        let more = match out.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (left, count, named) = (out.len(), all.len(), named.join(", "));
        let are = if left == 1 { "is" } else { "are" };
        Some(format!(
            "{left} of its {count} mailboxes {are} left out: {named}{more}; there only mail is taken \
             that its readers asked for: say `opt_in = true` in campaign.toml where they did, or name \
             other `mailboxes`"
        ))
    }

    /// The rows the books keep of it.
    #[must_use]
    pub fn specs(&self) -> Vec<MailboxSpec> {
        let spec = |mailbox: &Mailbox| MailboxSpec {
            address: mailbox.address.to_string(),
            domain: mailbox.address.domain().to_owned(),
            tenant: mailbox.tenant.clone(),
            provider: mailbox.provider.name.to_string(),
            cap: mailbox.cap,
            gap_ms: mailbox.spacing(),
            warm_days: mailbox.warm_days,
            plateau: mailbox.curve.plateau(mailbox.cap),
        };
        self.mailboxes.values().map(spec).collect()
    }

    /// The settings the triggers check against.
    #[must_use]
    pub fn settings(&self, seed: i64) -> Settings {
        Settings {
            zone: self.timezone_name.clone(),
            seed,
            company_per_day: self.company_per_day,
            person_gap_ms: self.person_gap,
            fresh_ms: FRESH_MS,
            thresholds: self.thresholds,
            domain_grace_ms: self.domains.as_ref().map(|domains| domains.grace),
        }
    }

    /// The sending domains, in order.
    #[must_use]
    pub fn sending_domains(&self) -> BTreeSet<&str> {
        self.mailboxes.keys().map(Address::domain).collect()
    }

    /// What is to be asked about a domain, for each provider of its mailboxes whose records are known.
    #[must_use]
    pub fn question(&self, domain: &str, today: Date) -> Question {
        let mailboxes = || self.mailboxes.values().filter(|m| m.address.domain() == domain);
        let told = self.domains.as_ref().and_then(|domains| domains.told.get(domain)).cloned();
        let (registered, selectors) = told.unwrap_or_default();
        let mut hosts: Vec<Host> = Vec::new();
        let mut is_elsewhere = false;
        for mailbox in mailboxes() {
            match host(&mailbox.provider.name) {
                Some(known) if !hosts.contains(&known) => hosts.push(known),
                Some(_) => {}
                None => is_elsewhere = true,
            }
        }
        Question {
            domain: domain.to_owned(),
            hosts,
            is_elsewhere,
            selectors,
            registered,
            today,
            most_a_day: self.most_a_day(domain),
        }
    }

    /// The most that the mailboxes of a domain's organisation may send in a day, all together.
    fn most_a_day(&self, domain: &str) -> u32 {
        let whole = organization(domain).unwrap_or(domain);
        let is_of = |own: &str| {
            own.strip_suffix(whole).is_some_and(|left| left.is_empty() || left.ends_with('.'))
        };
        let mut caps: BTreeMap<&str, u32> = BTreeMap::new();
        for mailbox in self.mailboxes.values() {
            let own = mailbox.address.domain();
            if is_of(own) {
                let cap = caps.entry(own).or_default();
                *cap = cap.saturating_add(mailbox.cap);
            }
        }
        let most = caps.into_values().map(|cap| cap.min(self.domain_per_day));
        most.fold(0, u32::saturating_add)
    }
}

/// Mailboxes that are named one by one where a campaign leaves them out.
const LEFT_OUT_NAMED: usize = 10;
