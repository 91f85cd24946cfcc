//! A plan, or a revision of one, written down: whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ConnectionTrait;

use crate::db::{BATCH, json_array, sql};
use crate::row::Row as _;
use crate::{NewMessage, PlanEntry, SavedMailboxDay, Store, StoreError, postgres};

/// A plan to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayPlan<Messages = Vec<NewMessage>> {
    /// The counting day.
    pub day: String,
    /// The moment it was made.
    pub now: i64,
    /// Its seed.
    pub seed: i64,
    /// The fleet's day.
    pub mailboxes: Vec<SavedMailboxDay>,
    /// What the rooms of the active ones were reckoned by. Where that has changed since, the plan is
    /// not saved: it would give back what an answer has just taken.
    pub reckoned_by: Vec<ReckonedBy>,
    /// (sending domain, ceiling).
    pub domains: Vec<(String, u32)>,
    /// (tenant, ceiling).
    pub tenants: Vec<(String, u32)>,
    /// The campaigns' day.
    pub campaigns: Vec<PlanEntry>,
    /// The messages, which may be made as they are written: there may be a million. Best in the order
    /// of their enrolments, as the books look each of those up.
    pub messages: Messages,
}

/// How an active mailbox stood when its room was reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReckonedBy {
    /// The mailbox.
    pub mailbox_id: i64,
    /// What easing left of its allowance.
    pub ease_percent: u32,
    /// Whether one message had to show first that it is well.
    pub probe: bool,
    /// Mail that a person has sent from it on that day.
    pub manual: u32,
}

impl Store {
    /// Saves a plan, or a revision of it: nothing that an earlier revision planned is touched.
    /// `false`: another planner was faster, or an answer has changed what a mailbox may do, and
    /// nothing of this one was saved.
    pub async fn save_plan<M>(&self, plan: DayPlan<M>) -> Result<bool, StoreError>
    where
        M: IntoIterator<Item = NewMessage, IntoIter: Send> + Send + Sync,
    {
        let transaction = self.db.begin().await?;
        for batch in plan.reckoned_by.chunks(BATCH) {
            let rows: Vec<_> = batch
                .iter()
                .map(|by| (by.mailbox_id, by.ease_percent, u8::from(by.probe), by.manual))
                .collect();
            let values = [json_array(&rows)?.into(), plan.day.as_str().into()];
            if transaction.query_one_raw(sql(RECKONED_OTHERWISE, values)).await?.is_some() {
                return Ok(false);
            }
        }
        for entry in &plan.campaigns {
            save_entry(&transaction, &plan, entry).await?;
        }
        for batch in plan.mailboxes.chunks(BATCH) {
            let rows: Vec<_> = batch
                .iter()
                .map(|d| (d.mailbox_id, d.cap, d.allowance, d.ceiling, d.allotted, d.warm_days))
                .collect();
            let values = [json_array(&rows)?.into(), plan.day.as_str().into()];
            transaction.execute_raw(sql(SAVE_MAILBOX_DAYS, values)).await?;
        }
        for (scope, budgets) in [("domain", &plan.domains), ("tenant", &plan.tenants)] {
            for batch in budgets.chunks(BATCH) {
                let values = [json_array(&batch)?.into(), plan.day.as_str().into(), scope.into()];
                transaction.execute_raw(sql(SAVE_BUDGET_DAYS, values)).await?;
            }
        }
        let mut messages = plan.messages.into_iter();
        let mut saved = 0;
        loop {
            let batch: Vec<NewMessage> = messages.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            if !save_messages(&transaction, &batch, &plan.day, plan.now).await? {
                return Ok(false);
            }
            saved += batch.len();
        }
        transaction.commit().await?;
        if self.db.is_shared() && saved >= MANY {
            postgres::count_anew(&self.db, "messages, mailbox_days, budget_days").await?;
        }
        Ok(true)
    }
}

/// After a plan of as many the server counts anew what it has.
const MANY: usize = 1_000;

impl Store {
    /// Whether the books hold the ceilings of a plan already.
    pub async fn has_ceilings_of<M>(&self, plan: &DayPlan<M>) -> Result<bool, StoreError> {
        let mailboxes: BTreeMap<i64, u32> = self
            .mailbox_days(&plan.day)
            .await?
            .into_iter()
            .map(|(id, _, ceiling, ..)| (id, ceiling))
            .collect();
        let same = |day: &SavedMailboxDay| mailboxes.get(&day.mailbox_id) == Some(&day.ceiling);
        if !plan.mailboxes.iter().all(same) {
            return Ok(false);
        }
        let query = sql(
            "SELECT scope, name, ceiling FROM budget_days WHERE day = $1",
            [plan.day.as_str().into()],
        );
        let mut budgets = BTreeMap::new();
        for row in self.db.read.query_all_raw(query).await? {
            let place: (String, String) = (row.read("scope")?, row.read("name")?);
            budgets.insert(place, row.read::<u32>("ceiling")?);
        }
        let has = |scope: &str, planned: &[(String, u32)]| {
            let known = |name: &String| budgets.get(&(scope.to_owned(), name.clone()));
            planned.iter().all(|(name, ceiling)| known(name) == Some(ceiling))
        };
        Ok(has("domain", &plan.domains) && has("tenant", &plan.tenants))
    }
}

async fn save_entry<M>(
    db: &impl ConnectionTrait,
    plan: &DayPlan<M>,
    entry: &PlanEntry,
) -> Result<(), StoreError> {
    let day = plan.day.as_str();
    let revision: u32 = db
        .query_one_raw(sql(
            "INSERT INTO plans (campaign_id, day, revision, seed, target, planned, shortfall)
             SELECT $1, $2, coalesce(max(revision), 0) + 1, $3, $4, $5, $4 - $5 FROM plans
             WHERE campaign_id = $1 AND day = $2 RETURNING revision",
            [
                entry.campaign_id.into(),
                day.into(),
                plan.seed.into(),
                entry.target.into(),
                entry.planned.into(),
            ],
        ))
        .await?
        .ok_or_else(|| StoreError::Inconsistent("a plan was not written".to_owned()))?
        .read("revision")?;
    for (why, count, cure) in &entry.shortfalls {
        db.execute_raw(sql(
            "INSERT INTO shortfalls (campaign_id, day, revision, why, count, cure)
             VALUES ($1, $2, $3, $4, $5, $6)",
            [
                entry.campaign_id.into(),
                day.into(),
                revision.into(),
                why.as_str().into(),
                (*count).into(),
                cure.as_str().into(),
            ],
        ))
        .await?;
    }
    let data = format!(
        "{{\"day\":\"{day}\",\"revision\":{revision},\"planned\":{},\"target\":{}}}",
        entry.planned, entry.target
    );
    db.execute_raw(sql(
        "INSERT INTO events (at, kind, campaign_id, data) VALUES ($1, 'planned', $2, $3)",
        [plan.now.into(), entry.campaign_id.into(), data.into()],
    ))
    .await?;
    Ok(())
}

/// Saves messages. `false`: another planner has placed one of them. One whose enrolment has ended
/// since the plan's snapshot is none of those; the books cancel it.
async fn save_messages(
    db: &impl ConnectionTrait,
    messages: &[NewMessage],
    day: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let (known, new): (Vec<&NewMessage>, Vec<&NewMessage>) =
        messages.iter().partition(|m| m.message_id.is_some());
    if !known.is_empty() && !move_messages(db, &known, day).await? {
        return Ok(false);
    }
    if new.is_empty() {
        return Ok(true);
    }
    // One JSON array: one bound value, whatever the rows.
    let rows: Vec<_> = new
        .iter()
        .map(|m| (m.enrolment_id, m.campaign_id, m.step, m.mailbox_id, m.due_at, m.closes_at))
        .collect();
    let values = [json_array(&rows)?.into(), day.into(), now.into()];
    let made = db.execute_raw(sql(NEW_MESSAGES, values)).await?;
    Ok(made.rows_affected() >= rows.len() as u64)
}

/// Gives messages that an earlier day left over their place. `false`: another planner was faster.
async fn move_messages(
    db: &impl ConnectionTrait,
    messages: &[&NewMessage],
    day: &str,
) -> Result<bool, StoreError> {
    let rows: Vec<_> =
        messages.iter().map(|m| (m.message_id, m.mailbox_id, m.due_at, m.closes_at)).collect();
    let moved =
        db.query_all_raw(sql(MOVE_MESSAGES, [json_array(&rows)?.into(), day.into()])).await?;
    if moved.len() == messages.len() {
        return Ok(true);
    }
    let moved: BTreeSet<i64> = moved.iter().map(|row| row.read("id")).collect::<Result<_, _>>()?;
    let ids = messages.iter().filter_map(|m| m.message_id);
    let left: Vec<i64> = ids.filter(|id| !moved.contains(id)).collect();
    let still_planned = sql(
        "SELECT 1 FROM messages m JOIN json_each($1) j ON m.id = CAST(j.value AS BIGINT)
         WHERE m.state = 'planned' LIMIT 1",
        [json_array(&left)?.into()],
    );
    Ok(db.query_one_raw(still_planned).await?.is_none())
}

const RECKONED_OTHERWISE: &str = "
    SELECT 1 FROM json_each($1) j
    JOIN mailboxes b ON b.id = CAST(j.value ->> 0 AS BIGINT)
    LEFT JOIN mailbox_days d ON d.mailbox_id = b.id AND d.day = $2
    WHERE b.state <> 'active'
       OR b.ease_percent <> CAST(j.value ->> 1 AS BIGINT)
       OR b.probe <> CAST(j.value ->> 2 AS BIGINT)
       OR coalesce(d.manual, 0) <> CAST(j.value ->> 3 AS BIGINT) LIMIT 1";

const MOVE_MESSAGES: &str = "
    UPDATE messages SET mailbox_id = n.mailbox_id, plan_day = $2, due_at = n.due_at,
                        closes_at = n.closes_at, why = NULL
    FROM (SELECT CAST(value ->> 0 AS BIGINT) AS message_id, CAST(value ->> 1 AS BIGINT) AS mailbox_id,
                 CAST(value ->> 2 AS BIGINT) AS due_at, CAST(value ->> 3 AS BIGINT) AS closes_at
          FROM json_each($1)) AS n
    WHERE messages.id = n.message_id AND state = 'planned' AND (plan_day IS NULL OR plan_day < $2)
    RETURNING id";

/// Makes no row twice, so that a second planner with the same idea sees that it came late; behind
/// it stands UNIQUE (enrolment_id, position).
const NEW_MESSAGES: &str = "
    INSERT INTO messages (enrolment_id, campaign_id, position, mailbox_id, due_at, closes_at, plan_day,
                          changed_at)
    SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT),
           CAST(value ->> 3 AS BIGINT), CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), $2, $3
    FROM json_each($1) j
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.enrolment_id = CAST(j.value ->> 0 AS BIGINT)
                      AND m.position = CAST(j.value ->> 2 AS BIGINT))";

/// The day's allowance is what the day is judged by: a pause or a probe takes room away, and makes no
/// warm day of one that was barely used. Mail by hand may have come to be known since the plan's
/// snapshot. WHERE TRUE: without it SQLite takes ON for a join's.
const SAVE_MAILBOX_DAYS: &str = "
    INSERT INTO mailbox_days (mailbox_id, day, cap, allowance, ceiling, allotted, warm_days)
    SELECT mailbox_id, $2, max(cap, allowance), allowance, ceiling, allotted, warm_days
    FROM (SELECT CAST(value ->> 0 AS BIGINT) AS mailbox_id, CAST(value ->> 1 AS BIGINT) AS cap,
                 CAST(value ->> 2 AS BIGINT) AS allowance, CAST(value ->> 3 AS BIGINT) AS ceiling,
                 CAST(value ->> 4 AS BIGINT) AS allotted, CAST(value ->> 5 AS BIGINT) AS warm_days
          FROM json_each($1)) AS n
    WHERE TRUE
    ON CONFLICT (mailbox_id, day) DO UPDATE SET
        cap = max(excluded.cap, mailbox_days.attempted),
        allowance = min(max(mailbox_days.allowance, excluded.allowance),
                        max(excluded.cap, mailbox_days.attempted)),
        ceiling = min(excluded.ceiling, max(0, excluded.allowance - mailbox_days.manual)),
        allotted = excluded.allotted,
        warm_days = excluded.warm_days";

const SAVE_BUDGET_DAYS: &str = "
    INSERT INTO budget_days (scope, name, day, ceiling)
    SELECT $3, value ->> 0, $2, CAST(value ->> 1 AS BIGINT) FROM json_each($1) WHERE TRUE
    ON CONFLICT (scope, name, day) DO UPDATE SET ceiling = excluded.ceiling";
