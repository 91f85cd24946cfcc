//! What did not fit into a day, said plainly and with its cure.

use std::collections::BTreeMap;
use std::fmt;

use super::fleet::Rooms;
use super::{CampaignDay, Place, Planned, Snapshot, Standing};
use crate::health::PauseReason;
use crate::{calendar, span};

/// What kept messages out of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Mailboxes that are paused.
    Paused,
    /// Mailboxes that are paused until somebody logs in for them.
    NeedsLogin,
    /// Sending domains that fail their checks, and so write to nobody new.
    DomainFails,
    /// Mailboxes gone from the configuration, or none that match.
    Disabled,
    /// What the mailboxes may do today, after warmup and easing.
    Allowance,
    /// A sending domain's day.
    DomainDay,
    /// A tenant's day.
    TenantDay,
    /// People of one company in a day.
    CompanyDay,
    /// The time between two messages to one person.
    PersonGap,
    /// Follow-ups of mailboxes whose inbox nobody reads.
    InboxUnread,
    /// No mailbox is open while the person may be written to.
    WindowClosed,
    /// The windows are too short for the gaps between messages.
    WindowFull,
}

impl Limit {
    /// Every limit, in the order in which they are blamed.
    pub const ALL: [Self; 12] = [
        Self::Paused,
        Self::NeedsLogin,
        Self::DomainFails,
        Self::Disabled,
        Self::Allowance,
        Self::DomainDay,
        Self::TenantDay,
        Self::CompanyDay,
        Self::PersonGap,
        Self::InboxUnread,
        Self::WindowClosed,
        Self::WindowFull,
    ];

    /// The limit as the books and scripts write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::NeedsLogin => "needs_login",
            Self::DomainFails => "domain_fails",
            Self::Disabled => "disabled",
            Self::Allowance => "allowance",
            Self::DomainDay => "domain_day",
            Self::TenantDay => "tenant_day",
            Self::CompanyDay => "company_day",
            Self::PersonGap => "person_gap",
            Self::InboxUnread => "inbox_unread",
            Self::WindowClosed => "window_closed",
            Self::WindowFull => "window_full",
        }
    }

    /// The limit of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.word() == word)
    }
}

impl Limit {
    /// What a pause for that keeps out.
    pub(super) fn of_pause(reason: PauseReason) -> Self {
        if reason == PauseReason::Login { Self::NeedsLogin } else { Self::Paused }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paused => "paused mailboxes",
            Self::NeedsLogin => "mailboxes for which somebody must log in",
            Self::DomainFails => "sending domains that fail their checks",
            Self::Disabled => "no mailbox in the configuration matches",
            Self::Allowance => "what the mailboxes may send today",
            Self::DomainDay => "the sending domain's day",
            Self::TenantDay => "the tenant's day",
            Self::CompanyDay => "people of one company in a day",
            Self::PersonGap => "the time between two messages to one person",
            Self::InboxUnread => "follow-ups of mailboxes whose inbox nobody reads",
            Self::WindowClosed => "mailbox windows that do not meet the prospects'",
            Self::WindowFull => "windows too short for the gap between messages",
        })
    }
}

/// Messages of one campaign that one limit kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The campaign's slug.
    pub campaign: String,
    /// How many.
    pub count: u32,
    /// What kept them out.
    pub why: Limit,
    /// What would help.
    pub cure: String,
}

/// Keeps count per campaign while a plan is made.
pub(super) struct Ledger {
    campaigns: Vec<Entry>,
}

#[derive(Default)]
struct Entry {
    /// What the day's target leaves.
    open: u32,
    due: u32,
    closed: u32,
    chosen: u32,
    blocked: BTreeMap<Limit, u32>,
}

impl Entry {
    fn target(&self) -> u32 {
        self.open.min(self.due)
    }
}

impl Ledger {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let entry = |c: &super::Campaign| Entry {
            open: c.daily_target.saturating_sub(c.used),
            ..Entry::default()
        };
        Self { campaigns: snapshot.campaigns.iter().map(entry).collect() }
    }

    pub(super) fn due(&mut self, campaign: Place) {
        self.campaigns[campaign].due += 1;
    }

    pub(super) fn closed(&mut self, campaign: Place) {
        self.campaigns[campaign].closed += 1;
    }

    /// How many more messages a campaign wants today.
    pub(super) fn wanted(&self, campaign: Place) -> u32 {
        let entry = &self.campaigns[campaign];
        entry.target().saturating_sub(entry.chosen)
    }

    pub(super) fn chose(&mut self, campaign: Place) {
        self.campaigns[campaign].chosen += 1;
    }

    /// One more that a limit kept out.
    pub(super) fn blocked(&mut self, campaign: Place, limit: Limit) {
        *self.campaigns[campaign].blocked.entry(limit).or_default() += 1;
    }

    /// One that was chosen and then found no moment.
    pub(super) fn dropped(&mut self, campaign: Place, limit: Limit) {
        self.campaigns[campaign].chosen -= 1;
        self.blocked(campaign, limit);
    }

    /// The campaigns' day and what is short of it. Where more was kept out than is short, the
    /// first limit in the order of [`Limit`] binds.
    pub(super) fn close(
        self,
        snapshot: &Snapshot,
        rooms: &Rooms,
        messages: &[Planned],
    ) -> (Vec<CampaignDay>, Vec<Shortfall>) {
        let mut planned = vec![0; snapshot.campaigns.len()];
        for message in messages {
            planned[snapshot.work[message.work].campaign] += 1;
        }
        let mut days = Vec::new();
        let mut shortfalls = Vec::new();
        for (campaign, row) in snapshot.campaigns.iter().enumerate() {
            let entry = &self.campaigns[campaign];
            let target = entry.target();
            let mut short = target.saturating_sub(planned[campaign]);
            for (&why, &kept_out) in &entry.blocked {
                let count = kept_out.min(short);
                short -= count;
                if count > 0 {
                    let cure = cure(snapshot, rooms, campaign, why, count);
                    shortfalls.push(Shortfall { campaign: row.slug.clone(), count, why, cure });
                }
            }
            days.push(CampaignDay {
                slug: row.slug.clone(),
                target,
                planned: planned[campaign],
                closed: entry.closed,
            });
        }
        (days, shortfalls)
    }
}

fn cure(snapshot: &Snapshot, rooms: &Rooms, campaign: usize, why: Limit, count: u32) -> String {
    let pool = &snapshot.campaigns[campaign].mailboxes;
    match why {
        Limit::Allowance => {
            let cap = pool.iter().map(|&m| snapshot.mailboxes[m].cap).max().unwrap_or(1).max(1);
            let a_day: u32 = pool.iter().map(|&m| rooms.allowance[m]).fold(0, u32::saturating_add);
            let mailboxes = counted(count.div_ceil(cap), "more warmed mailbox", "es");
            match a_day {
                0 => mailboxes,
                _ => format!("{mailboxes}, or {}", counted(count.div_ceil(a_day), "more day", "s")),
            }
        }
        Limit::Paused => {
            let back = |m: &usize| match snapshot.mailboxes[*m].standing {
                Standing::Paused { until, .. } => until,
                Standing::Active | Standing::Disabled => None,
            };
            match pool.iter().filter_map(back).min() {
                Some(until) => {
                    let at = calendar::civil(&snapshot.zone, until).strftime("%Y-%m-%d %H:%M");
                    format!("wait: the first of them comes back {at}; nobody else takes their part")
                }
                None => "look at `warmfront mailbox list`, mend the cause, then `mailbox resume`"
                    .to_owned(),
            }
        }
        Limit::NeedsLogin => {
            let waits = |m: &&usize| match snapshot.mailboxes[**m].standing {
                Standing::Paused { reason, .. } => reason == PauseReason::Login,
                Standing::Active | Standing::Disabled => false,
            };
            let mut waiting = pool.iter().filter(waits);
            let first = waiting.next().map_or("ADDRESS", |&m| &snapshot.mailboxes[m].address);
            match waiting.count() {
                0 => format!("`warmfront mailbox login {first}`"),
                more => format!(
                    "`warmfront mailbox login {first}`, and so for {more} more that `warmfront \
                     mailbox list` names"
                ),
            }
        }
        Limit::DomainFails => {
            "publish the records that `warmfront doctor` shows; nobody else takes their part"
                .to_owned()
        }
        Limit::Disabled => {
            "add mailboxes that match the campaign's `mailboxes` to warmfront.toml".to_owned()
        }
        Limit::DomainDay => "another sending domain, or more days".to_owned(),
        Limit::TenantDay => {
            "more `licences` or a larger `per_day` of the tenant, another tenant, or more days"
                .to_owned()
        }
        Limit::CompanyDay => {
            format!("more days: each company gets {} a day", snapshot.company_per_day)
        }
        Limit::PersonGap => {
            let gap = span::length_text(snapshot.person_gap);
            format!("more days: nobody is written to twice within {gap}")
        }
        Limit::InboxUnread => {
            "they wait until the mailbox's inbox is read: nobody who answered is written to again"
                .to_owned()
        }
        Limit::WindowClosed => {
            "mailbox windows that are open in the prospects' working hours".to_owned()
        }
        Limit::WindowFull => "a longer window or more mailboxes".to_owned(),
    }
}

fn counted(count: u32, thing: &str, plural: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { plural })
}
