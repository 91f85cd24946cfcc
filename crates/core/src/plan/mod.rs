//! The day's plan: who writes to whom, from which mailbox, when, and what does not fit and why.
//!
//! [`plan_day`] is a pure function of a [`Snapshot`]. Follow-ups come first and stay with the
//! mailbox of their thread; new enrolments fill the rest so that every mailbox carries the same
//! fraction of what it may. A pause takes volume away; it never moves it to another mailbox.

mod choose;
mod fleet;
mod forecast;
mod place;
mod ring;
mod shortfall;
mod snapshot;

use jiff::civil::Date;

pub use self::forecast::{Forecast, ForecastDay, Sequence, forecast};
pub use self::shortfall::{Limit, Shortfall};
pub use self::snapshot::{
    Budget, Calendar, Campaign, Mailbox, Pace, Place, Snapshot, Standing, Work,
};
use crate::calendar;
use crate::id::{EnrolmentId, MailboxId};
use crate::span::Millis;

/// One message of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// A place in [`Snapshot::work`], which says what it is.
    pub work: Place,
    /// A place in [`Snapshot::mailboxes`].
    pub mailbox: Place,
    /// Whose step it is.
    pub enrolment: EnrolmentId,
    /// When it is due.
    pub due_at: Millis,
    /// When the hours it is due in are over.
    pub closes_at: Millis,
}

/// One mailbox's day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxDay {
    /// Its row.
    pub id: MailboxId,
    /// Its address.
    pub address: String,
    /// Warm days earned so far.
    pub warm_days: u32,
    /// Today's most, after warmup and easing. 0 while paused.
    pub allowance: u32,
    /// What its counter may reach today: the allowance less manual mail.
    pub ceiling: u32,
    /// Today's share: tried, booked and newly planned.
    pub allotted: u32,
    /// The first message still to come.
    pub first_at: Option<Millis>,
    /// The last.
    pub last_at: Option<Millis>,
}

/// One campaign's day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignDay {
    /// Its slug.
    pub slug: String,
    /// What this plan should place: the daily target less what is done, or the work due if less.
    pub target: u32,
    /// What it places.
    pub planned: u32,
    /// Work whose window does not open for the rest of today.
    pub closed: u32,
}

/// A whole day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The counting day.
    pub day: Date,
    /// The messages, by moment.
    pub messages: Vec<Planned>,
    /// The fleet's day, in the snapshot's order.
    pub mailboxes: Vec<MailboxDay>,
    /// The campaigns' day, in the snapshot's order.
    pub campaigns: Vec<CampaignDay>,
    /// What did not fit, why, and what would help.
    pub shortfalls: Vec<Shortfall>,
}

/// Plans what is left of a day.
#[must_use]
pub fn plan_day(snapshot: &Snapshot) -> Plan {
    let day_span = calendar::day_span(&snapshot.zone, snapshot.day);
    let hours = place::Hours::new(snapshot, day_span);
    let mut rooms = fleet::Rooms::new(snapshot);
    let mut ledger = shortfall::Ledger::new(snapshot);

    let chosen = choose::choose(snapshot, &hours, &mut rooms, &mut ledger);
    let mut messages = place::place(snapshot, &hours, chosen, &mut ledger);
    messages.sort_unstable_by_key(|m| (m.due_at, m.mailbox, m.enrolment));

    let mailboxes = fleet::mailbox_days(snapshot, &rooms, &messages);
    let (campaigns, shortfalls) = ledger.close(snapshot, &rooms, &messages);
    Plan { day: snapshot.day, messages, mailboxes, campaigns, shortfalls }
}

#[cfg(test)]
mod tests;
