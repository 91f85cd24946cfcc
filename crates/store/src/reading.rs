//! What a reading of a mailbox's folders found, written down with how far it got.
//!
//! Who reads is leased, apart from who sends: a mailbox that sends nothing is read all the same, and
//! never by two daemons at once. What a reading found and the marks that pass it are one transaction:
//! a crash before it reads again, a crash behind it goes on. An arrival that the books refuse, whoever
//! made it so, is passed and counted, and keeps nothing else from being written.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ConnectionTrait;
use warmfront_core::reading::{Bookmarks, Mark, Place, Reading, Role};

use crate::db::{json_array, sql};
use crate::row::Row as _;
use crate::sent::{self, Reader, Strays, Today};
use crate::taking_up::{Stray, TakenUp, keep_stray, take_up};
use crate::{Consequence, Store, StoreError, inbound, restored};

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
}

/// What the books refused of a reading. It is passed: read again, it would be refused again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedArrival {
    /// The mailbox.
    pub mailbox: i64,
    /// Where it lies; nowhere, where the whole reading was refused.
    pub place: Option<Place>,
    /// What the books said.
    pub why: String,
}

/// What of a reading the books did not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What is taken up, each with the stray that it is where the books cannot have it sent.
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

    async fn write_readings(
        &self,
        readings: &[Read],
        today: &Today,
        now: i64,
        ttl: i64,
    ) -> Result<Recorded, StoreError> {
        let transaction = self.db.begin().await?;
        let mut recorded = Recorded::default();
        let signet = restored::signet(&transaction).await?;
        for read in readings {
            let (db, mailbox) = (&transaction, read.lease.mailbox);
            let reader = Reader { mailbox, signet: &signet, today, strays: Strays::Alarm };
            let one = by_itself(db, async || match is_leased(db, read, now + ttl).await? {
                true => Ok(Some(record(db, read, &reader, now).await?)),
                false => Ok(None),
            });
            match one.await? {
                Ok(None) => {}
                Ok(Some((led_to, refused))) => {
                    recorded.taken.insert(mailbox);
                    recorded.led_to.extend(led_to);
                    recorded.refused.extend(refused);
                }
                Err(error) => {
                    let why = error.to_string();
                    recorded.refused.push(RefusedArrival { mailbox, place: None, why });
                }
            }
        }
        transaction.commit().await?;
        Ok(recorded)
    }

    /// Writes a part of a reading down that brings outdated books up to date: first what is taken up
    /// and what is kept as a stray, so that whatever answers it finds it. `false`: its lease is over.
    /// What could not be taken up after all is a stray too.
    pub async fn record_reconciling(
        &self,
        read: &Read,
        found: &Found,
        today: &Today,
        now: i64,
        ttl: i64,
    ) -> Result<Option<u32>, StoreError> {
        let transaction = self.db.begin().await?;
        if !is_leased(&transaction, read, now + ttl).await? {
            return Ok(None);
        }
        let mut taken_up = 0;
        for (taken, stray) in &found.taken {
            match take_up(&transaction, taken, now).await? {
                Some(_) => taken_up += 1,
                None => keep_stray(&transaction, stray).await?,
            }
        }
        for stray in &found.strays {
            keep_stray(&transaction, stray).await?;
        }
        let signet = restored::signet(&transaction).await?;
        let (mailbox, strays) = (read.lease.mailbox, Strays::Kept);
        let reader = Reader { mailbox, signet: &signet, today, strays };
        record(&transaction, read, &reader, now).await?;
        transaction.commit().await?;
        Ok(Some(taken_up))
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

/// Takes the lease along to the next part of a reading, or gives it back; says what kept the mailbox
/// from being read, and by what moment it was read.
async fn is_leased(db: &impl ConnectionTrait, read: &Read, until: i64) -> Result<bool, StoreError> {
    let Read { lease, begun_at, reading } = read;
    let until = reading.has_more.then_some(until);
    let read_at = reading.is_whole.then_some(*begun_at);
    let written = db
        .execute_raw(sql(
            "UPDATE mailboxes SET reader_until = $3,
                    reader = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN NULL ELSE reader END,
                    unread_because = $4,
                    inbox_read_at = max(coalesce(inbox_read_at, $5), coalesce($5, inbox_read_at))
             WHERE id = $1 AND reader_epoch = $2",
            [
                lease.mailbox.into(),
                lease.epoch.into(),
                until.into(),
                reading.trouble.clone().into(),
                read_at.into(),
            ],
        ))
        .await?;
    Ok(written.rows_affected() == 1)
}

/// Does a part of a transaction; where the books refuse it, that part alone is undone. Any other
/// failure is one of the whole.
async fn by_itself<T>(
    db: &impl ConnectionTrait,
    part: impl AsyncFnOnce() -> Result<T, StoreError>,
) -> Result<Result<T, StoreError>, StoreError> {
    db.execute_unprepared("SAVEPOINT part").await?;
    let done = match part().await {
        Ok(done) => Ok(done),
        Err(error) if error.speaks_of_the_entry() => {
            db.execute_unprepared("ROLLBACK TO SAVEPOINT part").await?;
            Err(error)
        }
        Err(error) => return Err(error),
    };
    db.execute_unprepared("RELEASE SAVEPOINT part").await?;
    Ok(done)
}

async fn record(
    db: &impl ConnectionTrait,
    read: &Read,
    reader: &Reader<'_>,
    now: i64,
) -> Result<(Vec<Consequence>, Vec<RefusedArrival>), StoreError> {
    let Read { lease, reading, .. } = read;
    let mailbox = lease.mailbox;
    let mut folders = BTreeMap::new();
    for mark in &reading.marks {
        let passed = reading.passed.iter().filter(|place| place.folder == mark.folder).count();
        folders.insert(mark.folder.as_str(), advance(db, lease.mailbox, mark, passed).await?);
    }
    let (mut led_to, mut refused) = (Vec::new(), Vec::new());
    let mut refuse = |place: Option<&Place>, error: StoreError| {
        refused.push(RefusedArrival { mailbox, place: place.cloned(), why: error.to_string() });
    };
    // First by what other ids our messages are known: an answer may name one.
    for copy in &reading.sent {
        let Some(folder) = folders.get(copy.place.folder.as_str()) else { continue };
        let one = by_itself(db, async || sent::record(db, reader, *folder, copy, now).await);
        if let Err(error) = one.await? {
            refuse(Some(&copy.place), error);
        }
    }
    for arrived in &reading.arrivals {
        let place = arrived.place.as_ref();
        let folder = place.and_then(|place| folders.get(place.folder.as_str()));
        let one = by_itself(db, async || {
            let consequence = inbound::record(db, mailbox, &arrived.inbound, now).await?;
            if consequence != Consequence::Known
                && let (Some(place), Some(folder)) = (place, folder)
            {
                locate(db, mailbox, &arrived.inbound.key, *folder, place).await?;
            }
            Ok(consequence)
        });
        match one.await? {
            Ok(consequence) => led_to.push(consequence),
            Err(error) => refuse(place, error),
        }
    }
    for place in refused.iter().filter_map(|one| one.place.as_ref()) {
        let values = [mailbox.into(), place.folder.as_str().into()];
        let text = "UPDATE folders SET passed = passed + 1 WHERE mailbox_id = $1 AND name = $2";
        db.execute_raw(sql(text, values)).await?;
    }
    let is_sent_read = reading.marks.iter().any(|mark| mark.role == Role::Sent);
    if is_sent_read && !reading.has_more && reading.trouble.is_none() {
        sent::prove_absences(db, lease.mailbox, read.begun_at, now).await?;
    }
    Ok((led_to, refused))
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

const MARKS: &str = "
    SELECT mailbox_id, name, role, uidvalidity, last_uid, read_at FROM folders
    WHERE mailbox_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY id";

const DOUBTS: &str = "
    SELECT mailbox_id, min(sending_since) AS since FROM messages
    WHERE state = 'in_doubt'
      AND mailbox_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
    GROUP BY mailbox_id";
