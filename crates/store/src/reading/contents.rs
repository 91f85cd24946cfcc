//! What a reading brings, written down: how far the folders are read, what lies in Sent, what came
//! in. One arrival that the books refuse keeps from no other.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use warmfront_core::reading::{Mark, Place, Role};

use super::{Found, Read, Recorded, RefusedArrival};
use crate::db::sql;
use crate::row::Row as _;
use crate::sent::{self, Reader};
use crate::taking_up::{Stray, is_known, keep_stray, take_up};
use crate::{Consequence, StoreError, inbound};

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

/// Takes in what outdated books did not have, each by itself. Two copies of one message are one message.
pub(super) async fn take_in(
    db: &impl ConnectionTrait,
    found: &Found,
    now: i64,
) -> Result<Recorded, StoreError> {
    let (mut recorded, mut strays) = (Recorded::default(), Vec::new());
    for (taken, stray) in &found.taken {
        match by_itself(db, async || take_up(db, taken, now).await).await? {
            Ok(Some(_)) => recorded.taken_up += 1,
            Ok(None) | Err(_) => strays.push(stray),
        }
    }
    for stray in strays.into_iter().chain(&found.strays) {
        let Stray { mailbox, copy, .. } = stray;
        let one = by_itself(db, async || match is_known(db, *mailbox, copy).await? {
            true => Ok(()),
            false => keep_stray(db, stray).await,
        });
        if let Err(error) = one.await? {
            let place = Some(copy.place.clone());
            let why = error.to_string();
            recorded.refused.push(RefusedArrival { mailbox: *mailbox, place, why });
        }
    }
    Ok(recorded)
}

/// Writes down what a reading brings: marks, copies of what was sent, arrivals.
pub(super) async fn record(
    db: &impl ConnectionTrait,
    read: &Read,
    reader: &Reader<'_>,
    now: i64,
) -> Result<Recorded, StoreError> {
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
    Ok(Recorded { led_to, refused, ..Recorded::default() })
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
