//! The proof that a copy is whole: read back from both sides, row by row, sum by sum.

use futures_util::TryStreamExt as _;
use sea_orm::{ConnectionTrait as _, DbBackend};

use super::rows::rows;
use super::tables::Table;
use super::{Progress, Told};
use crate::books::Audit;
use crate::db::{Transaction, sql};
use crate::row::Row as _;
use crate::{Store, StoreError};

/// Compares all rows of all tables; gives each table with how many there are. Stronger than a sum
/// over each table, and it can name the row.
pub(super) async fn compare(
    source: &Transaction,
    target: &Transaction,
    tables: &[Table],
    told: Told<'_>,
) -> Result<Vec<(String, u64)>, StoreError> {
    let mut counts = Vec::with_capacity(tables.len());
    for table in tables {
        let (mut ours, mut theirs) = (rows(source, table).await?, rows(target, table).await?);
        let mut count = 0;
        loop {
            let (our, their) = (ours.try_next().await?, theirs.try_next().await?);
            if our != their {
                let row = our.or(their).unwrap_or_default();
                let what = format!("row {} of `{}`", table.key(&row), table.name);
                return Err(StoreError::Miscopied { what });
            }
            if our.is_none() {
                break;
            }
            count += 1;
        }
        told(Progress::Compared(&table.name, count));
        counts.push((table.name.clone(), count));
    }
    Ok(counts)
}

/// Whether both sides add up, or fail to, in the same way.
pub(super) async fn refuse_other_sums(source: &Store, target: &Store) -> Result<(), StoreError> {
    let sums = async |store: &Store| {
        let mut audit = store.audit().await?;
        // Without an order of their own, and each database has another.
        audit.campaigns.sort();
        audit.imbalances.sort_by(|a, b| (&a.what, &a.who).cmp(&(&b.what, &b.who)));
        Ok::<Audit, StoreError>(audit)
    };
    if sums(source).await? != sums(target).await? {
        return Err(StoreError::Miscopied { what: "what `warmfront audit` says".to_owned() });
    }
    Ok(())
}

/// Whether every constraint holds and every trigger is awake.
pub(super) async fn refuse_what_does_not_hold(target: &Transaction) -> Result<(), StoreError> {
    let query = match target.get_database_backend() {
        DbBackend::Postgres => POSTGRES_UNSOUND,
        _ => SQLITE_UNSOUND,
    };
    match target.query_one_raw(sql(query, [])).await? {
        Some(row) => Err(StoreError::Miscopied { what: row.read("what")? }),
        None => Ok(()),
    }
}

const POSTGRES_UNSOUND: &str = "
    SELECT 'the constraint ' || conname AS what FROM pg_constraint
    WHERE connamespace = CAST(current_schema() AS REGNAMESPACE) AND NOT convalidated
    UNION ALL
    SELECT 'the trigger ' || g.tgname FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
    WHERE t.relnamespace = CAST(current_schema() AS REGNAMESPACE)
      AND NOT g.tgisinternal AND g.tgenabled = 'D'";

const SQLITE_UNSOUND: &str =
    "SELECT 'what `' || \"table\" || '` refers to' AS what FROM pragma_foreign_key_check";
