//! What a reading of a mailbox's folders found, written down with how far it got.
//!
//! Who reads is leased, apart from who sends: a mailbox that sends nothing is read all the same, and
//! never by two daemons at once. What a reading found and the marks that pass it are one transaction:
//! a crash before it reads again, a crash behind it goes on. An arrival that the books refuse, whoever
//! made it so, is passed and counted, and keeps nothing else from being written. Of a reading that they
//! refuse whole it is written why.

mod contents;

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use sea_orm::ConnectionTrait;
use serde::Serialize;
use warmfront_core::reading::{Bookmarks, Mark, Place, Reading, Role};

use self::contents::{record, take_in};
use crate::claim::written_by;
use crate::db::{json_array, sql};
use crate::row::Row as _;
use crate::sent::{Reader, Strays, Today};
use crate::taking_up::{Stray, TakenUp};
use crate::{Consequence, Store, StoreError, restored};

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

/// What readings led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The mailboxes whose reading was taken.
    pub taken: BTreeSet<i64>,
    /// What each arrival led to.
    pub led_to: Vec<Consequence>,
    /// What could not be written.
    pub refused: Vec<RefusedArrival>,
    /// How many messages were taken up, where they bring outdated books up to date.
    pub taken_up: u32,
}

/// What the books refused of a reading. An arrival is passed: read again, it would be refused again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedArrival {
    /// The mailbox.
    pub mailbox: i64,
    /// Where it lies; nowhere, where the whole reading was refused: that is what keeps the mailbox from
    /// being read, and is written down as such.
    pub place: Option<Place>,
    /// What the books said.
    pub why: String,
}

/// What of a reading the books did not have: what they still cannot have, or refuse, is a stray.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What is taken up, each with the stray that it is else.
    pub taken: Vec<(TakenUp, Stray)>,
    /// What is nobody's whom they know.
    pub strays: Vec<Stray>,
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
        let rows = self
            .db
            .write_alone(sql(
                "UPDATE mailboxes SET reader = $2, reader_epoch = reader_epoch + 1,
                        reader_until = $3 + $4
                 WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
                   AND (reader_until IS NULL OR reader_until <= $3)
                 RETURNING id, reader_epoch",
                [json_array(&mailboxes)?.into(), owner.into(), now.into(), ttl.into()],
            ))
            .await?;
        let lease = |row: &sea_orm::QueryResult| -> Result<ReadingLease, StoreError> {
            Ok(ReadingLease { mailbox: row.read("id")?, epoch: row.read("reader_epoch")? })
        };
        let mut leases = rows.iter().map(lease).collect::<Result<Vec<_>, _>>()?;
        leases.sort_by_key(|lease| lease.mailbox);
        Ok(leases)
    }

    /// Leases the reading of a mailbox, whoever has it: what that one still wants to write names an
    /// epoch that is over.
    pub async fn take_reading_over(
        &self,
        mailbox: i64,
        owner: &str,
        now: i64,
        ttl: i64,
    ) -> Result<ReadingLease, StoreError> {
        let take = sql(
            "UPDATE mailboxes SET reader = $2, reader_epoch = reader_epoch + 1, reader_until = $3
             WHERE id = $1 RETURNING reader_epoch",
            [mailbox.into(), owner.into(), (now + ttl).into()],
        );
        let row = self.db.write.query_one_raw(take).await?;
        let row = row.ok_or_else(|| {
            StoreError::Inconsistent(format!("there is no mailbox {mailbox} to be read"))
        })?;
        Ok(ReadingLease { mailbox, epoch: row.read("reader_epoch")? })
    }

    /// Who reads a mailbox, or read it last and did not give it back.
    pub async fn reader(&self, mailbox: i64) -> Result<Option<String>, StoreError> {
        let query = sql("SELECT reader FROM mailboxes WHERE id = $1", [mailbox.into()]);
        let row = self.db.read.query_one_raw(query).await?;
        Ok(row.map(|row| row.read("reader")).transpose()?.flatten())
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

    /// Writes readings down: one commit for all of them. Of one that was made by a lease that is over
    /// nothing is written.
    pub async fn record_readings(
        &self,
        readings: &[Read],
        today: &Today,
        now: i64,
        ttl: i64,
    ) -> Result<Recorded, StoreError> {
        match self.write_readings(readings, today, now, ttl).await {
            Err(StoreError::Unknown { mailbox }) => {
                let because = self.why_outdated(mailbox).await?;
                self.mark_outdated(&because, now).await?;
                Err(StoreError::Outdated { because })
            }
            written => written,
        }
    }

    async fn why_outdated(&self, mailbox: i64) -> Result<String, StoreError> {
        let query = sql("SELECT address FROM mailboxes WHERE id = $1", [mailbox.into()]);
        let row = self.db.read.query_one_raw(query).await?;
        let address: String = row.map_or(Ok(String::new()), |row| row.read("address"))?;
        Ok(format!("the Sent folder of {address} holds mail of ours that they do not have"))
    }

    /// All in one transaction; where one of them is refused as a whole, each by itself, so that it
    /// keeps from no other.
    async fn write_readings(
        &self,
        readings: &[Read],
        today: &Today,
        now: i64,
        ttl: i64,
    ) -> Result<Recorded, StoreError> {
        match self.write_together(readings, today, now, ttl).await {
            Err(error) if error.speaks_of_the_entry() => {}
            written => return written,
        }
        let mut recorded = Recorded::default();
        for read in readings {
            let one = match self.write_together(slice::from_ref(read), today, now, ttl).await {
                Err(error) if error.speaks_of_the_entry() => {
                    let (mailbox, why) = (read.lease.mailbox, error.to_string());
                    recorded.refused.push(RefusedArrival {
                        mailbox,
                        place: None,
                        why: why.clone(),
                    });
                    // All that is left of it is why.
                    let reading = Reading { trouble: Some(why), ..Reading::default() };
                    let read = Read { reading, ..*read };
                    self.write_together(&[read], today, now, ttl).await?
                }
                written => written?,
            };
            recorded.add(one);
        }
        Ok(recorded)
    }

    async fn write_together(
        &self,
        readings: &[Read],
        today: &Today,
        now: i64,
        ttl: i64,
    ) -> Result<Recorded, StoreError> {
        let rows: Vec<RowAfter> = readings.iter().map(|read| row_after(read, now + ttl)).collect();
        if readings.iter().all(|read| read.reading.brings_nothing()) {
            let taken = self.db.write_alone(sql(TAKE, [json_array(&rows)?.into()])).await?;
            let taken = taken.iter().map(|row| row.read("id")).collect::<Result<_, _>>()?;
            return Ok(Recorded { taken, ..Recorded::default() });
        }
        let transaction = self.db.begin().await?;
        let taken = written_by(&transaction, TAKE, &rows).await?;
        let signet = restored::signet(&transaction).await?;
        let mut recorded = Recorded::default();
        for read in readings.iter().filter(|read| taken.contains(&read.lease.mailbox)) {
            let (mailbox, strays) = (read.lease.mailbox, Strays::Alarm);
            let reader = Reader { mailbox, signet: &signet, today, strays };
            recorded.add(record(&transaction, read, &reader, now).await?);
        }
        transaction.commit().await?;
        Ok(Recorded { taken, ..recorded })
    }

    /// Writes a part of a reading down that brings outdated books up to date: first what is taken up
    /// and what is kept as a stray, so that whatever answers it finds it. What could not be taken up
    /// after all is a stray too. `None`: its lease is over.
    pub async fn record_reconciling(
        &self,
        read: &Read,
        found: &Found,
        today: &Today,
        now: i64,
        ttl: i64,
    ) -> Result<Option<Recorded>, StoreError> {
        let transaction = self.db.begin().await?;
        let taken = written_by(&transaction, TAKE, &[row_after(read, now + ttl)]).await?;
        if taken.is_empty() {
            return Ok(None);
        }
        let mut recorded = Recorded { taken, ..take_in(&transaction, found, now).await? };
        let signet = restored::signet(&transaction).await?;
        let (mailbox, strays) = (read.lease.mailbox, Strays::Kept);
        let reader = Reader { mailbox, signet: &signet, today, strays };
        recorded.add(record(&transaction, read, &reader, now).await?);
        transaction.commit().await?;
        Ok(Some(recorded))
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

impl Recorded {
    fn add(&mut self, other: Self) {
        let Self { taken, led_to, refused, taken_up } = other;
        self.taken.extend(taken);
        self.led_to.extend(led_to);
        self.refused.extend(refused);
        self.taken_up += taken_up;
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
