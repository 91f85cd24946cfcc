//! The same plan, day after day, in simulated time: the ramp, the finish, the first limit.
//!
//! As if every message were accepted at its moment, every inbox read and nobody answered: the most that can happen.
//! Answers only take work away, and trouble only takes allowance away.

use jiff::civil::Date;

use super::{Limit, Mailbox, MailboxDay, Plan, Snapshot, Standing, plan_day};
use crate::calendar;
use crate::health::{self, Earned};
use crate::sequence::Wait;
use crate::span::Millis;
use crate::warmup::DayRecord;

/// A campaign's steps behind the first, as far as time is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The wait before step 2, 3, …
    pub waits: Vec<Wait>,
}

/// One day to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastDay {
    /// The counting day.
    pub day: Date,
    /// First messages planned.
    pub new: u32,
    /// Follow-ups planned.
    pub follow_ups: u32,
    /// What did not fit.
    pub shortfall: u32,
    /// The limit that kept out most.
    pub binding: Option<Limit>,
    /// The fleet's day.
    pub mailboxes: Vec<MailboxDay>,
}

/// Days to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Day by day, as many as were asked for or as there is work.
    pub days: Vec<ForecastDay>,
    /// The day of the last message, if it lies within.
    pub finished_on: Option<Date>,
    /// The first day on which something did not fit, and what kept it out.
    pub first_limit: Option<(Date, Limit)>,
}

/// Plans `days` days from the snapshot's on. `sequences` are the campaigns', in the snapshot's
/// order; the snapshot's work holds every live enrolment, due or not.
#[must_use]
pub fn forecast(mut snapshot: Snapshot, sequences: &[Sequence], days: u32) -> Forecast {
    let mut out = Forecast { days: Vec::new(), finished_on: None, first_limit: None };
    snapshot.mailboxes.iter_mut().for_each(|mailbox| mailbox.inbox_is_read = true);
    for _ in 0..days {
        if snapshot.work.is_empty() {
            break;
        }
        let plan = plan_day(&snapshot);
        let day = summary(&snapshot, &plan);
        if let (None, Some(limit)) = (out.first_limit, day.binding) {
            out.first_limit = Some((plan.day, limit));
        }
        advance(&mut snapshot, &plan, sequences);
        if snapshot.work.is_empty() {
            out.finished_on = plan.messages.last().map(|_| plan.day);
        }
        out.days.push(day);
    }
    out
}

fn summary(snapshot: &Snapshot, plan: &Plan) -> ForecastDay {
    let follow_ups = plan.messages.iter().filter(|m| snapshot.work[m.work].step > 1).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    ForecastDay {
        day: plan.day,
        new: count(plan.messages.len() - follow_ups),
        follow_ups: count(follow_ups),
        shortfall: plan.shortfalls.iter().map(|s| s.count).sum(),
        binding: plan.shortfalls.iter().max_by_key(|s| s.count).map(|s| s.why),
        mailboxes: plan.mailboxes.clone(),
    }
}

/// Lets the day pass.
fn advance(snapshot: &mut Snapshot, plan: &Plan, sequences: &[Sequence]) {
    let mut over = vec![false; snapshot.work.len()];
    for message in &plan.messages {
        let calendar = &snapshot.calendars[snapshot.work[message.work].calendar];
        let (zone, holidays) = (calendar.zone().clone(), calendar.holidays.clone());
        let work = &mut snapshot.work[message.work];
        let waits = &sequences[work.campaign.index()].waits;
        let next = usize::try_from(work.step).ok().and_then(|step| waits.get(step - 1));
        match next {
            Some(wait) => {
                work.step += 1;
                work.message = None;
                work.mailbox = Some(message.mailbox);
                work.ready_at = wait.after(message.due_at, &zone, &holidays);
                work.person_free_at = message.due_at + snapshot.person_gap;
            }
            None => over[message.work] = true,
        }
    }
    let mut index = 0;
    snapshot.work.retain(|_| {
        index += 1;
        !over[index - 1]
    });
    let end = calendar::day_span(&snapshot.zone, snapshot.day).end();
    snapshot.now = end;
    snapshot.day = calendar::day_of(&snapshot.zone, end);
    snapshot.companies.iter_mut().for_each(|used| *used = 0);
    snapshot.domains.iter_mut().chain(&mut snapshot.tenants).for_each(|budget| budget.used = 0);
    snapshot.campaigns.iter_mut().for_each(|campaign| campaign.used = 0);
    for (mailbox, day) in snapshot.mailboxes.iter_mut().zip(&plan.mailboxes) {
        let accepted = day.allotted;
        let record = DayRecord { allowance: day.allowance, accepted, ..DayRecord::default() };
        let earned = earned(mailbox).after(record);
        (mailbox.warmth, mailbox.ease_percent) = (earned.warmth, earned.ease_percent);
        mailbox.probe &= accepted == 0;
        mailbox.last_attempt_at = day.last_at.or(mailbox.last_attempt_at);
        (mailbox.attempted, mailbox.manual) = (0, 0);
        mailbox.booked.clear();
        resume_if_over(mailbox, end);
    }
}

/// A pause ends as the books end it: lower on the curve, and with a probe.
fn resume_if_over(mailbox: &mut Mailbox, now: Millis) {
    if let Standing::Paused { reason, since, until: Some(until) } = mailbox.standing
        && until <= now
    {
        mailbox.standing = Standing::Active;
        let earned = earned(mailbox).on_return(reason, until - since);
        (mailbox.warmth, mailbox.ease_percent) = (earned.warmth, earned.ease_percent);
        mailbox.probe |= health::probes_on_return(reason);
    }
}

fn earned(mailbox: &Mailbox) -> Earned {
    Earned {
        warmth: mailbox.warmth,
        ease_percent: mailbox.ease_percent,
        plateau: mailbox.curve.plateau(mailbox.cap),
    }
}
