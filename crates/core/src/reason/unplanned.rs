//! Why nothing is planned of somebody's next step: whose turn it is not yet.
//!
//! As if the step had to leave at this very moment. Knows the hours to come, the day's counters and
//! how many come first, and supposes nothing of what a server will answer.

use std::cmp::Reverse;
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{
    Books, Campaign, Clears, Hold, Mailbox, Person, Used, are_outdated, campaign_stands,
    company_full, full_days, inbox_stale, mailbox_stands, person_gap, whom,
};
use crate::plan::Limit;
use crate::span::{Millis, Span};

/// An enrolment whose next step no plan has taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The step, from 1.
    pub step: u32,
    /// The first moment it may go.
    pub next_at: Millis,
    /// Until when the person said to be away, if they did.
    pub away: Option<Absence>,
    /// What the books themselves are.
    pub books: Books,
    /// Whom it goes to.
    pub person: Person,
    /// Its campaign.
    pub campaign: Campaign,
    /// The mailbox of its thread; none before the first step.
    pub mailbox: Option<Mailbox>,
    /// When the person may be written to, from now on, in order. Where a thread's mailbox has hours
    /// of its own, what both have in common.
    pub open: Vec<Span>,
    /// Whether today is one of the campaign's holidays.
    pub is_holiday: bool,
    /// The present counting day.
    pub today: Span,
    /// The campaign's day: messages tried or planned, of its daily target.
    pub target: Used,
    /// Others of the campaign that come first.
    pub before: u32,
    /// Whether today has a plan, and what that left out of the campaign.
    pub short: Option<Vec<(Limit, u32)>>,
}

/// What somebody's machine said of their absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The day on which they are back, as its beginning in UTC.
    pub until: Millis,
    /// When it said so.
    pub said_at: Millis,
}

/// Why nothing is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unplanned {
    /// What would hold a planned message back too.
    Held(Hold),
    /// The step waits for its time after the one before.
    Waits(Millis),
    /// The person is away, and the step's own time would be over.
    Away(Absence),
    /// The hours are not open.
    Closed {
        /// When they open next, if they do within the days looked at.
        opens_at: Option<Millis>,
        /// Whether a holiday keeps them closed.
        holiday: bool,
    },
    /// The campaign has had its messages of the day.
    Target(Used),
    /// Others of the campaign come first, and take up at least so many days.
    Behind {
        /// How many.
        before: u32,
        /// Days that the daily target needs for them.
        days: u32,
    },
    /// There was no room in today's plan.
    Short {
        /// What kept messages out.
        limit: Limit,
        /// How many of the campaign.
        count: u32,
    },
    /// Nobody has planned today.
    NoPlan,
    /// Nothing is in the way: the next plan takes it in.
    NextPlan,
}

/// Every reason why nothing of a step is planned for this moment, the one that holds longest first.
/// Never empty: where nothing else is in the way, the plan is.
#[must_use]
pub fn unplanned(turn: &Turn, now: Millis) -> Vec<Unplanned> {
    let mut reasons: Vec<Unplanned> =
        held(turn, now).into_iter().map(Unplanned::Held).chain(not_yet(turn, now)).collect();
    if reasons.is_empty() {
        reasons = match &turn.short {
            None => vec![Unplanned::NoPlan],
            Some(short) if short.is_empty() => vec![Unplanned::NextPlan],
            Some(short) => {
                short.iter().map(|&(limit, count)| Unplanned::Short { limit, count }).collect()
            }
        };
    }
    // Stable: of two that last as long, the one that says more comes first.
    reasons.sort_by_key(|reason| Reverse(reason.clears().lasts(turn.today.end())));
    reasons
}

fn held(turn: &Turn, now: Millis) -> Vec<Hold> {
    let mut holds = are_outdated(turn.books);
    holds.extend(whom(&turn.person));
    holds.extend(campaign_stands(&turn.campaign));
    if let Some(mailbox) = &turn.mailbox {
        holds.extend(mailbox_stands(mailbox));
        holds.extend(inbox_stale(mailbox, now));
        holds.extend(full_days(mailbox));
    }
    holds.extend(company_full(&turn.person));
    holds.extend(person_gap(&turn.person, now));
    holds
}

fn not_yet(turn: &Turn, now: Millis) -> Vec<Unplanned> {
    let Used { attempted, ceiling } = turn.target;
    let left = ceiling.saturating_sub(attempted);
    let is_open = turn.open.iter().any(|span| span.contains(now));
    let opens_at = turn.open.iter().map(|span| span.start()).find(|&at| at > now);
    let reasons = [
        (turn.next_at > now).then_some(match turn.away {
            Some(absence) if absence.until == turn.next_at => Unplanned::Away(absence),
            _ => Unplanned::Waits(turn.next_at),
        }),
        (!is_open).then_some(Unplanned::Closed { opens_at, holiday: turn.is_holiday }),
        turn.target.is_full().then_some(Unplanned::Target(turn.target)),
        (turn.before > 0 && turn.before >= left).then(|| Unplanned::Behind {
            before: turn.before,
            // What today leaves takes some of them; each day to come as many as the target.
            days: (turn.before - left) / ceiling.max(1) + 1,
        }),
    ];
    reasons.into_iter().flatten().collect()
}

impl Unplanned {
    /// The word for scripts.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Held(hold) => hold.as_str(),
            Self::Waits(_) => "waits",
            Self::Away(_) => "away",
            Self::Closed { holiday: true, .. } => "holiday",
            Self::Closed { holiday: false, .. } => "closed",
            Self::Target(_) => "daily_target",
            Self::Behind { .. } => "others_first",
            Self::Short { limit, .. } => limit.word(),
            Self::NoPlan => "no_plan",
            Self::NextPlan => "next_plan",
        }
    }

    /// What makes it go away.
    #[must_use]
    pub fn clears(&self) -> Clears {
        match self {
            Self::Held(hold) => hold.clears(),
            Self::Away(Absence { until: at, .. })
            | Self::Waits(at)
            | Self::Closed { opens_at: Some(at), .. } => Clears::At(*at),
            Self::Closed { opens_at: None, .. } | Self::Short { limit: Limit::NeedsLogin, .. } => {
                Clears::Operator
            }
            Self::Target(_) | Self::Short { .. } => Clears::NextDay,
            Self::Behind { days, .. } => Clears::Days(*days),
            Self::NoPlan | Self::NextPlan => Clears::Running,
        }
    }

    /// What an operator can do about it, where there is something.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Held(hold) => hold.cure(),
            Self::Closed { opens_at: None, .. } => {
                Some("look at `window` and `holidays` in campaign.toml")
            }
            Self::Target(_) | Self::Behind { .. } => {
                Some("a higher `daily_target` in campaign.toml, if the mailboxes have room")
            }
            Self::Short { limit: Limit::NeedsLogin, .. } => {
                Some("`warmfront mailbox login ADDRESS`")
            }
            Self::Short { .. } => Some("`warmfront plan` says what would help"),
            Self::NoPlan => Some("`warmfront run`"),
            Self::Waits(_)
            | Self::Away(_)
            | Self::Closed { opens_at: Some(_), .. }
            | Self::NextPlan => None,
        }
    }
}

impl fmt::Display for Unplanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(hold) => hold.fmt(f),
            Self::Waits(_) => f.write_str("its wait after the step before is not over"),
            Self::Away(Absence { until, said_at }) => write!(
                f,
                "away until {}, says their out-of-office of {}",
                day(*until),
                day(*said_at)
            ),
            Self::Closed { holiday: true, .. } => f.write_str("today is a holiday of the campaign"),
            Self::Closed { holiday: false, .. } => {
                f.write_str("the person may not be written to at this hour")
            }
            Self::Target(Used { attempted, ceiling }) => write!(
                f,
                "the campaign has had {attempted} messages today, of a daily target of {ceiling}"
            ),
            Self::Behind { before, .. } => write!(f, "{before} others of the campaign come first"),
            Self::Short { limit, count } => {
                write!(f, "{count} of the campaign had no room in today's plan: {limit}")
            }
            Self::NoPlan => f.write_str("today has no plan yet; a daemon makes it"),
            Self::NextPlan => f.write_str("nothing is in the way: the next plan takes it in"),
        }
    }
}

/// The day of a moment in UTC, in which days of return are kept.
fn day(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).date().to_string()
}
