//! Who works on books that several daemons share. Of a file's one daemon its lock tells (see
//! [`Store::daemon`]), so nothing is written there.
//!
//! Leases tell little: at a gap of minutes a mailbox is leased for seconds, and a daemon without work
//! holds none. So each says every few seconds that it is there.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait as _;

use crate::db::sql;
use crate::row::Row as _;
use crate::{Store, StoreError};

/// A daemon at work on shared books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Names it among all.
    pub owner: String,
    /// When it began. Nothing for one that is known by its leases alone.
    pub since: Option<i64>,
    /// When it last said so.
    pub seen_at: Option<i64>,
    /// The addresses of the mailboxes that it holds at present.
    pub holds: Vec<String>,
}

/// Who has not been heard of for so long is gone; its leases are over by then.
pub const LOST_AFTER_MS: i64 = 60_000;

impl Store {
    /// A daemon that began at `since` says at `now` that it is at work. Takes one of those out that
    /// never said they end: one, so that two who do this at once do not wait in a circle.
    pub async fn report_worker(&self, owner: &str, since: i64, now: i64) -> Result<(), StoreError> {
        if !self.db.is_shared() {
            return Ok(());
        }
        let values = [owner.into(), since.into(), now.into()];
        self.db.write.execute_raw(sql(REPORT, values)).await?;
        self.db.write.execute_raw(sql(FORGET, [(now - LOST_AFTER_MS).into()])).await?;
        Ok(())
    }

    /// A daemon ends.
    pub async fn dismiss_worker(&self, owner: &str) -> Result<(), StoreError> {
        if self.db.is_shared() {
            let leave = sql("DELETE FROM workers WHERE owner = $1", [owner.into()]);
            self.db.write.execute_raw(leave).await?;
        }
        Ok(())
    }

    /// The daemons that share these books at `now`: heard of within [`LOST_AFTER_MS`], or holding a
    /// mailbox.
    pub async fn workers(&self, now: i64) -> Result<Vec<Worker>, StoreError> {
        if !self.db.is_shared() {
            return Ok(Vec::new());
        }
        let mut workers: BTreeMap<String, Worker> = BTreeMap::new();
        let values = [now.into(), (now - LOST_AFTER_MS).into()];
        for row in &self.db.read.query_all_raw(sql(WORKERS, values)).await? {
            let owner: String = row.read("owner")?;
            let (since, seen_at) = (row.read("since")?, row.read("seen_at")?);
            let worker = Worker { owner: owner.clone(), since, seen_at, holds: Vec::new() };
            let held: Option<String> = row.read("address")?;
            workers.entry(owner).or_insert(worker).holds.extend(held);
        }
        Ok(workers.into_values().collect())
    }

    /// How many daemons work by these books, and how many mailboxes they hold between them. `None`: they
    /// are one daemon's alone.
    pub async fn company(&self, now: i64) -> Result<Option<Company>, StoreError> {
        if !self.db.is_shared() {
            return Ok(None);
        }
        let values = [now.into(), (now - LOST_AFTER_MS).into()];
        let Some(row) = self.db.read.query_one_raw(sql(COMPANY, values)).await? else {
            return Ok(None);
        };
        let number = |column| row.read::<i64>(column).map(|n| usize::try_from(n).unwrap_or(0));
        Ok(Some(Company { workers: number("workers")?, leased: number("leased")? }))
    }
}

/// The daemons of shared books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company {
    /// Daemons that were heard of lately.
    pub workers: usize,
    /// Mailboxes that are leased, whoever holds them.
    pub leased: usize,
}

const REPORT: &str = "
    INSERT INTO workers (owner, since, seen_at) VALUES ($1, $2, $3)
    ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at";

const FORGET: &str = "
    DELETE FROM workers WHERE owner = (
        SELECT owner FROM workers WHERE seen_at <= $1 ORDER BY seen_at, owner LIMIT 1)";

const COMPANY: &str = "
    SELECT (SELECT count(*) FROM workers WHERE seen_at > $2) AS workers,
           (SELECT count(*) FROM mailboxes WHERE lease_expires_at > $1) AS leased";

const WORKERS: &str = "
    SELECT coalesce(w.owner, m.lease_owner) AS owner, w.since, w.seen_at, m.address
    FROM (SELECT * FROM workers WHERE seen_at > $2) w
    FULL JOIN (SELECT address, lease_owner FROM mailboxes WHERE lease_expires_at > $1) m
        ON m.lease_owner = w.owner
    ORDER BY m.address";
