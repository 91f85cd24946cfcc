//! When there is something to plan again.

use sea_orm::ConnectionTrait as _;

use crate::db::sql;
use crate::row::Row as _;
use crate::{Store, StoreError};

impl Store {
    /// A number that grows whenever something happens that may give the day new work or new room.
    pub async fn planning_mark(&self) -> Result<i64, StoreError> {
        let mark = if self.db.is_shared() { PLANNING_MARK_OF_MANY } else { PLANNING_MARK };
        let row = self.db.read.query_one_raw(sql(mark, [])).await?;
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

const PLANNING_MARK: &str = "
    SELECT max(id) AS mark FROM events
    WHERE kind IN ('imported', 'campaign_started', 'mailbox_resumed', 'mailbox_probed',
                   'enrolment_resumed')";

/// Where several write, a lower id may come to light after a higher one.
const PLANNING_MARK_OF_MANY: &str = "
    SELECT count(*) AS mark FROM events
    WHERE kind IN ('imported', 'campaign_started', 'mailbox_resumed', 'mailbox_probed',
                   'enrolment_resumed')";
