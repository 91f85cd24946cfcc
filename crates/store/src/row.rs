//! Rows as they come from either database.
//!
//! PostgreSQL has no unsigned numbers and both databases keep yes and no as 1 and 0, so every
//! column is read here: as what the books hold, and then as what it means.

use sea_orm::{DbErr, QueryResult, TryGetable};

/// What a column may mean.
pub(crate) trait Column: Sized {
    fn of(row: &QueryResult, name: &str) -> Result<Self, DbErr>;
}

/// A row of either database.
pub(crate) trait Row {
    fn read<T: Column>(&self, name: &str) -> Result<T, DbErr>;
}

impl Row for QueryResult {
    fn read<T: Column>(&self, name: &str) -> Result<T, DbErr> {
        T::of(self, name)
    }
}

impl Column for i64 {
    fn of(row: &QueryResult, name: &str) -> Result<Self, DbErr> {
        row.try_get("", name)
    }
}

impl Column for String {
    fn of(row: &QueryResult, name: &str) -> Result<Self, DbErr> {
        row.try_get("", name)
    }
}

impl Column for u32 {
    fn of(row: &QueryResult, name: &str) -> Result<Self, DbErr> {
        number(name, row.try_get("", name)?)
    }
}

impl Column for Option<u32> {
    fn of(row: &QueryResult, name: &str) -> Result<Self, DbErr> {
        row.try_get::<Option<i64>>("", name)?.map(|n| number(name, n)).transpose()
    }
}

impl Column for bool {
    /// What a table keeps is a number; what a condition comes to, PostgreSQL calls a truth.
    fn of(row: &QueryResult, name: &str) -> Result<Self, DbErr> {
        row.try_get::<i64>("", name).map(|n| n != 0).or_else(|_| row.try_get("", name))
    }
}

impl Column for Option<i64> {
    fn of(row: &QueryResult, name: &str) -> Result<Self, DbErr> {
        optional(row, name)
    }
}

impl Column for Option<String> {
    fn of(row: &QueryResult, name: &str) -> Result<Self, DbErr> {
        optional(row, name)
    }
}

fn optional<T: TryGetable>(row: &QueryResult, name: &str) -> Result<Option<T>, DbErr> {
    row.try_get("", name)
}

fn number(name: &str, value: i64) -> Result<u32, DbErr> {
    u32::try_from(value).map_err(|_| DbErr::Type(format!("{name} is {value}, and no count")))
}

/// Reads a struct from the columns of its fields' names. sea-orm's own derive would read every
/// number as the database has it, and PostgreSQL has none of ours.
macro_rules! columns {
    ($row:ident { $($field:ident),+ $(,)? }) => {
        impl sea_orm::FromQueryResult for $row {
            fn from_query_result(
                row: &sea_orm::QueryResult,
                _prefix: &str,
            ) -> Result<Self, sea_orm::DbErr> {
                Ok(Self { $($field: $crate::row::Row::read(row, stringify!($field))?),+ })
            }
        }
    };
}
pub(crate) use columns;
