//! Books that are an older copy of what has sent since: found out, kept from sending, and counted as
//! up to date again.
//!
//! While books are outdated the database leases no mailbox, whoever asks.

use sea_orm::ConnectionTrait;
use warmfront_core::send_id::Signet;

use crate::db::{json_array, sql};
use crate::row::Row as _;
use crate::{Store, StoreError, Watermark};

impl Store {
    /// What the ids of these books' messages are sealed with, and known by.
    pub async fn signet(&self) -> Result<Signet, StoreError> {
        signet(&self.db.read).await
    }

    /// Refuses books that are known to be an older copy.
    pub async fn refuse_if_outdated(&self) -> Result<(), StoreError> {
        let query = sql("SELECT outdated_because FROM identity", []);
        let row = self.db.read.query_one_raw(query).await?;
        match row.map(|row| row.read::<Option<String>>("outdated_because")).transpose()?.flatten() {
            Some(because) => Err(StoreError::Outdated { because }),
            None => Ok(()),
        }
    }

    /// Has nobody send from these books until they are brought up to date: every lease ends, and
    /// there are no others.
    pub async fn mark_outdated(&self, because: &str, now: i64) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        for (text, values) in [
            (MARK_OUTDATED, vec![because.into()]),
            (END_LEASES, vec![]),
            (TELL_OUTDATED, vec![now.into()]),
        ] {
            transaction.execute_raw(sql(text, values)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Begins to bring outdated books up to date; `false`: they are not outdated. What was in flight
    /// when they were copied may have gone out since.
    pub async fn begin_reconciling(
        &self,
        watermark: &Watermark,
        now: i64,
    ) -> Result<bool, StoreError> {
        match self.refuse_if_restored(watermark).await {
            Ok(()) => match self.refuse_if_outdated().await {
                Ok(()) => return Ok(false),
                Err(StoreError::Outdated { .. }) => {}
                Err(error) => return Err(error),
            },
            Err(StoreError::Restored { found, seen, .. }) => {
                let because = format!("they stand at epoch {found}, and {seen} was reached");
                self.mark_outdated(&because, now).await?;
            }
            Err(error) => return Err(error),
        }
        self.db.write.execute_raw(sql(DOUBT_WHAT_WAS_IN_FLIGHT, [now.into()])).await?;
        Ok(true)
    }

    /// The books are up to date: they stand behind no others any more.
    pub async fn end_reconciling(&self, watermark: &Watermark) -> Result<(), StoreError> {
        self.catch_up(watermark, CAUGHT_UP).await
    }

    /// The first moment at which these books could have sent anything.
    pub async fn first_moment(&self) -> Result<i64, StoreError> {
        let query = sql("SELECT coalesce(min(created_at), 0) AS at FROM campaigns", []);
        let row = self.db.read.query_one_raw(query).await?;
        Ok(row.map_or(Ok(0), |row| row.read("at"))?)
    }

    /// Whether copies of what a mailbox sent are known to lie in its Sent folder.
    pub async fn files_copies(&self, mailbox: i64) -> Result<bool, StoreError> {
        let query = sql(
            "SELECT 1 AS files FROM sent_copies WHERE mailbox_id = $1 AND message_id IS NOT NULL
             UNION ALL SELECT 1 FROM strays WHERE mailbox_id = $1 LIMIT 1",
            [mailbox.into()],
        );
        Ok(self.db.read.query_one_raw(query).await?.is_some())
    }

    /// Stops mailboxes of which nothing shows what they sent, until the operator resumes them, and
    /// takes what is planned of first steps out of the day: one of those mailboxes may have sent it.
    /// In every campaign: which ones a mailbox carried since the books were copied is not in the copy.
    pub async fn stop_unproven(
        &self,
        mailboxes: &[i64],
        because: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        let values = [json_array(&mailboxes)?.into(), now.into(), because.into()];
        for row in transaction.query_all_raw(sql(STOP_UNPROVEN, values)).await? {
            let data = r#"{"reason":"restored","until":null}"#;
            let mailbox = row.read("id")?;
            crate::health::tell(&transaction, mailbox, "mailbox_paused", data, now).await?;
        }
        transaction.execute_raw(sql(TAKE_FIRST_STEPS_BACK, [])).await?;
        Ok(transaction.commit().await?)
    }
}

pub(crate) async fn signet(db: &impl ConnectionTrait) -> Result<Signet, StoreError> {
    let row = db.query_one_raw(sql("SELECT name FROM identity", [])).await?;
    let row = row.ok_or_else(|| StoreError::Inconsistent("they have no name".to_owned()))?;
    Ok(Signet::of(&row.read::<String>("name")?))
}

const MARK_OUTDATED: &str = "UPDATE identity SET outdated_because = coalesce(outdated_because, $1)";

const END_LEASES: &str = "UPDATE mailboxes SET lease_owner = NULL, lease_expires_at = NULL
    WHERE lease_owner IS NOT NULL";

const TELL_OUTDATED: &str = "INSERT INTO events (at, kind) VALUES ($1, 'books_outdated')";

/// The name and the epoch as the watermark wants them.
const CAUGHT_UP: &str = "UPDATE identity SET epoch = max(epoch, $1) + 1, outdated_because = NULL
    RETURNING name, epoch";

const DOUBT_WHAT_WAS_IN_FLIGHT: &str = "
    UPDATE messages SET state = 'in_doubt', settled_at = $1, changed_at = $1,
           why = 'it was in flight when the books were copied' WHERE state = 'sending'";

const STOP_UNPROVEN: &str = "
    UPDATE mailboxes SET unproven = 1, state = 'paused', paused_until = NULL,
           paused_at = coalesce(paused_at, $2),
           paused_reason = coalesce(paused_reason, 'restored'),
           paused_because = CASE WHEN paused_because IS NULL THEN $3
                                 ELSE paused_because || '; ' || $3 END
    WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) AND unproven = 0
    RETURNING id";

const TAKE_FIRST_STEPS_BACK: &str = "
    UPDATE messages SET plan_day = NULL, why = 'another mailbox may have sent it'
    WHERE state = 'planned' AND position = 1 AND attempts = 0";
