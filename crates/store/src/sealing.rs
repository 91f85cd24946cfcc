//! By which key the tokens are sealed: one for all that share the books, known here by its fingerprint.
//!
//! The first log-in says which. Nobody seals by another beside it, for then each machine would open its
//! own log-ins only; where it is lost for ever another takes its place, and what it sealed is void.

use sea_orm::ConnectionTrait;
use warmfront_core::health::PauseReason;

use crate::db::sql;
use crate::pausing::stop;
use crate::row::Row as _;
use crate::{Store, StoreError};

impl Store {
    /// The fingerprint of the key that the tokens are sealed by. `None`: there was no token yet, or only
    /// before that was written down.
    pub async fn sealed_by(&self) -> Result<Option<String>, StoreError> {
        sealed_by(&self.db.read).await
    }

    /// What somebody has consented to, sealed, and for which mailbox: any, to try a key on.
    pub async fn consented(&self) -> Result<Option<(String, String)>, StoreError> {
        let Some(row) = self.db.read.query_one_raw(sql(CONSENTED, [])).await? else {
            return Ok(None);
        };
        Ok(Some((row.read("address")?, row.read("refresh")?)))
    }

    /// Has the books know the key that opens their tokens, where they know none.
    pub async fn seal_by(&self, fingerprint: &str, now: i64) -> Result<(), StoreError> {
        seal_by(&self.db.write, fingerprint, now).await
    }
}

async fn sealed_by(db: &impl ConnectionTrait) -> Result<Option<String>, StoreError> {
    let row = db.query_one_raw(sql("SELECT fingerprint FROM sealing_key", [])).await?;
    Ok(row.map(|row| row.read("fingerprint")).transpose()?)
}

/// Has the books know the first key that seals, and takes no other.
pub(crate) async fn seal_by(
    db: &impl ConnectionTrait,
    fingerprint: &str,
    now: i64,
) -> Result<(), StoreError> {
    let first = "INSERT INTO sealing_key (id, fingerprint, since) VALUES (1, $1, $2)
                 ON CONFLICT (id) DO NOTHING";
    db.execute_raw(sql(first, [fingerprint.into(), now.into()])).await?;
    match sealed_by(db).await? {
        Some(known) if known == fingerprint => Ok(()),
        Some(_) | None => Err(StoreError::AnotherKey),
    }
}

/// Puts a key in the place of a lost one. What that had sealed is void: whoever has logged in, but for
/// this mailbox, must do so again; what an application gets in its own name it gets again. Says who.
pub(crate) async fn seal_anew_by(
    db: &impl ConnectionTrait,
    fingerprint: &str,
    mailbox: i64,
    now: i64,
) -> Result<Vec<String>, StoreError> {
    let anew = "INSERT INTO sealing_key (id, fingerprint, since) VALUES (1, $1, $2)
                ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint,
                    since = excluded.since";
    db.execute_raw(sql(anew, [fingerprint.into(), now.into()])).await?;
    let others = db.query_all_raw(sql(OTHERS, [mailbox.into()])).await?;
    db.execute_raw(sql(VOID, [mailbox.into(), LOST_KEY.into()])).await?;
    let mut addresses = Vec::with_capacity(others.len());
    for row in &others {
        // Another pause goes on as it would, and this one begins when it is over.
        if row.read("is_active")? {
            stop(db, row.read("id")?, PauseReason::Login, LOST_KEY, now).await?;
        }
        addresses.push(row.read("address")?);
    }
    Ok(addresses)
}

const LOST_KEY: &str = "its tokens were sealed by a key that is lost";

const CONSENTED: &str = "
    SELECT b.address, t.refresh FROM tokens t JOIN mailboxes b ON b.id = t.mailbox_id
    WHERE t.refresh IS NOT NULL ORDER BY b.id LIMIT 1";

const OTHERS: &str = "
    SELECT b.id, b.address, b.state = 'active' AS is_active
    FROM tokens t JOIN mailboxes b ON b.id = t.mailbox_id
    WHERE t.mailbox_id <> $1 AND t.refresh IS NOT NULL ORDER BY b.address";

const VOID: &str = "
    UPDATE tokens SET state = CASE WHEN refresh IS NULL THEN state ELSE 'needs_login' END,
        trouble = CASE WHEN refresh IS NULL THEN trouble ELSE $2 END,
        refresh = NULL, access = NULL, issued_at = NULL, expires_at = NULL,
        refreshing_by = NULL, refreshing_until = NULL, retry_at = NULL
    WHERE mailbox_id <> $1 AND (refresh IS NOT NULL OR access IS NOT NULL)";
