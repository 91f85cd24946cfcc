//! Who may send from a mailbox, for how long: owner, epoch, expiry.
//!
//! The epoch grows with every new holder and fences the old one out: whatever it still wants to
//! write names an epoch that is over.

use sea_orm::ConnectionTrait as _;
use warmfront_core::span::HOUR;

use crate::db::{json_array, sql};
use crate::fleet::GAP;
use crate::row::Row as _;
use crate::{Store, StoreError};

/// The right to send from one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The mailbox.
    pub mailbox: i64,
    /// Names this holding among all of the mailbox's.
    pub epoch: i64,
    /// When it ends, unless it is renewed.
    pub expires_at: i64,
}

impl Store {
    /// Leases a mailbox that nobody holds, as [`Store::lease_all`] does. `None`: somebody holds it.
    pub async fn lease(
        &self,
        mailbox: i64,
        owner: &str,
        now: i64,
        ttl: i64,
    ) -> Result<Option<Lease>, StoreError> {
        let leased = self.lease_all(&[mailbox], owner, now, ttl).await?;
        Ok(leased.first().map(|(lease, _)| *lease))
    }

    /// Leases those of the mailboxes that nobody holds, all or none of them, and settles what their
    /// last holders left in flight: no dot marked, it surely did not go out; dot marked, it is in
    /// doubt. Each lease comes with its mailbox's address.
    pub async fn lease_all(
        &self,
        mailboxes: &[i64],
        owner: &str,
        now: i64,
        ttl: i64,
    ) -> Result<Vec<(Lease, String)>, StoreError> {
        if mailboxes.is_empty() {
            return Ok(Vec::new());
        }
        let (mailboxes, expires_at) = (json_array(&mailboxes)?, now + ttl);
        let transaction = self.db.begin().await?;
        let asked = [mailboxes.into(), owner.into(), now.into(), expires_at.into()];
        let rows =
            match transaction.query_all_raw(sql(LEASE, asked)).await.map_err(StoreError::from) {
                Ok(rows) => rows,
                Err(error) => {
                    drop(transaction);
                    // Where the books are known to be an older copy, that is what the caller must hear.
                    self.refuse_if_outdated().await?;
                    return Err(error);
                }
            };
        let mut leased = Vec::with_capacity(rows.len());
        for row in &rows {
            let (mailbox, epoch) = (row.read("id")?, row.read("lease_epoch")?);
            leased.push((Lease { mailbox, epoch, expires_at }, row.read("address")?));
        }
        leased.sort_by_key(|(lease, _): &(Lease, String)| lease.mailbox);
        let ours: Vec<i64> = leased.iter().map(|(lease, _)| lease.mailbox).collect();
        let orphans = [json_array(&ours)?.into(), now.into()];
        transaction.execute_raw(sql(SETTLE_ORPHANS, orphans)).await?;
        transaction.commit().await?;
        Ok(leased)
    }

    /// Prolongs a lease. `None`: it is lost.
    pub async fn renew(
        &self,
        lease: Lease,
        owner: &str,
        now: i64,
        ttl: i64,
    ) -> Result<Option<Lease>, StoreError> {
        let written = self
            .db
            .write
            .execute_raw(sql(
                "UPDATE mailboxes SET lease_expires_at = $4
                 WHERE id = $1 AND lease_owner = $2 AND lease_epoch = $3",
                [lease.mailbox.into(), owner.into(), lease.epoch.into(), (now + ttl).into()],
            ))
            .await?;
        Ok((written.rows_affected() == 1).then_some(Lease { expires_at: now + ttl, ..lease }))
    }

    /// Gives a lease back before it ends.
    pub async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.db
            .write
            .execute_raw(sql(
                "UPDATE mailboxes SET lease_owner = NULL, lease_expires_at = NULL
                 WHERE id = $1 AND lease_epoch = $2",
                [lease.mailbox.into(), lease.epoch.into()],
            ))
            .await?;
        Ok(())
    }

    /// Ends every lease, if the daemon's lock proves that no earlier holder lives. Where several
    /// daemons share the books it proves nothing, and a lease ends by itself.
    pub async fn end_all_leases(&self, proof: &crate::DaemonLock) -> Result<(), StoreError> {
        if !proof.is_alone() {
            return Ok(());
        }
        self.db
            .write
            .execute_raw(sql(
                "UPDATE mailboxes SET lease_owner = NULL, lease_expires_at = NULL,
                        reader = NULL, reader_until = NULL
                 WHERE lease_owner IS NOT NULL OR reader IS NOT NULL",
                [],
            ))
            .await?;
        Ok(())
    }

    /// Prolongs an owner's leases of these mailboxes. Of no others: one that the books gave it and
    /// it never learnt of, or could not give back, because they fell silent at that moment, has
    /// nobody at work and must end.
    pub async fn renew_all(
        &self,
        owner: &str,
        mailboxes: impl IntoIterator<Item = i64>,
        now: i64,
        ttl: i64,
    ) -> Result<(), StoreError> {
        let mailboxes = json_array(&mailboxes.into_iter().collect::<Vec<_>>())?;
        let transaction = self.db.begin().await?;
        transaction
            .execute_raw(sql(
                "UPDATE mailboxes SET lease_expires_at = $2 WHERE lease_owner = $1
                 AND id IN (SELECT CAST(j.value AS BIGINT) FROM json_each($3) j)",
                [owner.into(), (now + ttl).into(), mailboxes.into()],
            ))
            .await?;
        Ok(transaction.commit().await?)
    }

    /// How many messages of `day` may still leave: paused, held and doubtful ones do not count, nor
    /// follow-ups of a mailbox that nobody reads, or can read, nor first messages of a failing domain.
    pub async fn claimable_left(&self, day: &str, now: i64) -> Result<u64, StoreError> {
        let values = [day.into(), now.into(), WATCHED_WITHIN.into()];
        let row = self.db.read.query_one_raw(sql(CLAIMABLE_LEFT, values)).await?;
        let left = row.map_or(Ok(0), |row| row.read::<i64>("n"))?;
        Ok(left.unsigned_abs())
    }

    /// The mailboxes with a follow-up planned for `day` and due before `until`.
    pub async fn mailboxes_awaiting_follow_ups(
        &self,
        day: &str,
        until: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let rows = self
            .db
            .read
            .query_all_raw(sql(
                "SELECT DISTINCT mailbox_id FROM messages
                 WHERE state = 'planned' AND plan_day = $1 AND position > 1 AND due_at < $2",
                [day.into(), until.into()],
            ))
            .await?;
        rows.iter().map(|row| Ok(row.read("mailbox_id")?)).collect()
    }

    /// The mailboxes whose last holder left something in flight; none that somebody holds.
    pub async fn mailboxes_with_orphans(&self, now: i64) -> Result<Vec<i64>, StoreError> {
        let text = format!(
            "SELECT m.mailbox_id FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
             WHERE m.state = 'sending' AND {IS_FREE}"
        );
        let rows = self.db.read.query_all_raw(sql(&text, [now.into()])).await?;
        rows.iter().map(|row| Ok(row.read("mailbox_id")?)).collect()
    }

    /// The active mailboxes with something planned for `day`, and when their first may leave: when it
    /// is due, and not before the gap is over. None that somebody holds.
    pub async fn mailboxes_with_work(
        &self,
        day: &str,
        now: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let text = format!(
            "SELECT m.mailbox_id,
                    max(min(m.due_at), coalesce(b.last_attempt_at + ({GAP}), 0)) AS due_at
             FROM messages m
             JOIN mailboxes b ON b.id = m.mailbox_id
             JOIN campaigns c ON c.id = m.campaign_id
             WHERE m.state = 'planned' AND m.plan_day = $2
               AND b.state = 'active' AND c.state = 'running' AND {IS_FREE}
             GROUP BY m.mailbox_id, b.id ORDER BY m.mailbox_id"
        );
        let values = [now.into(), day.into()];
        let rows = self.db.read.query_all_raw(sql(&text, values)).await?;
        rows.iter().map(|row| Ok((row.read("mailbox_id")?, row.read("due_at")?))).collect()
    }
}

/// What is held is not asked for before the lease ends: each asking holds up whoever writes.
const IS_FREE: &str = "(b.lease_expires_at IS NULL OR b.lease_expires_at <= $1)";

/// A mailbox that is read at all is read every hour, and more often when a follow-up is near.
const WATCHED_WITHIN: i64 = 2 * HOUR;

const CLAIMABLE_LEFT: &str = "
    SELECT count(*) AS n FROM (
        SELECT id FROM messages WHERE state = 'planned' AND plan_day = $1
        UNION ALL SELECT id FROM messages WHERE state = 'sending' AND plan_day = $1) m
    JOIN message_facts f ON f.id = m.id JOIN mailboxes b ON b.id = f.mailbox_id
    WHERE f.enrolment_state = 'active' AND NOT f.suppressed AND f.campaign_state = 'running'
      AND f.mailbox_state = 'active'
      AND (f.state = 'sending' OR (f.mailbox_attempted < f.mailbox_ceiling
           AND (f.position > 1 OR b.domain NOT IN (SELECT domain FROM failing_domains))
           AND (f.position = 1 OR (b.inbox_read_at >= $2 - $3 AND b.unread_because IS NULL))))";

const LEASE: &str = "
    UPDATE mailboxes SET lease_owner = $2, lease_epoch = lease_epoch + 1, lease_expires_at = $4
    WHERE id IN (SELECT CAST(j.value AS BIGINT) FROM json_each($1) j)
      AND (lease_expires_at IS NULL OR lease_expires_at <= $3)
    RETURNING id, address, lease_epoch";

const SETTLE_ORPHANS: &str = "
    UPDATE messages SET
        state      = CASE WHEN dot_at IS NULL THEN 'planned' ELSE 'in_doubt' END,
        attempts   = CASE WHEN dot_at IS NULL THEN attempts - 1 ELSE attempts END,
        settled_at = CASE WHEN dot_at IS NULL THEN NULL ELSE $2 END,
        changed_at = $2,
        why        = CASE WHEN dot_at IS NULL THEN 'interrupted before the final dot'
                          ELSE 'interrupted between the final dot and the answer' END
    WHERE state = 'sending'
      AND mailbox_id IN (SELECT CAST(j.value AS BIGINT) FROM json_each($1) j)
      AND lease_epoch < (SELECT b.lease_epoch FROM mailboxes b WHERE b.id = mailbox_id)";
