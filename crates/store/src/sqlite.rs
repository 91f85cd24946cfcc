//! Books in one SQLite file, or in memory: one connection writes, some read.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::{ConnectOptions, Database};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use crate::daemon::{side_file, side_file_error};
use crate::db::{Db, is_up_to_date, migrate, open_error};
use crate::foreign::refuse_foreign;
use crate::patient::Patient;
use crate::{Durability, StoreError};

/// Opens the books, and makes the file where there is none.
pub(crate) async fn open(url: &str, durability: Durability) -> Result<Db, StoreError> {
    let open = async |connections, access| {
        let options = options(url, connections, durability, access);
        Database::connect(options).await.map_err(|error| open_error(url, error))
    };
    let Some(path) = path(url) else {
        let both = open(1, Access::Write).await?;
        migrate(&both).await?;
        let both = Patient::new(both, None);
        return Ok(Db { read: both.clone(), scribe: both.clone(), write: both });
    };
    refuse_foreign(&path).await?;
    let lock = migration_lock(path).await?;
    let write = open(1, Access::Write).await?;
    migrate(&write).await?;
    drop(lock);
    let read = open(READERS, Access::Read).await?;
    let (read, write) = (Patient::new(read, None), Patient::new(write, None));
    Ok(Db { read, scribe: write.clone(), write })
}

/// Opens books as they are, to look at them: makes no file, and brings no schema up to date. `None`
/// where there are none that this build could read.
pub(crate) async fn look(url: &str) -> Result<Option<Db>, StoreError> {
    let Some(path) = path(url) else { return Ok(None) };
    if path.metadata().map_or(true, |known| known.len() == 0) {
        return Ok(None);
    }
    refuse_foreign(&path).await?;
    let options = options(url, 1, Durability::Full, Access::Look);
    let read = Database::connect(options).await.map_err(|error| open_error(url, error))?;
    if !is_up_to_date(&read).await? {
        read.close().await?;
        return Ok(None);
    }
    let read = Patient::new(read, None);
    Ok(Some(Db { read: read.clone(), scribe: read.clone(), write: read }))
}

enum Access {
    Read,
    Write,
    Look,
}

fn options(url: &str, connections: u32, durability: Durability, access: Access) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    let synchronous = match durability {
        Durability::Full => SqliteSynchronous::Full,
        Durability::None => SqliteSynchronous::Off,
    };
    options
        .max_connections(connections)
        .min_connections(1)
        // Books in memory end with their connection, and a file's grows no worse with age.
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        .acquire_timeout(ACQUIRE_MAX)
        // Nobody hangs up on a file. The question would be one more thread to wake for each statement.
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .create_if_missing(!matches!(access, Access::Look))
                .synchronous(synchronous)
                .busy_timeout(BUSY_MAX)
                .foreign_keys(true)
                .statement_cache_capacity(STATEMENTS_KEPT)
                .pragma("temp_store", "memory");
            match access {
                Access::Write => sqlite
                    .journal_mode(SqliteJournalMode::Wal)
                    .pragma("cache_size", "-12288")
                    .pragma("wal_autocheckpoint", CHECKPOINT_PAGES),
                Access::Read => sqlite
                    .journal_mode(SqliteJournalMode::Wal)
                    .pragma("cache_size", "-1024")
                    .pragma("query_only", "1"),
                Access::Look => sqlite.pragma("cache_size", "-1024").pragma("query_only", "1"),
            }
        });
    options
}

/// The file behind a SQLite URL; none where nothing of the books outlives the process.
pub(crate) fn path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    let path = path.split('?').next().unwrap_or(path);
    let is_in_memory = url.contains(":memory:") || url.contains("mode=memory");
    (!path.is_empty() && !is_in_memory).then(|| PathBuf::from(path))
}

/// Several processes may start at once on an empty file; sea-orm-migration takes no lock itself.
/// Waits on a thread of its own: whoever holds the lock may be another task of this one.
async fn migration_lock(database: PathBuf) -> Result<File, StoreError> {
    let take = move || lock(&database);
    tokio::task::spawn_blocking(take).await.map_err(|_| StoreError::Closed)?
}

fn lock(database: &Path) -> Result<File, StoreError> {
    let file = side_file(database, "migrate-lock")?;
    file.lock().map_err(|error| side_file_error(database, &error))?;
    Ok(file)
}

/// Reading connections of one process.
const READERS: u32 = 4;

/// How long a statement waits for another program's write lock before the caller is told.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// How long a caller waits for a connection of our own.
const ACQUIRE_MAX: Duration = Duration::from_secs(60);

/// An import is bound by the writer's cache: with 64 MiB it is twice as fast as with 16, which is what
/// a daemon has use for. The connection keeps it; whoever imports ends soon after.
pub(crate) const CACHE_OF_AN_IMPORT: &str = "PRAGMA cache_size = -65536";

/// Pages of 4 KiB after which what is in the log goes into the file: 32 MiB. A day's busiest pages
/// are then copied once, and not at every thousandth page written.
const CHECKPOINT_PAGES: &str = "8192";

/// Prepared statements kept for each connection; the store has fewer.
pub(crate) const STATEMENTS_KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait as _;

    use super::*;
    use crate::db::sql;
    use crate::row::Row as _;

    async fn books(folder: &Path, pragma: &str) -> Db {
        let url = format!("sqlite://{}/books.db", folder.display());
        let db = open(&url, Durability::None).await.unwrap();
        db.write.execute_unprepared(pragma).await.unwrap();
        db
    }

    async fn fill(db: &Db) -> Result<(), StoreError> {
        let text = "INSERT INTO events (at, kind, data) VALUES (1, 'fill', hex(zeroblob(60000)))";
        let transaction = db.begin().await?;
        transaction.execute_raw(sql(text, [])).await?;
        Ok(transaction.commit().await?)
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_passes() {
        let folder = tempfile::tempdir().unwrap();
        // What the disk says, the database says of its own limit too (SQLITE_FULL).
        let db = books(folder.path(), "PRAGMA max_page_count = 140").await;
        let mut written = 0;
        let refused = loop {
            match fill(&db).await {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, StoreError::Full) && refused.is_transient(), "{refused:?}");
        db.write.execute_unprepared("PRAGMA max_page_count = 9999").await.unwrap();
        fill(&db).await.unwrap();
        let query = sql("SELECT count(*) AS n FROM events", []);
        let row = db.read.query_one_raw(query).await.unwrap().unwrap();
        assert_eq!(row.read::<i64>("n").unwrap(), written + 1);
    }

    #[tokio::test]
    async fn a_lock_that_another_program_keeps_is_told_and_passes() {
        let folder = tempfile::tempdir().unwrap();
        let other = books(folder.path(), "PRAGMA busy_timeout = 0").await;
        let db = books(folder.path(), "PRAGMA busy_timeout = 50").await;
        let held = other.begin().await.unwrap();
        let refused = fill(&db).await.unwrap_err();
        assert!(matches!(refused, StoreError::Locked) && refused.is_transient(), "{refused:?}");
        held.rollback().await.unwrap();
        fill(&db).await.unwrap();
    }
}
