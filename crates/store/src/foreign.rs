//! Files that are not our books. Opening one to write would already change it, so it is looked at
//! first.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};

use crate::StoreError;
use crate::db::sql;
use crate::row::Row as _;

/// Refuses a file that is no SQLite database, or another program's. Where it cannot be looked at,
/// opening it in earnest will say why.
pub(crate) async fn refuse_foreign(file: &Path) -> Result<(), StoreError> {
    let mut start = Vec::new();
    let foreign = |why| StoreError::Foreign { file: file.to_owned(), why };
    if file.is_dir() {
        return Err(foreign("this is a folder"));
    }
    let Ok(opened) = File::open(file) else { return Ok(()) };
    let is_file = opened.metadata().is_ok_and(|known| known.is_file());
    if !is_file || opened.take(16).read_to_end(&mut start).is_err() || start.is_empty() {
        return Ok(());
    }
    // https://www.sqlite.org/fileformat.html, section 1.3.1.
    if start != *b"SQLite format 3\0" {
        return Err(foreign("this is no SQLite database"));
    }
    let path = file.to_owned();
    let mut options = ConnectOptions::new("sqlite://");
    options
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite.filename(&path).create_if_missing(false).read_only(true)
        });
    let Ok(db) = Database::connect(options).await else { return Ok(()) };
    let tables = db
        .query_all_raw(sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            [],
        ))
        .await;
    // A pool that is dropped closes by and by; the file must be free at once.
    let _ = db.close().await;
    let names = tables.unwrap_or_default();
    let ours = |row: &sea_orm::QueryResult| row.read::<String>("name").is_ok_and(|n| n == BOOKS);
    if names.is_empty() || names.iter().any(ours) {
        return Ok(());
    }
    Err(foreign("this is another program's database"))
}

/// Where the migrations of our books are noted.
const BOOKS: &str = "seaql_migrations";
