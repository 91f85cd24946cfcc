//! Rows on their way from one database to the other, as they are: no trigger counts, cancels or
//! refuses what was counted, cancelled and allowed long ago.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sea_orm::{ConnectionTrait, DbBackend, StreamTrait, Value};

use super::tables::Table;
use crate::StoreError;
use crate::db::{Db, Transaction, sql};
use crate::patient::Patient;
use crate::row::Row as _;

/// A row, its columns in the order of the table it comes from.
pub(super) type Row = Vec<Value>;

/// All rows of a table, in the order of its key, few of them in memory at a time.
pub(super) async fn rows<'a, C: StreamTrait>(
    db: &'a Patient<C>,
    table: &'a Table,
) -> Result<BoxStream<'a, Result<Row, StoreError>>, StoreError> {
    let db = db.way();
    let text = table.select(db.get_database_backend());
    let rows = db.stream_raw(sql(&text, [])).await?;
    Ok(rows.map(move |row| table.row(&row?)).boxed())
}

/// Rows being written into a table.
pub(super) struct Writer<'a> {
    db: &'a Db,
    table: &'a Table,
    /// Of the next statement.
    values: Vec<Value>,
    waiting: usize,
    open: Option<Group>,
}

/// What becomes of a commit.
struct Group {
    transaction: Transaction,
    triggers: Vec<String>,
    rows: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(db: &'a Db, table: &'a Table) -> Self {
        Self { db, table, values: Vec::new(), waiting: 0, open: None }
    }

    /// Takes a row; says how many were committed by that, if any were.
    pub(super) async fn add(&mut self, row: Row) -> Result<usize, StoreError> {
        self.values.extend(row);
        self.waiting += 1;
        if self.waiting == self.table.rows_a_statement() {
            self.write().await?;
        }
        match self.open.take_if(|group| group.rows >= ROWS_A_COMMIT) {
            Some(group) => group.commit().await,
            None => Ok(0),
        }
    }

    /// Writes and commits what is left; says how many rows that were.
    pub(super) async fn finish(mut self) -> Result<usize, StoreError> {
        if self.waiting > 0 {
            self.write().await?;
        }
        match self.open.take() {
            Some(group) => group.commit().await,
            None => Ok(0),
        }
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let group = match self.open.take() {
            Some(group) => group,
            None => {
                let transaction = self.db.begin_unlocked().await?;
                let triggers = silence(&transaction, &self.table.name).await?;
                Group { transaction, triggers, rows: 0 }
            }
        };
        let group = self.open.insert(group);
        let text = self.table.insert(self.waiting);
        group.transaction.execute_raw(sql(&text, std::mem::take(&mut self.values))).await?;
        group.rows += std::mem::take(&mut self.waiting);
        Ok(())
    }
}

impl Group {
    async fn commit(self) -> Result<usize, StoreError> {
        restore(&self.transaction, &self.triggers).await?;
        self.transaction.commit().await?;
        Ok(self.rows)
    }
}

/// Takes all rows out of the tables.
pub(super) async fn empty(transaction: &Transaction, tables: &[Table]) -> Result<(), StoreError> {
    let mut triggers = Vec::new();
    for table in tables {
        triggers.extend(silence(transaction, &table.name).await?);
    }
    if transaction.get_database_backend() == DbBackend::Postgres {
        // At once: row by row, each would be looked for in all tables that may refer to it.
        let text = format!("TRUNCATE {}", listed(tables));
        transaction.execute_unprepared(&text).await?;
    } else {
        for table in tables.iter().rev() {
            let text = format!("DELETE FROM \"{}\"", table.name);
            transaction.execute_unprepared(&text).await?;
        }
    }
    restore(transaction, &triggers).await
}

/// The tables as a statement lists them.
pub(super) fn listed(tables: &[Table]) -> String {
    let names: Vec<String> = tables.iter().map(|table| format!("\"{}\"", table.name)).collect();
    names.join(", ")
}

/// Silences the triggers of a table within this transaction; gives the statements that wake them
/// again. Whatever ends the transaction before they are run undoes the silence too. The owner of a
/// table may do this, where `session_replication_role` asks for a superuser; constraints, foreign
/// keys among them, hold all the while.
async fn silence(transaction: &Transaction, table: &str) -> Result<Vec<String>, StoreError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let text = format!("ALTER TABLE \"{table}\" DISABLE TRIGGER USER");
        transaction.execute_unprepared(&text).await?;
        return Ok(vec![format!("ALTER TABLE \"{table}\" ENABLE TRIGGER USER")]);
    }
    let triggers = transaction.query_all_raw(sql(SQLITE_TRIGGERS, [table.into()])).await?;
    let mut texts = Vec::with_capacity(triggers.len());
    for row in &triggers {
        let text = format!("DROP TRIGGER \"{}\"", row.read::<String>("name")?);
        transaction.execute_unprepared(&text).await?;
        texts.push(row.read("sql")?);
    }
    Ok(texts)
}

async fn restore(transaction: &Transaction, texts: &[String]) -> Result<(), StoreError> {
    for text in texts {
        transaction.execute_unprepared(text).await?;
    }
    Ok(())
}

/// In the order in which they were made, and so are made again.
const SQLITE_TRIGGERS: &str =
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = $1 ORDER BY rowid";

/// Rows of one commit: few enough to be soon done again, and so many that waking the triggers and
/// waiting for the disk cost nothing beside them.
const ROWS_A_COMMIT: usize = 20_000;
