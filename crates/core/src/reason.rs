//! Why a planned message does not leave this instant: the one reason that binds, with its numbers
//! and the moment it clears.

use std::fmt;

use crate::span::Millis;

/// Everything a claim depends on, as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The state of the message itself.
    pub state: String,
    /// Whether it is planned for the present counting day.
    pub planned_today: bool,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is due.
    pub due_at: Millis,
    /// When the hours it is due in are over.
    pub closes_at: Millis,
    /// The step, from 1.
    pub step: u32,
    /// The state of the enrolment.
    pub enrolment_state: String,
    /// Whether the person was erased.
    pub erased: bool,
    /// Whether the address or its domain is suppressed.
    pub suppressed: bool,
    /// The state of the campaign.
    pub campaign_state: String,
    /// The state of the mailbox.
    pub mailbox_state: String,
    /// Until when it is paused, where waiting is enough.
    pub paused_until: Option<Millis>,
    /// The pause's sentence.
    pub paused_because: Option<String>,
    /// When its inbox was last read.
    pub inbox_read_at: Option<Millis>,
    /// How old that reading may be for a follow-up.
    pub fresh: Millis,
    /// The last attempt of this mailbox.
    pub mailbox_attempt_at: Option<Millis>,
    /// The least time between two of its attempts.
    pub gap: Millis,
    /// The last attempt to this person with another message.
    pub person_attempt_at: Option<Millis>,
    /// The least time between two messages to one person.
    pub person_gap: Millis,
    /// The mailbox's day.
    pub mailbox_day: Used,
    /// The sending domain's day.
    pub domain_day: Used,
    /// The tenant's day, if it has one.
    pub tenant_day: Option<Used>,
    /// The company's day, if it has one.
    pub company_day: Option<Used>,
}

/// A counter and its ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Attempts.
    pub attempted: u32,
    /// The most.
    pub ceiling: u32,
}

impl Used {
    /// Whether nothing more may be tried.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.attempted >= self.ceiling
    }
}

/// Why it does not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It has left, or is over.
    NotPlanned(String),
    /// The person asked for it, bounced or was put on the list.
    Suppressed,
    /// The enrolment is over, or waits for a person.
    Enrolment(String),
    /// It was tried as often as anything is.
    Attempts(u32),
    /// The campaign does not run.
    Campaign(String),
    /// The mailbox is paused.
    MailboxPaused {
        /// The pause's sentence.
        because: String,
        /// Until when, where waiting is enough.
        until: Option<Millis>,
    },
    /// The mailbox is gone from the configuration.
    MailboxDisabled,
    /// It waits for the next day's plan.
    NextPlan,
    /// It is not due.
    NotDue(Millis),
    /// The hours it was due in are over.
    HoursOver(Millis),
    /// A follow-up needs proof that the inbox was read.
    InboxStale(Option<Millis>),
    /// The mailbox's day is full.
    MailboxDay(Used),
    /// The sending domain's day is full.
    DomainDay(Used),
    /// The tenant's day is full.
    TenantDay(Used),
    /// The company's day is full.
    CompanyDay(Used),
    /// The person was written to too lately.
    PersonGap(Millis),
    /// The mailbox sent too lately.
    MailboxGap(Millis),
}

impl Hold {
    /// The word in the books.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotPlanned(_) => "not_planned",
            Self::Suppressed => "suppressed",
            Self::Enrolment(_) => "enrolment_over",
            Self::Attempts(_) => "gave_up",
            Self::Campaign(_) => "campaign_not_running",
            Self::MailboxPaused { .. } => "mailbox_paused",
            Self::MailboxDisabled => "mailbox_disabled",
            Self::NextPlan => "next_plan",
            Self::NotDue(_) => "not_due",
            Self::HoursOver(_) => "hours_over",
            Self::InboxStale(_) => "inbox_not_read",
            Self::MailboxDay(_) => "mailbox_day_full",
            Self::DomainDay(_) => "domain_day_full",
            Self::TenantDay(_) => "tenant_day_full",
            Self::CompanyDay(_) => "company_day_full",
            Self::PersonGap(_) => "person_gap",
            Self::MailboxGap(_) => "mailbox_gap",
        }
    }

    /// When it clears by itself, where that is known.
    #[must_use]
    pub fn clears_at(&self) -> Option<Millis> {
        match self {
            Self::NotDue(at) | Self::PersonGap(at) | Self::MailboxGap(at) => Some(*at),
            Self::MailboxPaused { until, .. } => *until,
            Self::NotPlanned(_)
            | Self::Suppressed
            | Self::Enrolment(_)
            | Self::Attempts(_)
            | Self::Campaign(_)
            | Self::MailboxDisabled
            | Self::NextPlan
            | Self::HoursOver(_)
            | Self::InboxStale(_)
            | Self::MailboxDay(_)
            | Self::DomainDay(_)
            | Self::TenantDay(_)
            | Self::CompanyDay(_) => None,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = |f: &mut fmt::Formatter<'_>, whose: &str, used: &Used| {
            write!(f, "{whose} has had {} of {} today", used.attempted, used.ceiling)
        };
        match self {
            Self::NotPlanned(state) => write!(f, "it is {state}"),
            Self::Suppressed => f.write_str("the address is suppressed"),
            Self::Enrolment(state) => write!(f, "the enrolment is {state}"),
            Self::Attempts(attempts) => write!(f, "gave_up after {attempts} attempts"),
            Self::Campaign(state) => write!(f, "the campaign is {state}"),
            Self::MailboxPaused { because, .. } => write!(f, "the mailbox is paused: {because}"),
            Self::MailboxDisabled => f.write_str("the mailbox is gone from the configuration"),
            Self::NextPlan => f.write_str("it waits for the next day's plan"),
            Self::NotDue(_) => f.write_str("it is not due yet"),
            Self::HoursOver(_) => f.write_str("the hours it was due in are over"),
            Self::InboxStale(None) => {
                f.write_str("a follow-up needs a reading of the mailbox's inbox, and there is none")
            }
            Self::InboxStale(Some(_)) => {
                f.write_str("a follow-up needs a recent reading of the mailbox's inbox")
            }
            Self::MailboxDay(used) => full(f, "the mailbox", used),
            Self::DomainDay(used) => full(f, "the sending domain", used),
            Self::TenantDay(used) => full(f, "the tenant", used),
            Self::CompanyDay(used) => full(f, "the company written to", used),
            Self::PersonGap(_) => f.write_str("the person was written to too lately"),
            Self::MailboxGap(_) => f.write_str("the mailbox sent a moment ago"),
        }
    }
}

/// The reason that binds: the one that would hold longest if all others fell away. `None`: it may
/// leave.
#[must_use]
pub fn binding(facts: &Facts, now: Millis) -> Option<Hold> {
    let after = |last: Option<Millis>, gap: Millis| last.map(|at| at + gap).filter(|&at| at > now);
    let stale = || facts.inbox_read_at.is_none_or(|read_at| read_at < now - facts.fresh);
    if facts.state != "planned" {
        return Some(Hold::NotPlanned(facts.state.clone()));
    }
    if facts.suppressed {
        return Some(Hold::Suppressed);
    }
    if facts.enrolment_state != "active" || facts.erased {
        return Some(Hold::Enrolment(facts.enrolment_state.clone()));
    }
    if facts.attempts >= ATTEMPTS_MAX {
        return Some(Hold::Attempts(facts.attempts));
    }
    if facts.campaign_state != "running" {
        return Some(Hold::Campaign(facts.campaign_state.clone()));
    }
    match facts.mailbox_state.as_str() {
        "active" => {}
        "paused" => {
            let because = facts.paused_because.clone().unwrap_or_default();
            return Some(Hold::MailboxPaused { because, until: facts.paused_until });
        }
        _ => return Some(Hold::MailboxDisabled),
    }
    if facts.step > 1 && stale() {
        return Some(Hold::InboxStale(facts.inbox_read_at));
    }
    if !facts.planned_today {
        return Some(Hold::NextPlan);
    }
    if facts.closes_at <= now {
        return Some(Hold::HoursOver(facts.closes_at));
    }
    full_day(facts)
        .or_else(|| after(facts.person_attempt_at, facts.person_gap).map(Hold::PersonGap))
        .or_else(|| (facts.due_at > now).then_some(Hold::NotDue(facts.due_at)))
        .or_else(|| after(facts.mailbox_attempt_at, facts.gap).map(Hold::MailboxGap))
}

fn full_day(facts: &Facts) -> Option<Hold> {
    let full = |used: &Used| used.is_full();
    if facts.mailbox_day.is_full() {
        return Some(Hold::MailboxDay(facts.mailbox_day));
    }
    if facts.domain_day.is_full() {
        return Some(Hold::DomainDay(facts.domain_day));
    }
    let tenant = facts.tenant_day.filter(full).map(Hold::TenantDay);
    tenant.or_else(|| facts.company_day.filter(full).map(Hold::CompanyDay))
}

/// Attempts that a server answered, or may have; after as many a message is given up.
pub const ATTEMPTS_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn free() -> Facts {
        let room = Used { attempted: 1, ceiling: 5 };
        Facts {
            state: "planned".to_owned(),
            planned_today: true,
            attempts: 4,
            due_at: 0,
            closes_at: 200,
            step: 2,
            enrolment_state: "active".to_owned(),
            erased: false,
            suppressed: false,
            campaign_state: "running".to_owned(),
            mailbox_state: "active".to_owned(),
            paused_until: None,
            paused_because: None,
            inbox_read_at: Some(95),
            fresh: 10,
            mailbox_attempt_at: Some(50),
            gap: 10,
            person_attempt_at: Some(50),
            person_gap: 10,
            mailbox_day: room,
            domain_day: room,
            tenant_day: Some(room),
            company_day: None,
        }
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Facts), want: Option<&str>) {
        let mut facts = free();
        change(&mut facts);
        assert_eq!(binding(&facts, 100).map(|hold| hold.as_str()), want);
    }

    #[test]
    fn holds() {
        let full = Used { attempted: 5, ceiling: 5 };
        check(|_| {}, None);
        check(|f| f.state = "accepted".to_owned(), Some("not_planned"));
        check(|f| f.suppressed = true, Some("suppressed"));
        check(|f| f.enrolment_state = "replied".to_owned(), Some("enrolment_over"));
        check(|f| f.attempts = 5, Some("gave_up"));
        check(|f| f.campaign_state = "paused".to_owned(), Some("campaign_not_running"));
        check(|f| f.mailbox_state = "paused".to_owned(), Some("mailbox_paused"));
        check(|f| f.mailbox_state = "disabled".to_owned(), Some("mailbox_disabled"));
        check(|f| f.inbox_read_at = None, Some("inbox_not_read"));
        check(|f| f.inbox_read_at = Some(89), Some("inbox_not_read"));
        check(|f| (f.inbox_read_at, f.step) = (None, 1), None);
        check(|f| f.planned_today = false, Some("next_plan"));
        check(|f| f.mailbox_day = full, Some("mailbox_day_full"));
        check(|f| f.domain_day = full, Some("domain_day_full"));
        check(|f| f.tenant_day = Some(full), Some("tenant_day_full"));
        check(|f| f.company_day = Some(full), Some("company_day_full"));
        check(|f| f.person_attempt_at = Some(95), Some("person_gap"));
        check(|f| f.due_at = 101, Some("not_due"));
        check(|f| f.closes_at = 100, Some("hours_over"));
        check(|f| f.mailbox_attempt_at = Some(91), Some("mailbox_gap"));
        // A suppressed person of a paused campaign is held by the suppression.
        check(
            |f| (f.suppressed, f.campaign_state) = (true, "paused".to_owned()),
            Some("suppressed"),
        );
    }
}
