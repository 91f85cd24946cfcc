//! When there is something to plan again.

use sea_orm::ConnectionTrait as _;

use crate::db::sql;
use crate::row::Row as _;
use crate::{Store, StoreError};

impl Store {
    /// A number that grows whenever something happens that may give the day new work or new room.
    pub async fn planning_mark(&self) -> Result<i64, StoreError> {
        // Where several write, a lower id may come to light after a higher one.
        let mark = if self.db.is_shared() { "count(*)" } else { "max(id)" };
        let text = format!("SELECT {mark} AS mark FROM events WHERE {TO_PLAN_FOR}");
        let row = self.db.read.query_one_raw(sql(&text, [])).await?;
        Ok(row.map(|row| row.read::<Option<i64>>("mark")).transpose()?.flatten().unwrap_or(0))
    }

    /// How many messages are due by `now` that were planned once and have no day at present.
    pub async fn unplaced(&self, now: i64) -> Result<i64, StoreError> {
        let query = sql(
            "SELECT count(*) AS n FROM messages
             WHERE state = 'planned' AND plan_day IS NULL AND due_at <= $1",
            [now.into()],
        );
        Ok(self.db.read.query_one_raw(query).await?.map_or(Ok(0), |row| row.read("n"))?)
    }

    /// Whether a follow-up is ready by `now` of which a plan made at `planned_at` could not know: what
    /// comes before it was settled only since, and it was not ready then.
    pub async fn has_new_follow_up(&self, planned_at: i64, now: i64) -> Result<bool, StoreError> {
        let query = sql(
            "SELECT 1 AS one FROM campaigns c CROSS JOIN enrolments e
             WHERE c.state = 'running' AND e.campaign_id = c.id AND e.state = 'active'
               AND e.next_at > $1 AND e.next_at <= $2
               AND NOT EXISTS (SELECT 1 FROM messages m
                               WHERE m.enrolment_id = e.id AND m.position = e.next_step)
               AND EXISTS (SELECT 1 FROM messages m
                           WHERE m.enrolment_id = e.id AND m.settled_at >= $1)
             LIMIT 1",
            [planned_at.into(), now.into()],
        );
        Ok(self.db.read.query_one_raw(query).await?.is_some())
    }
}

/// What may give a day new work or new room: the rows of the index `events_to_plan_for`.
pub(crate) const TO_PLAN_FOR: &str = "kind IN ('imported', 'campaign_started', 'mailbox_resumed',
    'mailbox_probed', 'enrolment_resumed', 'domain_well')";
