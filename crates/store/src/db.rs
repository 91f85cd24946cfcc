//! Opening the books: connections, durability, migrations, the daemon's lock.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _, Value,
};
use sea_orm_migration::MigratorTrait as _;
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use crate::StoreError;

/// How much a commit promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A commit survives a power cut: fsync before it returns. WAL with NORMAL lost the books at
    /// every power-loss point tried.
    Full,
    /// For simulations only: a commit survives nothing but this process.
    None,
}

/// One writer, some readers. In memory both are the same connection.
#[derive(Clone, Debug)]
pub(crate) struct Db {
    pub(crate) read: DatabaseConnection,
    pub(crate) write: DatabaseConnection,
}

impl Db {
    pub(crate) async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        if !url.starts_with("sqlite:") {
            let why = "this version keeps its books in SQLite; write sqlite://FILE".to_owned();
            return Err(StoreError::Open { url: without_password(url), why });
        }
        let open = |readers, options: ConnectOptions| async move {
            let _: u32 = readers;
            Database::connect(options).await.map_err(|e| open_error(url, e))
        };
        if is_in_memory(url) {
            let both = open(1, sqlite(url, 1, durability, Access::Write)).await?;
            return Ok(Self { read: both.clone(), write: both });
        }
        let lock = match path(url) {
            Some(path) => {
                crate::foreign::refuse_foreign(&path).await?;
                Some(migration_lock(path).await?)
            }
            None => None,
        };
        let write = open(1, sqlite(url, 1, durability, Access::Write)).await?;
        migrate(&write).await?;
        drop(lock);
        let read = open(READERS, sqlite(url, READERS, durability, Access::Read)).await?;
        Ok(Self { read, write })
    }

    /// A write transaction. IMMEDIATE: a deferred one that reads first fails at once when another
    /// writer was faster, whatever the busy timeout (SQLITE_BUSY_SNAPSHOT).
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.write.begin_with_options(options).await?)
    }
}

/// A statement with its values; `?` in SQLite's numbered form, `?1`.
pub(crate) fn sql(text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(sea_orm::DbBackend::Sqlite, text, values)
}

/// Brings the schema up to date. The caller holds a lock, or nobody else can reach the database.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<(), StoreError> {
    let known = warmfront_migrations::known();
    let applied = db
        .query_all_raw(sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
            [],
        ))
        .await?;
    if !applied.is_empty() {
        for row in db.query_all_raw(sql("SELECT version FROM seaql_migrations", [])).await? {
            let migration: String = row.try_get("", "version")?;
            if !known.contains(&migration) {
                return Err(StoreError::Newer { migration });
            }
        }
        if db.query_all_raw(sql("SELECT 1 FROM seaql_migrations", [])).await?.len() == known.len() {
            return Ok(());
        }
    }
    warmfront_migrations::Migrator::up(db, None).await.map_err(StoreError::from)
}

enum Access {
    Read,
    Write,
}

fn sqlite(url: &str, connections: u32, durability: Durability, access: Access) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    let synchronous = match durability {
        Durability::Full => SqliteSynchronous::Full,
        Durability::None => SqliteSynchronous::Off,
    };
    options
        .max_connections(connections)
        .min_connections(1)
        .sqlx_logging(false)
        .acquire_timeout(ACQUIRE_MAX)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(BUSY_MAX)
                .foreign_keys(true)
                .statement_cache_capacity(STATEMENTS_KEPT)
                .pragma("temp_store", "memory");
            match access {
                // A bulk import is bound by the writer's cache: 64 MiB twice as fast as 16.
                Access::Write => sqlite.pragma("cache_size", "-65536"),
                Access::Read => sqlite.pragma("cache_size", "-4096").pragma("query_only", "1"),
            }
        });
    options
}

fn open_error(url: &str, error: sea_orm::DbErr) -> StoreError {
    match StoreError::from(error) {
        StoreError::Database(error) => {
            StoreError::Open { url: without_password(url), why: error.to_string() }
        }
        known => known,
    }
}

fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

/// The file behind a SQLite URL.
pub(crate) fn path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    let path = path.split('?').next().unwrap_or(path);
    (!path.is_empty() && !is_in_memory(url)).then(|| PathBuf::from(path))
}

/// Whether nothing of these books outlives the process.
pub(crate) fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

/// Several processes may start at once on an empty file; sea-orm-migration takes no lock itself.
/// Waits on a thread of its own: whoever holds the lock may be another task of this one.
async fn migration_lock(database: PathBuf) -> Result<File, StoreError> {
    let take = move || {
        let file = side_file(&database, "migrate-lock")?;
        file.lock().map_err(|error| side_file_error(&database, &error))?;
        Ok(file)
    };
    tokio::task::spawn_blocking(take).await.map_err(|_| StoreError::Closed)?
}

/// The right to send from these books: one daemon a file. Held until dropped, or the process ends
/// in whatever way.
#[derive(Debug)]
pub struct DaemonLock {
    _file: Option<File>,
}

impl DaemonLock {
    /// Takes the lock for `owner`, or names who has it.
    pub(crate) fn take(url: &str, owner: &str) -> Result<Self, StoreError> {
        let Some(database) = path(url) else { return Ok(Self { _file: None }) };
        let mut file = side_file(&database, "daemon-lock")?;
        if file.try_lock().is_err() {
            return Err(StoreError::InUse { owner: owner_in(&mut file) });
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(owner.as_bytes()));
        written.map_err(|error| side_file_error(&database, &error))?;
        Ok(Self { _file: Some(file) })
    }

    /// Who has the lock, if anybody has. Asks with a shared one, so that two who ask do not take
    /// each other for the daemon, and leaves the name alone.
    pub(crate) fn holder(url: &str) -> Result<Option<String>, StoreError> {
        let Some(database) = path(url) else { return Ok(None) };
        let mut file = side_file(&database, "daemon-lock")?;
        Ok(file.try_lock_shared().is_err().then(|| owner_in(&mut file)))
    }
}

fn owner_in(file: &mut File) -> String {
    let mut owner = String::new();
    match file.read_to_string(&mut owner) {
        Ok(_) if !owner.trim().is_empty() => owner.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

/// Beside the file itself, whatever other names lead to it: two locks would be none.
fn side_file(database: &Path, suffix: &str) -> Result<File, StoreError> {
    let itself = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let mut name = itself.into_os_string();
    name.push(format!(".{suffix}"));
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(PathBuf::from(name))
        .map_err(|error| side_file_error(database, &error))
}

fn side_file_error(database: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly
        }
        std::io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Open { url: database.display().to_string(), why: error.to_string() },
    }
}

/// Reading connections of one process.
const READERS: u32 = 4;

/// How long a statement waits for another program's write lock before the caller is told.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// How long a caller waits for a connection of our own.
const ACQUIRE_MAX: Duration = Duration::from_secs(60);

/// Prepared statements kept for each connection; the store has fewer.
const STATEMENTS_KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    async fn books(folder: &Path, pragma: &str) -> Db {
        let url = format!("sqlite://{}/books.db", folder.display());
        let db = Db::open(&url, Durability::None).await.unwrap();
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
        assert_eq!(row.try_get::<i64>("", "n").unwrap(), written + 1);
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
