//! What there is to move. Read from the schema itself, so that no table and no column that comes
//! later is forgotten.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};

use crate::StoreError;
use crate::db::sql;
use crate::row::Row as _;

/// A table of the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    name: String,
    kind: Kind,
    /// Its place in the primary key, from 1; 0 where it is none of it.
    key: i64,
}

/// All that the books are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Number,
    Text,
}

/// The tables that are moved, each behind those it refers to.
pub(super) async fn tables(db: &impl ConnectionTrait) -> Result<Vec<Table>, StoreError> {
    let (columns, parents) = match db.get_database_backend() {
        DbBackend::Postgres => (POSTGRES_COLUMNS, POSTGRES_PARENTS),
        _ => (SQLITE_COLUMNS, SQLITE_PARENTS),
    };
    let mut tables: Vec<Table> = Vec::new();
    for row in &db.query_all_raw(sql(columns, [])).await? {
        let name: String = row.read("name")?;
        if KEPT.contains(&name.as_str()) {
            continue;
        }
        let column = column(&name, row)?;
        match tables.last_mut().filter(|last| last.name == name) {
            Some(table) => table.columns.push(column),
            None => tables.push(Table { name, columns: vec![column] }),
        }
    }
    let mut refers = Vec::new();
    for row in &db.query_all_raw(sql(parents, [])).await? {
        refers.push((row.read("name")?, row.read("parent")?));
    }
    in_order(tables, &refers)
}

fn column(table: &str, row: &QueryResult) -> Result<Column, StoreError> {
    let (name, kind): (String, String) = (row.read("field")?, row.read("kind")?);
    let kind = match kind.to_lowercase().as_str() {
        "integer" | "bigint" => Kind::Number,
        "text" => Kind::Text,
        other => {
            let what = format!("{table}.{name} is {other}, and no number and no text");
            return Err(StoreError::Inconsistent(what));
        }
    };
    Ok(Column { name, kind, key: row.read("key")? })
}

/// Whoever refers to another comes behind it.
fn in_order(mut tables: Vec<Table>, refers: &[(String, String)]) -> Result<Vec<Table>, StoreError> {
    let mut ordered: Vec<Table> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |table: &Table| {
            refers.iter().any(|(child, parent)| {
                *child == table.name
                    && child != parent
                    && ordered.iter().all(|before| before.name != *parent)
            })
        };
        let Some(next) = tables.iter().position(|table| !waits(table)) else {
            return Err(StoreError::Inconsistent("tables refer to each other".to_owned()));
        };
        ordered.push(tables.remove(next));
    }
    Ok(ordered)
}

impl Table {
    /// Whether the other holds the same columns, in whatever order.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let sorted = |table: &Self| {
            let mut columns = table.columns.clone();
            columns.sort();
            columns
        };
        self.name == other.name && sorted(self) == sorted(other)
    }

    /// All rows, in the order of the key and by bytes: the same in either database.
    pub(super) fn select(&self, backend: DbBackend) -> String {
        let mut key: Vec<&Column> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        let by = |column: &&Column| match (backend, column.kind) {
            (DbBackend::Postgres, Kind::Text) => format!("\"{}\" COLLATE \"C\"", column.name),
            _ => format!("\"{}\"", column.name),
        };
        let key: Vec<String> = key.iter().map(by).collect();
        format!("SELECT {} FROM \"{}\" ORDER BY {}", self.listed(), self.name, key.join(", "))
    }

    /// Writes as many rows at once.
    pub(super) fn insert(&self, rows: usize) -> String {
        let width = self.columns.len();
        let row = |row: usize| {
            let values: Vec<String> =
                (1..=width).map(|n| format!("${}", row * width + n)).collect();
            format!("({})", values.join(","))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("INSERT INTO \"{}\" ({}) VALUES {}", self.name, self.listed(), rows.join(","))
    }

    /// How many rows one statement takes.
    pub(super) fn rows_a_statement(&self) -> usize {
        VALUES_MAX / self.columns.len()
    }

    fn listed(&self) -> String {
        let names: Vec<String> =
            self.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        names.join(", ")
    }

    /// A row as [`Self::select`] gives it.
    pub(super) fn row(&self, row: &QueryResult) -> Result<Vec<Value>, StoreError> {
        let value = |(index, column): (usize, &Column)| match column.kind {
            Kind::Number => row.try_get_by_index::<Option<i64>>(index).map(Value::from),
            Kind::Text => row.try_get_by_index::<Option<String>>(index).map(Value::from),
        };
        Ok(self.columns.iter().enumerate().map(value).collect::<Result<_, _>>()?)
    }

    /// Which row it is, for people: its key.
    pub(super) fn key(&self, row: &[Value]) -> String {
        let named = self.columns.iter().zip(row).filter(|(column, _)| column.key > 0);
        let parts: Vec<String> =
            named.map(|(column, value)| format!("{} {value}", column.name)).collect();
        parts.join(", ")
    }
}

/// What each database has of its own: its migrations, where its books are, and who works there.
pub(super) const KEPT: [&str; 3] = ["seaql_migrations", "moves", "workers"];

/// SQLite takes 32,766 values a statement (https://www.sqlite.org/limits.html, section 9),
/// PostgreSQL 65,535.
const VALUES_MAX: usize = 30_000;

const SQLITE_COLUMNS: &str = "
    SELECT t.name AS name, c.name AS field, c.type AS kind, c.pk AS key
    FROM sqlite_master t JOIN pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY t.name, c.cid";

/// `indkey` counts from 0.
const POSTGRES_COLUMNS: &str = "
    SELECT CAST(t.relname AS TEXT) AS name, CAST(c.attname AS TEXT) AS field,
           format_type(c.atttypid, NULL) AS kind,
           CAST(coalesce(array_position(CAST(k.indkey AS SMALLINT[]), c.attnum) + 1, 0) AS BIGINT)
               AS key
    FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
    LEFT JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary
    WHERE t.relnamespace = CAST(current_schema() AS REGNAMESPACE) AND t.relkind = 'r'
      AND c.attnum > 0 AND NOT c.attisdropped
    ORDER BY t.relname, c.attnum";

const SQLITE_PARENTS: &str = "
    SELECT t.name AS name, f.\"table\" AS parent
    FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table'";

const POSTGRES_PARENTS: &str = "
    SELECT CAST(c.relname AS TEXT) AS name, CAST(p.relname AS TEXT) AS parent
    FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid
    WHERE f.contype = 'f' AND f.connamespace = CAST(current_schema() AS REGNAMESPACE)";
