//! The rows of a list on their way into PostgreSQL: copied into a table that only one connection
//! sees, before the transaction begins that makes people of them.
//!
//! `COPY` is the fastest way in that the server has (PostgreSQL manual, 14.4.2), but sea-orm lends
//! out no connection in the midst of a transaction. So that connection is the only one of a pool, and
//! the table lives as long as it does. No lock of the books is held while a list is read.

use sea_orm::SqlxPostgresConnector;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use tokio::time::timeout;

use crate::db::{Db, Transaction};
use crate::import::{ABOVE, Rows};
use crate::patient::Patient;
use crate::postgres::IMPORT_MAX;
use crate::{ImportRow, StoreError};

/// An import whose rows are in the table `staged` of its connection.
pub(crate) struct Staged {
    pub(crate) transaction: Transaction,
    /// Of that connection, to be closed at the end.
    pub(crate) pool: PgPool,
}

/// Copies the rows as they come, and begins a transaction that finds them in the table `staged`;
/// `None` where they end without a last word.
pub(crate) async fn begin(db: &Db, rows: Rows) -> Result<Option<Staged>, StoreError> {
    let options = db.write.way().get_postgres_connection_pool().connect_options();
    let pool = PgPoolOptions::new()
        .max_connections(1)
        // Another connection would not have the table.
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with((*options).clone());
    let mut connection = pool.acquire().await?;
    let is_whole = copy(&mut connection, rows).await?;
    drop(connection);
    if !is_whole {
        pool.close().await;
        return Ok(None);
    }
    let only = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    let transaction = db.begin_by(&Patient::new(only, Some(IMPORT_MAX))).await?;
    Ok(Some(Staged { transaction, pool }))
}

/// Whether the rows ended with a last word.
async fn copy(connection: &mut PgConnection, mut rows: Rows) -> Result<bool, StoreError> {
    patiently(sqlx::raw_sql(NEW_STAGE).execute(&mut *connection)).await?;
    let mut copy = patiently(connection.copy_in_raw(COPY)).await?;
    let mut octets = BEGINS.to_vec();
    loop {
        match rows.recv().await {
            Some(Some(rows)) => rows.iter().for_each(|row| put(&mut octets, row)),
            Some(None) => break,
            None => {
                patiently(copy.abort("the list was not read to its end")).await?;
                return Ok(false);
            }
        }
        patiently(copy.send(octets.as_slice())).await?;
        octets.clear();
    }
    octets.extend_from_slice(&ENDS);
    patiently(copy.send(octets)).await?;
    patiently(copy.finish()).await?;
    // What is planned next must know that the stage is not empty.
    patiently(sqlx::raw_sql("ANALYZE staged").execute(connection)).await?;
    Ok(true)
}

/// A server that falls silent tells nobody.
async fn patiently<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    Ok(timeout(IMPORT_MAX, answer).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
}

/// A row as COPY takes it in its binary format (PostgreSQL manual, COPY): how many fields, and of
/// each its length and its octets.
fn put(octets: &mut Vec<u8>, row: &ImportRow) {
    let (line, texts) = match row {
        ImportRow::Prospect { line, address, domain, company, attributes, zone, blocked } => {
            let (company, blocked) = (company.as_deref(), blocked.as_deref());
            let (attributes, zone) = (Some(attributes.as_str()), Some(zone.as_str()));
            let known = [Some(address.as_str()), Some(domain), company, attributes, zone, blocked];
            (line, [None, None].into_iter().chain(known).collect())
        }
        ImportRow::Rejected { line, reason } => (line, over("rejected", reason)),
        ImportRow::Duplicate { line } => (line, over("duplicate", ABOVE)),
    };
    octets.extend_from_slice(&FIELDS.to_be_bytes());
    octets.extend_from_slice(&8_i32.to_be_bytes());
    octets.extend_from_slice(&line.to_be_bytes());
    for text in texts {
        let length = text.map_or(-1, |text| i32::try_from(text.len()).unwrap_or(i32::MAX));
        octets.extend_from_slice(&length.to_be_bytes());
        octets.extend_from_slice(text.unwrap_or_default().as_bytes());
    }
}

/// The texts of a row that brings nobody.
fn over<'a>(outcome: &'a str, reason: &'a str) -> Vec<Option<&'a str>> {
    let mut texts = vec![Some(outcome), Some(reason)];
    texts.resize(usize::from(FIELDS.unsigned_abs()) - 1, None);
    texts
}

const NEW_STAGE: &str = "
    CREATE TEMPORARY TABLE staged (
        line BIGINT, outcome TEXT, reason TEXT, address TEXT COLLATE \"C\", domain TEXT, company TEXT,
        attributes TEXT, zone TEXT, blocked TEXT
    )";

/// In binary: a text would have to be escaped.
const COPY: &str = "COPY staged FROM STDIN (FORMAT binary)";

/// Columns of that table.
const FIELDS: i16 = 9;

/// The signature, no flags, no extension.
const BEGINS: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A row of -1 fields is the end.
const ENDS: [u8; 2] = (-1_i16).to_be_bytes();
