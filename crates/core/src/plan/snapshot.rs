//! What a plan is made from: the fleet, the campaigns and the work as they stand.
//!
//! Rows refer to one another by position in their lists, so that a million of them stay small.

use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::calendar::{self, Window};
use crate::health::PauseReason;
use crate::id::{CampaignId, EnrolmentId, MailboxId, MessageId, ProspectId};
use crate::span::{self, Millis, Span};
use crate::warmup::{Curve, Warmth};

/// Where something stands in a list of the snapshot. Half a `usize`: of work there may be a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u32);

impl Place {
    /// The place with that index; no list is longer than a `u32` counts.
    #[must_use]
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Its index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl<T> Index<Place> for Vec<T> {
    type Output = T;

    fn index(&self, place: Place) -> &T {
        &self[place.index()]
    }
}

impl<T> IndexMut<Place> for Vec<T> {
    fn index_mut(&mut self, place: Place) -> &mut T {
        &mut self[place.index()]
    }
}

/// Everything a day's plan depends on, besides the code.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The counting day.
    pub day: Date,
    /// The zone whose civil date counts for every limit.
    pub zone: TimeZone,
    /// Nothing is planned before this moment.
    pub now: Millis,
    /// Where chance comes from.
    pub seed: u64,
    /// Messages to one company in a day.
    pub company_per_day: u32,
    /// Least time between two messages to one person.
    pub person_gap: Millis,
    /// The fleet, in order of address.
    pub mailboxes: Vec<Mailbox>,
    /// The sending domains and what is left of their day.
    pub domains: Vec<Budget>,
    /// The tenants and what is left of their day.
    pub tenants: Vec<Budget>,
    /// For each company, the messages of today, tried or booked.
    pub companies: Vec<u32>,
    /// The running campaigns, in order of slug.
    pub campaigns: Vec<Campaign>,
    /// The calendars that mailboxes and work refer to.
    pub calendars: Vec<Calendar>,
    /// What might be sent.
    pub work: Vec<Work>,
}

/// A counter with a ceiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Whose it is.
    pub name: String,
    /// The most for the day.
    pub ceiling: u32,
    /// Tried or booked.
    pub used: u32,
}

/// Whether a mailbox may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Active,
    /// Not until then, or until an operator says so.
    Paused {
        /// Why.
        reason: PauseReason,
        /// Since when: the longer it was away, the lower it comes back.
        since: Millis,
        /// Until when, if waiting is enough.
        until: Option<Millis>,
    },
    /// Gone from the configuration.
    Disabled,
}

/// How a mailbox spreads its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Over the whole window.
    Even,
    /// As soon as gap and rate allow.
    AsSoonAsPossible,
}

/// One mailbox of the fleet.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// Its row.
    pub id: MailboxId,
    /// Its address.
    pub address: String,
    /// Its place in [`Snapshot::domains`].
    pub domain: usize,
    /// Its place in [`Snapshot::tenants`], if it shares a tenant.
    pub tenant: Option<usize>,
    /// Whether it may send.
    pub standing: Standing,
    /// Where it stands on its curve.
    pub warmth: Warmth,
    /// Its curve.
    pub curve: Curve,
    /// The most it may ever send in a day.
    pub cap: u32,
    /// The eased share of its allowance.
    pub ease_percent: u32,
    /// It has just come back from a pause: one message first.
    pub probe: bool,
    /// Attempts today.
    pub attempted: u32,
    /// Manual mail of today, seen in its Sent folder.
    pub manual: u32,
    /// Moments of messages planned earlier and still to come today.
    pub booked: Vec<Millis>,
    /// Its last attempt.
    pub last_attempt_at: Option<Millis>,
    /// The least time between two of its messages.
    pub gap: Millis,
    /// How it spreads its day.
    pub pace: Pace,
    /// Whether anybody reads its inbox; without that no follow-up leaves from it.
    pub inbox_is_read: bool,
    /// Whether its domain fails its checks: then it writes to nobody new.
    pub domain_fails: bool,
    /// Its own window, a place in [`Snapshot::calendars`].
    pub calendar: Option<usize>,
}

/// One running campaign.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its row.
    pub id: CampaignId,
    /// Its folder's name.
    pub slug: String,
    /// Messages a day, follow-ups included.
    pub daily_target: u32,
    /// Messages of today, tried or booked.
    pub used: u32,
    /// The mailboxes it may use, places in [`Snapshot::mailboxes`].
    pub mailboxes: Vec<usize>,
}

/// When somebody may be written to, or a mailbox may send.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// The windows; any of them will do.
    pub windows: Vec<Window>,
    /// The zones they are seen from; all of them must be open. One, unless only the country is
    /// known and it has several.
    pub zones: Vec<TimeZone>,
    /// The zone that serves where the zones have no hour in common.
    pub fallback: TimeZone,
    /// Days on which no window opens.
    pub holidays: BTreeSet<Date>,
}

impl Calendar {
    /// When it is open within `within`.
    #[must_use]
    pub fn spans(&self, within: Span) -> Vec<Span> {
        let open = |zone| calendar::open_spans(&self.windows, zone, &self.holidays, within);
        let common = self.zones.iter().map(open).reduce(|a, b| span::intersection(&a, &b));
        match common {
            Some(common) if !common.is_empty() || !self.falls_back() => common,
            _ => open(&self.fallback),
        }
    }

    /// Whether its zones are never open together, judged by an ordinary week, so that the fallback
    /// serves.
    #[must_use]
    pub fn falls_back(&self) -> bool {
        if self.zones.len() == 1 {
            return false;
        }
        let week = Span::new(ORDINARY_MONDAY, ORDINARY_MONDAY + 7 * span::DAY);
        let nothing = BTreeSet::new();
        week.is_none_or(|week| {
            let open = |zone| calendar::open_spans(&self.windows, zone, &nothing, week);
            let common = self.zones.iter().map(open).reduce(|a, b| span::intersection(&a, &b));
            common.is_none_or(|common| common.is_empty())
        })
    }

    /// The zone by which days are counted for waits between steps.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        self.zones.first().unwrap_or(&self.fallback)
    }
}

/// One message that might be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Whose step it is.
    pub enrolment: EnrolmentId,
    /// The person.
    pub prospect: ProspectId,
    /// A place in [`Snapshot::campaigns`].
    pub campaign: Place,
    /// The step, from 1.
    pub step: u32,
    /// Its row, where an earlier plan made one.
    pub message: Option<MessageId>,
    /// The mailbox it must leave from, a place in [`Snapshot::mailboxes`]: the thread's, or the one
    /// that tried before.
    pub mailbox: Option<Place>,
    /// The first moment it may go.
    pub ready_at: Millis,
    /// The first moment the person may be written to again.
    pub person_free_at: Millis,
    /// A place in [`Snapshot::companies`].
    pub company: Option<Place>,
    /// A place in [`Snapshot::calendars`].
    pub calendar: Place,
}

/// Monday 2026-02-02, 00:00 UTC: no DST change and no holiday near it anywhere.
const ORDINARY_MONDAY: Millis = 1_769_990_400_000;
