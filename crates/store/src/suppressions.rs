//! Whom nobody writes to, whatever the campaign. Outlives everything else in the books.

use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::db::sql;
use crate::{Store, StoreError};

/// What a suppression covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One address.
    Address,
    /// Every address of a domain.
    Domain,
}

impl Scope {
    /// The word in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
        }
    }
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, serde::Serialize)]
pub struct Suppression {
    /// `address` or `domain`.
    pub scope: String,
    /// The address or the domain.
    pub value: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_at: i64,
}

impl Store {
    /// Puts an address or a domain on the list and ends its live enrolments. `false`: it was there.
    pub async fn suppress(
        &self,
        scope: Scope,
        value: &str,
        reason: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        Ok(self.suppress_all(&[(scope, value.to_owned())], reason, now).await? == 1)
    }

    /// Puts many on the list at once; says how many were new.
    pub async fn suppress_all(
        &self,
        entries: &[(Scope, String)],
        reason: &str,
        now: i64,
    ) -> Result<usize, StoreError> {
        let transaction = self.db.begin().await?;
        let mut new = 0;
        for (scope, value) in entries {
            new += usize::from(add(&transaction, *scope, value, reason, now).await?);
        }
        transaction.commit().await?;
        Ok(new)
    }

    /// Takes an entry off the list. Enrolments it ended stay ended. `false`: it was not there.
    pub async fn unsuppress(
        &self,
        scope: Scope,
        value: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let transaction = self.db.begin().await?;
        let gone = transaction
            .execute_raw(sql(
                "DELETE FROM suppressions WHERE scope = $1 AND value = $2",
                [scope.as_str().into(), value.to_lowercase().into()],
            ))
            .await?;
        if gone.rows_affected() == 1 {
            transaction
                .execute_raw(sql(
                    "INSERT INTO events (at, kind, data) VALUES ($1, 'unsuppressed', '{}')",
                    [now.into()],
                ))
                .await?;
        }
        transaction.commit().await?;
        Ok(gone.rows_affected() == 1)
    }

    /// The list, in order.
    pub async fn suppressions(&self) -> Result<Vec<Suppression>, StoreError> {
        let query =
            sql("SELECT scope, value, reason, created_at FROM suppressions ORDER BY 1, 2", []);
        Ok(Suppression::find_by_statement(query).all(&self.db.read).await?)
    }
}

/// Adds an entry within a transaction. `false`: it was there.
pub(crate) async fn add(
    db: &impl ConnectionTrait,
    scope: Scope,
    value: &str,
    reason: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let value = value.to_lowercase();
    let new = db
        .execute_raw(sql(
            "INSERT INTO suppressions (scope, value, reason, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            [scope.as_str().into(), value.as_str().into(), reason.into(), now.into()],
        ))
        .await?;
    if new.rows_affected() == 0 {
        return Ok(false);
    }
    let whom = match scope {
        Scope::Address => "address = $1",
        Scope::Domain => "domain = $1 OR company = $1",
    };
    db.execute_raw(sql(
        &format!(
            "UPDATE enrolments SET state = 'suppressed', because = $2, ended_at = $3
             WHERE ended_at IS NULL AND prospect_id IN (SELECT id FROM prospects WHERE {whom})"
        ),
        [value.into(), reason.into(), now.into()],
    ))
    .await?;
    Ok(true)
}
