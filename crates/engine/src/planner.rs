//! The planner: begins the day, plans it once, and appends when new work or new room appears.

use jiff::civil::Date;
use tracing::info;
use warmfront_core::calendar;
use warmfront_core::plan::{self, Plan, Snapshot, Standing};
use warmfront_core::span::{DAY, Millis, SECOND};
use warmfront_store::{
    DayPlan, NewMessage, PlanEntry, ReckonedBy, SavedMailboxDay, Settings, Store,
};

use crate::EngineError;
use crate::office::Office;
use crate::roster::Roster;
use crate::snapshot::{Extent, snapshot};

/// The planner of one process.
#[derive(Debug)]
pub struct Planner {
    office: Office,
    /// The day last planned, and what the books looked like then.
    planned: Option<Planned>,
    /// Whether messages were put back since: their room is another's.
    has_room: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Planned {
    day: Date,
    at: Millis,
    mark: i64,
    /// The messages that were left without a day, though due.
    unplaced: i64,
    /// How long it took to make.
    took: Millis,
}

impl Planner {
    /// A planner that has planned nothing yet.
    #[must_use]
    pub fn new(office: Office) -> Self {
        Self { office, planned: None, has_room: false }
    }

    /// Does what is due by `now`; says when to come back.
    pub async fn tick(&mut self, now: Millis) -> Result<Millis, EngineError> {
        let day = self.office.day(now);
        let store = &self.office.store.clone();
        let settings = settings(store).await?;
        store.resume_due(now).await?;
        if self.planned.is_none_or(|planned| planned.day != day) {
            store.roll_days(&day.to_string(), days_between, now).await?;
            let stopped = store.stop_late_follow_ups(LATE, now).await?;
            if stopped > 0 {
                info!(stopped, "follow-ups waited too long for paused mailboxes");
            }
        }
        store.finish_campaigns(now).await?;
        let mut roster = Roster::clone(&self.office.roster());
        roster.refresh(store, &self.office.fleet.timezone).await?;
        self.office.hang_up(roster);
        if self.is_stale(day, now).await? {
            let mark = store.planning_mark().await?;
            // Where another planner was faster, the next tick takes in what that one left.
            let saved = self.plan(&settings, day, now).await?;
            let unplaced = store.unplaced(now).await?;
            let took = self.office.clock.now() - now;
            self.has_room = false;
            self.planned = saved.then_some(Planned { day, at: now, mark, unplaced, took });
        }
        let midnight = calendar::day_span(&self.office.fleet.timezone, day).end();
        Ok((now + self.office.poll).min(midnight))
    }

    /// Whether what it planned last was saved, and nothing put back since. Where another planner was
    /// faster, or an answer came meanwhile, there may be work that no plan has yet.
    #[must_use]
    pub fn has_planned(&self) -> bool {
        self.planned.is_some() && !self.has_room
    }

    /// Whether something happened since the last plan that a new one would take in.
    async fn is_stale(&mut self, day: Date, now: Millis) -> Result<bool, EngineError> {
        let Some(planned) = self.planned.filter(|planned| planned.day == day) else {
            return Ok(true);
        };
        if self.office.store.planning_mark().await? != planned.mark {
            return Ok(true);
        }
        if self.office.store.has_new_follow_up(planned.at, now).await? {
            return Ok(true);
        }
        // A claim that is refused puts its message back, and somebody else may have its place. Others
        // may be refused at once, and a plan is work: it waits for them.
        self.has_room = self.office.store.unplaced(now).await? > planned.unplaced;
        Ok(self.has_room && now - planned.at >= (planned.took * REPLAN_AFTER).max(REPLAN_MIN))
    }

    /// Plans and saves. `false`: another planner has placed one of the messages.
    async fn plan(&self, settings: &Settings, day: Date, now: Millis) -> Result<bool, EngineError> {
        let (store, fleet, roster) = (&self.office.store, &self.office.fleet, self.office.roster());
        let snapshot = snapshot(store, fleet, &roster, settings, (day, now), Extent::Day).await?;
        let mut plan = plan::plan_day(&snapshot);
        // What stands together in the books is written together: they look each enrolment up.
        plan.messages.sort_unstable_by_key(|message| message.enrolment);
        let day_plan = saved(&plan, &snapshot, settings, now);
        let is_revision = store.is_planned(&day_plan.day).await?;
        if is_revision && plan.messages.is_empty() && store.has_ceilings_of(&day_plan).await? {
            return Ok(true);
        }
        if !store.save_plan(day_plan).await? {
            return Ok(false);
        }
        let short: u32 = plan.shortfalls.iter().map(|s| s.count).sum();
        info!(day = %day, planned = plan.messages.len(), short, "planned");
        Ok(true)
    }
}

/// The settings, which the engine writes before any loop begins.
pub(crate) async fn settings(store: &Store) -> Result<Settings, EngineError> {
    let settings = store.settings().await?;
    Ok(settings.ok_or_else(|| {
        warmfront_store::StoreError::Inconsistent("the settings were never written".to_owned())
    })?)
}

/// The days from `from` up to, not including, `to`.
pub(crate) fn days_between(from: &str, to: &str) -> Vec<String> {
    let (Ok(mut day), Ok(to)) = (from.parse::<Date>(), to.parse::<Date>()) else {
        return Vec::new();
    };
    let mut days = Vec::new();
    while day < to && days.len() < IDLE_DAYS_MAX {
        days.push(day.to_string());
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    days
}

/// A follow-up this late takes nothing up any more.
const LATE: Millis = 14 * DAY;

/// After how many times what a plan took places that came free are given away: plans for these take no
/// more than a twentieth of the planner's time.
const REPLAN_AFTER: Millis = 20;

/// Nor is it done more often than this.
const REPLAN_MIN: Millis = 5 * SECOND;

/// Whatever is warm has long cooled after so many days.
const IDLE_DAYS_MAX: usize = 1_000;

/// A plan as the books have it. Its messages are made as they are written: a million, once more, would
/// be the most that the planner holds.
fn saved<'a>(
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    settings: &Settings,
    now: Millis,
) -> DayPlan<impl Iterator<Item = NewMessage> + use<'a>> {
    let ceilings =
        |budgets: &[plan::Budget]| budgets.iter().map(|b| (b.name.clone(), b.ceiling)).collect();
    let campaigns = plan.campaigns.iter().zip(&snapshot.campaigns).map(|(day, row)| {
        let mine = plan.shortfalls.iter().filter(|s| s.campaign == day.slug);
        PlanEntry {
            campaign_id: row.id.0,
            target: day.target,
            planned: day.planned,
            shortfalls: mine.map(|s| (s.why.word().to_owned(), s.count, s.cure.clone())).collect(),
        }
    });
    let mailboxes =
        plan.mailboxes.iter().zip(&snapshot.mailboxes).map(|(day, row)| SavedMailboxDay {
            mailbox_id: day.id.0,
            cap: row.cap,
            allowance: day.allowance,
            ceiling: day.ceiling,
            allotted: day.allotted,
            warm_days: day.warm_days,
            first_at: day.first_at,
            last_at: day.last_at,
        });
    let active = snapshot.mailboxes.iter().filter(|row| row.standing == Standing::Active);
    let reckoned_by = active.map(|row| ReckonedBy {
        mailbox_id: row.id.0,
        ease_percent: row.ease_percent,
        probe: row.probe,
        manual: row.manual,
    });
    DayPlan {
        day: plan.day.to_string(),
        now,
        seed: settings.seed,
        mailboxes: mailboxes.collect(),
        reckoned_by: reckoned_by.collect(),
        domains: ceilings(&snapshot.domains),
        tenants: ceilings(&snapshot.tenants),
        campaigns: campaigns.collect(),
        messages: plan.messages.iter().map(|message| {
            let work = &snapshot.work[message.work];
            NewMessage {
                message_id: work.message.map(|id| id.0),
                enrolment_id: work.enrolment.0,
                campaign_id: snapshot.campaigns[work.campaign].id.0,
                step: work.step,
                mailbox_id: snapshot.mailboxes[message.mailbox].id.0,
                due_at: message.due_at,
                closes_at: message.closes_at,
            }
        }),
    }
}
