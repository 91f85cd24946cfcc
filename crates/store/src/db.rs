//! The way to the books, whichever database keeps them.
//!
//! Every statement is one text for both: its values are `$1`, `$2`, …, which SQLite takes as well,
//! and it says only what both understand. The few words that PostgreSQL lacks its schema adds (see
//! `migrations/postgres`); where the two must differ, both texts stand side by side.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, Value,
};
use sea_orm_migration::{MigratorTrait as _, SchemaManager};
use sqlx::SqlitePool;

use crate::patient::Patient;
use crate::row::Row as _;
use crate::{StoreError, postgres, sqlite};

/// How much a commit promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A commit survives a power cut: fsync before it returns. WAL with NORMAL lost the books at
    /// every power-loss point tried.
    Full,
    /// For simulations only: a commit survives nothing but this process.
    None,
}

/// Connections that read and connections that write. In PostgreSQL, and in memory, they are the
/// same ones.
#[derive(Clone, Debug)]
pub(crate) struct Db {
    pub(crate) read: Connection,
    pub(crate) write: Connection,
    /// What the scribe writes by. In PostgreSQL few connections of its own: each plans the scribe's
    /// statements anew, which takes longer than they do.
    pub(crate) scribe: Connection,
}

/// Connections, of which each statement takes one.
pub(crate) type Connection = Patient<DatabaseConnection>;

/// A transaction; undone unless it is committed.
pub(crate) type Transaction = Patient<DatabaseTransaction>;

impl Db {
    /// Opens the books at `url` and brings their schema up to date.
    pub(crate) async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => sqlite::open(url, durability).await,
            Some("postgres" | "postgresql") => postgres::open(url, durability).await,
            _ => {
                let why = "write sqlite://FILE or postgres://USER@HOST/DATABASE".to_owned();
                Err(StoreError::Open { url: without_password(url), why })
            }
        }
    }

    /// Whether several processes may work on these books at once.
    pub(crate) fn is_shared(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Postgres
    }

    /// The writing connection where SQLite keeps the books.
    pub(crate) fn sqlite(&self) -> Option<&SqlitePool> {
        (!self.is_shared()).then(|| self.write.way().get_sqlite_connection_pool())
    }

    /// A write transaction, with nobody else's beside it.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        let transaction = self.begin_unlocked().await?;
        if self.is_shared() {
            postgres::wait_to_be_alone(&transaction).await?;
        }
        Ok(transaction)
    }

    /// One statement that writes, with nobody else's beside it. In SQLite it is a transaction by itself:
    /// to hand over two more costs twice what it does.
    pub(crate) async fn write_alone(
        &self,
        statement: Statement,
    ) -> Result<Vec<QueryResult>, StoreError> {
        if !self.is_shared() {
            return Ok(self.write.query_all_raw(statement).await?);
        }
        let transaction = self.begin().await?;
        let rows = transaction.query_all_raw(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// A write transaction. In SQLite it is alone at once: IMMEDIATE, since a deferred one that
    /// reads first fails when another writer was faster, whatever the busy timeout
    /// (SQLITE_BUSY_SNAPSHOT). In PostgreSQL the caller says beside whom it may work.
    pub(crate) async fn begin_unlocked(&self) -> Result<Transaction, StoreError> {
        self.begin_by(&self.write).await
    }

    /// The same for the scribe.
    pub(crate) async fn begin_group(&self) -> Result<Transaction, StoreError> {
        self.begin_by(&self.scribe).await
    }

    /// The same by a connection of the caller's own.
    pub(crate) async fn begin_by(
        &self,
        connection: &Connection,
    ) -> Result<Transaction, StoreError> {
        // PostgreSQL is told its isolation with each connection: here it would be one more question.
        let mode = (!self.is_shared()).then_some(SqliteTransactionMode::Immediate);
        let options =
            TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() };
        Ok(connection.begin(options).await?)
    }
}

/// Any number of rows as one bound value, which `json_each` takes apart. Without any NUL: PostgreSQL
/// refuses it, also where JSON writes it as `\u0000`.
pub(crate) fn json_array(rows: &impl serde::Serialize) -> Result<String, StoreError> {
    let json = serde_json::to_string(rows);
    let json = json.map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    if !json.contains(NUL) {
        return Ok(json);
    }
    // Behind a backslash that is itself escaped it is plain text.
    let parts: Vec<_> = json.split(r"\\").map(|part| part.replace(NUL, "")).collect();
    Ok(parts.join(r"\\"))
}

/// How JSON writes the character that no text of PostgreSQL holds.
const NUL: &str = r"\u0000";

/// Rows of one such value; more are no faster.
pub(crate) const BATCH: usize = 500;

/// A column of JSON text as one whose fields `->>` reads.
pub(crate) fn json(db: &impl ConnectionTrait, column: &str) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!("CAST({column} AS JSONB)"),
        _ => column.to_owned(),
    }
}

/// A statement with its values, for either database: what it is called here, neither looks at. A NUL in
/// a text from outside is left out.
pub(crate) fn sql(text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    let values = values.into_iter().map(|value| match value {
        Value::String(Some(text)) if text.contains('\0') => text.replace('\0', "").into(),
        value => value,
    });
    Statement::from_sql_and_values(DbBackend::Sqlite, text, values)
}

/// Brings the schema up to date. The caller holds a lock, or nobody else can reach the database.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<(), StoreError> {
    let known = warmfront_migrations::known();
    if SchemaManager::new(db).has_table("seaql_migrations").await? {
        let applied = db.query_all_raw(sql("SELECT version FROM seaql_migrations", [])).await?;
        for row in &applied {
            let migration: String = row.read("version")?;
            if !known.contains(&migration) {
                return Err(StoreError::Newer { migration });
            }
        }
        if applied.len() == known.len() {
            return Ok(());
        }
    }
    warmfront_migrations::Migrator::up(db, None).await.map_err(StoreError::from)
}

/// Whether the schema is this build's, no older and no newer.
pub(crate) async fn is_up_to_date(db: &DatabaseConnection) -> Result<bool, StoreError> {
    if !SchemaManager::new(db).has_table("seaql_migrations").await? {
        return Ok(false);
    }
    let applied = db.query_all_raw(sql("SELECT version FROM seaql_migrations", [])).await?;
    let applied: Vec<String> =
        applied.iter().map(|row| row.read("version")).collect::<Result<_, _>>()?;
    let known = warmfront_migrations::known();
    Ok(applied.len() == known.len() && applied.iter().all(|one| known.contains(one)))
}

/// What keeps the books from being opened, with where they should be.
pub(crate) fn open_error(url: &str, error: sea_orm::DbErr) -> StoreError {
    match StoreError::from(error) {
        StoreError::Database(error) => {
            StoreError::Open { url: without_password(url), why: error.to_string() }
        }
        known => known,
    }
}

/// A URL as it may be shown. Not even its parameters: one of them may be a password.
pub(crate) fn without_password(url: &str) -> String {
    let url = url.split('?').next().unwrap_or(url);
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}
