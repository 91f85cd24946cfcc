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

    /// The first moment after `after` at which a follow-up becomes ready that no plan has.
    pub async fn next_follow_up_at(&self, after: i64) -> Result<Option<i64>, StoreError> {
        let query = sql(
            "SELECT min((SELECT min(e.next_at) FROM enrolments e WHERE e.campaign_id = c.id
                         AND e.state = 'active' AND e.next_at > $1
                         AND NOT EXISTS (SELECT 1 FROM messages m
                             WHERE m.enrolment_id = e.id AND m.position = e.next_step))) AS at
             FROM campaigns c WHERE c.state = 'running'",
            [after.into()],
        );
        let row = self.db.read.query_one_raw(query).await?;
        Ok(row.map(|row| row.read("at")).transpose()?.flatten())
    }
}

/// What may give a day new work or new room: the rows of the index `events_to_plan_for`.
pub(crate) const TO_PLAN_FOR: &str = "kind IN ('imported', 'campaign_started', 'mailbox_resumed',
    'mailbox_probed', 'enrolment_resumed')";
