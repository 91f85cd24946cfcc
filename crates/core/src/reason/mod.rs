//! Why a message left or does not leave this instant: every reason that holds it back, the one that
//! binds first, each with its numbers and with what clears it.
//!
//! A message that some plan has made is held by a [`Hold`], and the claim goes by the very same
//! conditions. Where nothing is planned of a step yet, [`unplanned`] says why; of a message that is
//! no longer planned, [`settled`] says what became of it.

mod bound;
mod hold;
mod settled;
mod unplanned;

use std::cmp::Reverse;

pub use self::bound::Bound;
pub use self::hold::{Clears, Hold};
pub use self::settled::{Past, Settled, Whom, settled};
pub use self::unplanned::{Absence, Turn, Unplanned, unplanned};
use crate::span::Millis;

/// Everything a claim depends on, as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the books themselves are.
    pub books: Books,
    /// The message.
    pub message: Message,
    /// Whom it goes to.
    pub person: Person,
    /// Its campaign.
    pub campaign: Campaign,
    /// The mailbox it leaves from.
    pub mailbox: Mailbox,
    /// When the present counting day is over.
    pub day_ends_at: Millis,
}

/// What the books are that everything is read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Books {
    /// The ones that send.
    #[default]
    Current,
    /// An older copy of others that have sent since: no mailbox is leased from them.
    Outdated,
}

/// A message that was planned once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its state.
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
    /// Whether it is planned from another mailbox than its thread began in.
    pub strays: bool,
}

/// A person in one campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The state of the enrolment.
    pub state: String,
    /// Why it is in that state, where the state alone does not say.
    pub because: Option<String>,
    /// Whether the person was erased.
    pub erased: bool,
    /// Whether the address or its domain is suppressed.
    pub suppressed: bool,
    /// A mailbox that may have begun with this person already: since the books were copied nothing
    /// shows whom it wrote to.
    pub unproven: Option<String>,
    /// The last attempt to this person with another message.
    pub attempt_at: Option<Millis>,
    /// The least time between two messages to one person.
    pub gap: Millis,
    /// The company's day, if it has one.
    pub company_day: Option<Used>,
}

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its state.
    pub state: String,
    /// The pause's sentence.
    pub because: Option<String>,
}

/// A mailbox, and what it shares with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its state.
    pub state: String,
    /// Until when it is paused, where waiting is enough.
    pub paused_until: Option<Millis>,
    /// The pause's sentence.
    pub paused_because: Option<String>,
    /// Whether it is paused until somebody logs in for it.
    pub needs_login: bool,
    /// Why its domain writes to nobody new, if so.
    pub domain_fails: Option<String>,
    /// When its inbox was last read.
    pub inbox_read_at: Option<Millis>,
    /// How old that reading may be for a follow-up.
    pub fresh: Millis,
    /// Its last attempt.
    pub attempt_at: Option<Millis>,
    /// The least time between two of its attempts.
    pub gap: Millis,
    /// Since when another message of it is being sent.
    pub in_flight_since: Option<Millis>,
    /// Until when a daemon holds it.
    pub leased_until: Option<Millis>,
    /// Its day.
    pub day: Used,
    /// The sending domain's day.
    pub domain_day: Used,
    /// The tenant's day, if it has one.
    pub tenant_day: Option<Used>,
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

/// The reason that binds: the one that would hold longest if all others fell away. `None`: it may
/// leave.
#[must_use]
pub fn binding(facts: &Facts, now: Millis) -> Option<Hold> {
    holds(facts, now).into_iter().next()
}

/// Every reason that keeps a message back, the one that binds first. None: it may leave.
#[must_use]
pub fn holds(facts: &Facts, now: Millis) -> Vec<Hold> {
    let Facts { books, message, person, campaign, mailbox, day_ends_at } = facts;
    if message.state != "planned" {
        return vec![Hold::NotPlanned(message.state.clone())];
    }
    let stale = || inbox_stale(mailbox, now).filter(|_| message.step > 1);
    let is_over = message.closes_at <= now;
    let mut holds = are_outdated(*books);
    holds.extend(whom(person));
    holds.extend((message.attempts >= ATTEMPTS_MAX).then_some(Hold::Attempts(message.attempts)));
    holds.extend(campaign_stands(campaign));
    holds.extend(mailbox_stands(mailbox));
    holds.extend(domain_fails(mailbox, message.step));
    holds.extend(message.strays.then_some(Hold::AnotherThread));
    holds.extend(stale());
    if message.planned_today {
        holds.extend(is_over.then_some(Hold::HoursOver(message.closes_at)));
        holds.extend(full_days(mailbox));
        holds.extend(company_full(person));
    } else {
        // Its day's counters are another day's.
        holds.push(Hold::NextPlan);
    }
    holds.extend(person_gap(person, now));
    holds.extend((message.due_at > now).then_some(Hold::NotDue(message.due_at)));
    holds.extend(mailbox_busy(mailbox, now));
    sorted(holds, *day_ends_at)
}

/// Every reason that keeps a mailbox from sending anything at this moment, the one that binds
/// first. That no daemon holds it is none: a daemon takes it up when something is due.
#[must_use]
pub fn mailbox_holds(
    books: Books,
    mailbox: &Mailbox,
    day_ends_at: Millis,
    now: Millis,
) -> Vec<Hold> {
    let mut holds = are_outdated(books);
    holds.extend(mailbox_stands(mailbox));
    holds.extend(full_days(mailbox));
    holds.extend(mailbox_busy(mailbox, now));
    holds.retain(|hold| *hold != Hold::Unleased);
    sorted(holds, day_ends_at)
}

/// The one that holds longest first. Stable: of two that last as long, the one that says more of
/// the message comes first.
fn sorted(mut holds: Vec<Hold>, day_ends_at: Millis) -> Vec<Hold> {
    holds.sort_by_key(|hold| Reverse(hold.lasts(day_ends_at)));
    holds
}

fn are_outdated(books: Books) -> Vec<Hold> {
    match books {
        Books::Current => Vec::new(),
        Books::Outdated => vec![Hold::Outdated],
    }
}

fn whom(person: &Person) -> Vec<Hold> {
    let mut holds = Vec::new();
    if person.suppressed {
        holds.push(Hold::Suppressed);
    }
    if person.state != "active" || person.erased {
        let state = if person.erased { "erased" } else { &person.state };
        holds.push(Hold::Enrolment { state: state.to_owned(), because: person.because.clone() });
    }
    holds.extend(person.unproven.clone().map(Hold::Unproven));
    holds
}

fn campaign_stands(campaign: &Campaign) -> Option<Hold> {
    let Campaign { state, because } = campaign.clone();
    (state != "running").then_some(Hold::Campaign { state, because })
}

fn mailbox_stands(mailbox: &Mailbox) -> Option<Hold> {
    match mailbox.state.as_str() {
        "active" => None,
        "paused" => {
            let because = mailbox.paused_because.clone().unwrap_or_default();
            Some(match mailbox.needs_login {
                true => Hold::MailboxLogin { because },
                false => Hold::MailboxPaused { because, until: mailbox.paused_until },
            })
        }
        _ => Some(Hold::MailboxDisabled),
    }
}

/// Follow-ups of a failing domain leave all the same: whoever was written to may expect them, and
/// silence mends nothing.
fn domain_fails(mailbox: &Mailbox, step: u32) -> Option<Hold> {
    mailbox.domain_fails.clone().filter(|_| step == 1).map(Hold::DomainFails)
}

fn inbox_stale(mailbox: &Mailbox, now: Millis) -> Option<Hold> {
    let age = mailbox.inbox_read_at.map(|read_at| now - read_at);
    let is_fresh = age.is_some_and(|age| age <= mailbox.fresh);
    (!is_fresh).then_some(Hold::InboxStale { age, fresh: mailbox.fresh })
}

fn full_days(mailbox: &Mailbox) -> Vec<Hold> {
    let full = |used: &Used| used.is_full();
    let days = [
        Some(mailbox.day).filter(full).map(Hold::MailboxDay),
        Some(mailbox.domain_day).filter(full).map(Hold::DomainDay),
        mailbox.tenant_day.filter(full).map(Hold::TenantDay),
    ];
    days.into_iter().flatten().collect()
}

fn company_full(person: &Person) -> Option<Hold> {
    person.company_day.filter(|used| used.is_full()).map(Hold::CompanyDay)
}

fn person_gap(person: &Person, now: Millis) -> Option<Hold> {
    let until = person.attempt_at? + person.gap;
    (until > now).then_some(Hold::PersonGap { until, gap: person.gap })
}

/// What a mailbox that may send is busy with.
fn mailbox_busy(mailbox: &Mailbox, now: Millis) -> Vec<Hold> {
    let until = mailbox.attempt_at.map(|at| at + mailbox.gap).filter(|&until| until > now);
    let gap = until.map(|until| Hold::MailboxGap { until, gap: mailbox.gap });
    let is_held = mailbox.leased_until.is_some_and(|until| until > now);
    let unleased = (!is_held).then_some(Hold::Unleased);
    [gap, mailbox.in_flight_since.map(Hold::InFlight), unleased].into_iter().flatten().collect()
}

/// The word for a message that is tried no more. Whatever gives one up has its sentence begin so, and
/// by that the books tell it from one that a server refused.
pub const GAVE_UP: &str = "gave_up";

/// Attempts that a server answered, or may have; after as many a message is given up.
pub const ATTEMPTS_MAX: u32 = 5;

#[cfg(test)]
mod tests;
