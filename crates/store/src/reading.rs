//! What a reading of a mailbox's folders found, written down with how far it got.
//!
//! Who reads is leased, apart from who sends: a mailbox that sends nothing is read all the same, and
//! never by two daemons at once. What a reading found and the marks that pass it are one transaction:
//! a crash before it reads again, a crash behind it goes on.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ConnectionTrait;
use serde::Serialize;
use warmfront_core::reading::{Bookmarks, Mark, Place, Reading, Role};

use crate::claim::written_by;
use crate::db::{json_array, sql};
use crate::row::Row as _;
use crate::sent::{self, Today};
use crate::{Consequence, Store, StoreError, inbound};

/// The right to read one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadingLease {
    /// The mailbox.
    pub mailbox: i64,
    /// Names this holding among all of the mailbox's.
    pub epoch: i64,
}

/// A reading, and when it began: of what came in later it proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The right it was made by.
    pub lease: ReadingLease,
    /// When it began.
    pub begun_at: i64,
    /// What it found.
    pub reading: Reading,
}

/// A folder in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// The mailbox.
    pub mailbox: i64,
    /// Its name, as the server writes it.
    pub name: String,
    /// What it is for: `inbox`, `junk` or `sent`.
    pub role: String,
    /// When it was last read.
    pub read_at: i64,
    /// How many messages of it the server could not show.
    pub passed: u32,
}

impl Store {
    /// Leases the reading of those of the mailboxes that nobody reads now. A lease is given back by
    /// the reading's last part.
    pub async fn lease_readings(
        &self,
        mailboxes: &[i64],
        owner: &str,
        now: i64,
        ttl: i64,
    ) -> Result<Vec<ReadingLease>, StoreError> {
        let transaction = self.db.begin().await?;
        let rows = transaction
            .query_all_raw(sql(
                "UPDATE mailboxes SET reader = $2, reader_epoch = reader_epoch + 1,
                        reader_until = $3 + $4
                 WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
                   AND (reader_until IS NULL OR reader_until <= $3)
                 RETURNING id, reader_epoch",
                [json_array(&mailboxes)?.into(), owner.into(), now.into(), ttl.into()],
            ))
            .await?;
        transaction.commit().await?;
        let lease = |row: &sea_orm::QueryResult| -> Result<ReadingLease, StoreError> {
            Ok(ReadingLease { mailbox: row.read("id")?, epoch: row.read("reader_epoch")? })
        };
        let mut leases = rows.iter().map(lease).collect::<Result<Vec<_>, _>>()?;
        leases.sort_by_key(|lease| lease.mailbox);
        Ok(leases)
    }

    /// Every mailbox, its address, and by what moment it was read.
    pub async fn inboxes(&self) -> Result<Vec<(i64, String, Option<i64>)>, StoreError> {
        let query = sql("SELECT id, address, inbox_read_at FROM mailboxes ORDER BY id", []);
        let rows = self.db.read.query_all_raw(query).await?;
        let inbox = |row: &sea_orm::QueryResult| {
            Ok((row.read("id")?, row.read("address")?, row.read("inbox_read_at")?))
        };
        rows.iter().map(inbox).collect()
    }

    /// How far these mailboxes were read.
    pub async fn bookmarks(
        &self,
        mailboxes: &[i64],
    ) -> Result<BTreeMap<i64, Bookmarks>, StoreError> {
        let mut bookmarks: BTreeMap<i64, Bookmarks> = BTreeMap::new();
        let values =
            || -> Result<[sea_orm::Value; 1], StoreError> { Ok([json_array(&mailboxes)?.into()]) };
        for row in self.db.read.query_all_raw(sql(MARKS, values()?)).await? {
            let mark = Mark {
                folder: row.read("name")?,
                role: role(&row.read::<String>("role")?)?,
                uidvalidity: row.read("uidvalidity")?,
                last_uid: row.read("last_uid")?,
                read_at: row.read("read_at")?,
            };
            bookmarks.entry(row.read("mailbox_id")?).or_default().marks.push(mark);
        }
        for row in self.db.read.query_all_raw(sql(DOUBTS, values()?)).await? {
            bookmarks.entry(row.read("mailbox_id")?).or_default().in_doubt_since =
                row.read("since")?;
        }
        Ok(bookmarks)
    }

    /// Writes readings down: one commit for all of them. Says whose were taken, and what they led to:
    /// of one that was made by a lease that is over nothing is written.
    pub async fn record_readings(
        &self,
        readings: &[Read],
        today: &Today,
        now: i64,
        ttl: i64,
    ) -> Result<(BTreeSet<i64>, Vec<Consequence>), StoreError> {
        let transaction = self.db.begin().await?;
        let rows: Vec<RowAfter> = readings.iter().map(|read| row_after(read, now + ttl)).collect();
        let taken = written_by(&transaction, TAKE, &rows).await?;
        let mut consequences = Vec::new();
        for read in readings.iter().filter(|read| taken.contains(&read.lease.mailbox)) {
            consequences.extend(record(&transaction, read, today, now).await?);
        }
        transaction.commit().await?;
        Ok((taken, consequences))
    }

    /// Every folder that was ever read.
    pub async fn folders(&self) -> Result<Vec<FolderRow>, StoreError> {
        let query = sql(
            "SELECT mailbox_id, name, role, read_at, passed FROM folders ORDER BY mailbox_id, id",
            [],
        );
        let rows = self.db.read.query_all_raw(query).await?;
        let folder = |row: &sea_orm::QueryResult| {
            Ok(FolderRow {
                mailbox: row.read("mailbox_id")?,
                name: row.read("name")?,
                role: row.read("role")?,
                read_at: row.read("read_at")?,
                passed: row.read("passed")?,
            })
        };
        rows.iter().map(folder).collect()
    }
}

/// How the mailbox's row looks after a reading: the lease goes along to the next part of it, or is
/// given back; and what kept the mailbox from being read, and by what moment it was read.
#[derive(Serialize)]
struct RowAfter<'a> {
    mailbox: i64,
    epoch: i64,
    until: Option<i64>,
    trouble: Option<&'a str>,
    read_at: Option<i64>,
}

fn row_after(read: &Read, until: i64) -> RowAfter<'_> {
    let Read { lease, begun_at, reading } = read;
    RowAfter {
        mailbox: lease.mailbox,
        epoch: lease.epoch,
        until: reading.has_more.then_some(until),
        trouble: reading.trouble.as_deref(),
        read_at: reading.is_whole.then_some(*begun_at),
    }
}

async fn record(
    db: &impl ConnectionTrait,
    read: &Read,
    today: &Today,
    now: i64,
) -> Result<Vec<Consequence>, StoreError> {
    let Read { lease, reading, .. } = read;
    let mut folders = BTreeMap::new();
    for mark in &reading.marks {
        let passed = reading.passed.iter().filter(|place| place.folder == mark.folder).count();
        folders.insert(mark.folder.as_str(), advance(db, lease.mailbox, mark, passed).await?);
    }
    // First by what other ids our messages are known: an answer may name one.
    for copy in &reading.sent {
        if let Some(folder) = folders.get(copy.place.folder.as_str()) {
            sent::record(db, lease.mailbox, *folder, copy, today, now).await?;
        }
    }
    let mut consequences = Vec::new();
    for arrived in &reading.arrivals {
        let consequence = inbound::record(db, lease.mailbox, &arrived.inbound, now).await?;
        if consequence != Consequence::Known
            && let Some(place) = &arrived.place
            && let Some(folder) = folders.get(place.folder.as_str())
        {
            locate(db, lease.mailbox, &arrived.inbound.key, *folder, place).await?;
        }
        consequences.push(consequence);
    }
    let is_sent_read = reading.marks.iter().any(|mark| mark.role == Role::Sent);
    if is_sent_read && !reading.has_more && reading.trouble.is_none() {
        sent::prove_absences(db, lease.mailbox, read.begun_at, now).await?;
    }
    Ok(consequences)
}

/// Moves a folder's mark; gives its row.
async fn advance(
    db: &impl ConnectionTrait,
    mailbox: i64,
    mark: &Mark,
    passed: usize,
) -> Result<i64, StoreError> {
    let row = db
        .query_one_raw(sql(
            "INSERT INTO folders (mailbox_id, name, role, uidvalidity, last_uid, read_at, passed)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (mailbox_id, name) DO UPDATE SET
                 role = excluded.role, uidvalidity = excluded.uidvalidity,
                 last_uid = excluded.last_uid, read_at = excluded.read_at,
                 passed = folders.passed + excluded.passed
             RETURNING id",
            [
                mailbox.into(),
                mark.folder.as_str().into(),
                mark.role.as_str().into(),
                i64::from(mark.uidvalidity).into(),
                i64::from(mark.last_uid).into(),
                mark.read_at.into(),
                i64::try_from(passed).unwrap_or(i64::MAX).into(),
            ],
        ))
        .await?;
    let row = row.ok_or_else(|| StoreError::Inconsistent("a mark was not written".to_owned()))?;
    Ok(row.read("id")?)
}

/// Notes where an arrival lay. Not, should another have lain there: a server may do anything.
async fn locate(
    db: &impl ConnectionTrait,
    mailbox: i64,
    key: &str,
    folder: i64,
    place: &Place,
) -> Result<(), StoreError> {
    db.execute_raw(sql(
        "UPDATE inbound SET folder_id = $3, uidvalidity = $4, uid = $5
         WHERE mailbox_id = $1 AND content_key = $2 AND NOT EXISTS (
             SELECT 1 FROM inbound WHERE folder_id = $3 AND uidvalidity = $4 AND uid = $5)",
        [
            mailbox.into(),
            key.into(),
            folder.into(),
            i64::from(place.uidvalidity).into(),
            i64::from(place.uid).into(),
        ],
    ))
    .await?;
    Ok(())
}

fn role(word: &str) -> Result<Role, StoreError> {
    let known = [Role::Inbox, Role::Junk, Role::Sent].into_iter().find(|one| one.as_str() == word);
    known.ok_or_else(|| StoreError::Inconsistent(format!("`{word}` is no folder's role")))
}

const TAKE: &str = "
    UPDATE mailboxes SET
        reader_until = r.until, reader = CASE WHEN r.until IS NULL THEN NULL ELSE reader END,
        unread_because = r.trouble,
        inbox_read_at = max(coalesce(inbox_read_at, r.read_at), coalesce(r.read_at, inbox_read_at))
    FROM (SELECT CAST(value ->> 'mailbox' AS BIGINT) AS mailbox,
                 CAST(value ->> 'epoch' AS BIGINT) AS epoch,
                 CAST(value ->> 'until' AS BIGINT) AS until, value ->> 'trouble' AS trouble,
                 CAST(value ->> 'read_at' AS BIGINT) AS read_at
          FROM json_each($1)) AS r
    WHERE mailboxes.id = r.mailbox AND reader_epoch = r.epoch
    RETURNING id";

const MARKS: &str = "
    SELECT mailbox_id, name, role, uidvalidity, last_uid, read_at FROM folders
    WHERE mailbox_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY id";

const DOUBTS: &str = "
    SELECT mailbox_id, min(sending_since) AS since FROM messages
    WHERE state = 'in_doubt'
      AND mailbox_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
    GROUP BY mailbox_id";
