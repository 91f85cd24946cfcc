//! The turn of the day: what the past days earned or cost each mailbox.

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::health::Earned;
use warmfront_core::warmup::{DayRecord, Warmth};

use crate::db::sql;
use crate::fleet::{earned, on_return, rows};
use crate::health::tell;
use crate::row::columns;
use crate::{MailboxRow, Store, StoreError};

impl Store {
    /// Counts the days up to, not including, `day` into each mailbox's warmth, and gives eased
    /// allowances back for clean days. `days_between` lists the days from one up to another.
    pub async fn roll_days(
        &self,
        day: &str,
        days_between: impl Fn(&str, &str) -> Vec<String>,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        for row in rows(&transaction).await? {
            let Some(row) = rolled(&transaction, row, day, &days_between).await? else { continue };
            transaction
                .execute_raw(sql(
                    "UPDATE mailboxes SET warm_days = $2, idle_days = $3, ease_percent = $4,
                            rolled_on = $5 WHERE id = $1",
                    [
                        row.id.into(),
                        row.warm_days.into(),
                        row.idle_days.into(),
                        row.ease_percent.into(),
                        day.into(),
                    ],
                ))
                .await?;
            let data = format!(
                "{{\"warm_days\":{},\"ease_percent\":{}}}",
                row.warm_days, row.ease_percent
            );
            tell(&transaction, row.id, "mailbox_day_begun", &data, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Stops every enrolment whose follow-up is later than `late` and has waited all that time for
    /// a paused mailbox: after so long it is no follow-up any more. Says how many. What is late for
    /// another reason may still go.
    pub async fn stop_late_follow_ups(&self, late: i64, now: i64) -> Result<u64, StoreError> {
        let transaction = self.db.begin().await?;
        let stopped = transaction
            .execute_raw(sql(
                "UPDATE enrolments SET state = 'stopped', ended_at = $2,
                        because = 'its follow-up waited too long for a paused mailbox'
                 WHERE state = 'active' AND next_step > 1 AND next_at > 0 AND next_at < $2 - $1
                   AND mailbox_id IN (SELECT id FROM mailboxes
                                      WHERE state = 'paused' AND paused_at < $2 - $1)
                   AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.enrolment_id = enrolments.id
                        AND m.state IN ('sending', 'in_doubt'))",
                [late.into(), now.into()],
            ))
            .await?;
        transaction.commit().await?;
        Ok(stopped.rows_affected())
    }

    /// The fleet as it would be at `now`, were the day begun: days counted in, pauses over. Writes
    /// nothing.
    pub async fn mailboxes_as_of(
        &self,
        day: &str,
        days_between: impl Fn(&str, &str) -> Vec<String>,
        now: i64,
    ) -> Result<Vec<MailboxRow>, StoreError> {
        let mut fleet = Vec::new();
        for row in rows(&self.db.read).await? {
            let as_it_is = row.clone();
            let row = rolled(&self.db.read, row, day, &days_between).await?.unwrap_or(as_it_is);
            let is_over = row.paused_until.is_some_and(|until| until <= now);
            fleet.push(if is_over && row.configured { resumed(row, now) } else { row });
        }
        Ok(fleet)
    }
}

fn resumed(row: MailboxRow, now: i64) -> MailboxRow {
    let (earned, probe) = on_return(&row, now);
    let state = "active".to_owned();
    with(MailboxRow { state, probe, paused_at: None, paused_until: None, ..row }, earned)
}

/// A mailbox with its past days counted in; `None` where they are already.
async fn rolled(
    db: &impl ConnectionTrait,
    row: MailboxRow,
    day: &str,
    days_between: &impl Fn(&str, &str) -> Vec<String>,
) -> Result<Option<MailboxRow>, StoreError> {
    let days = days_between(&row.rolled_on, day);
    if days.is_empty() {
        return Ok(None);
    }
    let mut earned = earned(&row);
    for past in days {
        earned = earned.after(day_record(db, row.id, &past).await?);
    }
    Ok(Some(with(row, earned)))
}

fn with(row: MailboxRow, earned: Earned) -> MailboxRow {
    let (Warmth { warm_days, idle_days }, ease_percent) = (earned.warmth, earned.ease_percent);
    MailboxRow { warm_days, idle_days, ease_percent, ..row }
}

struct DayRow {
    allowance: u32,
    accepted: u32,
    deferred: u32,
    sender_rejections: u32,
}

columns!(DayRow { allowance, accepted, deferred, sender_rejections });

async fn day_record(
    db: &impl ConnectionTrait,
    mailbox: i64,
    day: &str,
) -> Result<DayRecord, StoreError> {
    let query = sql(
        "SELECT allowance, accepted, deferred, sender_rejections + blocks AS sender_rejections
         FROM mailbox_days WHERE mailbox_id = $1 AND day = $2",
        [mailbox.into(), day.into()],
    );
    let row = DayRow::find_by_statement(query).one(db).await?;
    Ok(row.map_or(DayRecord::default(), |row| DayRecord {
        allowance: row.allowance,
        accepted: row.accepted,
        deferred: row.deferred,
        sender_rejections: row.sender_rejections,
    }))
}
