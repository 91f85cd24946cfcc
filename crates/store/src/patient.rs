//! A way to the database that does not wait for ever.
//!
//! A server that ends closes its connections, and whoever waits for an answer is told. One that
//! falls silent (a frozen machine, a network that is cut) tells nobody, and the driver waits for as
//! long as TCP does. So whatever the store asks, it asks through here: after a while it is told
//! [`StoreError::Unreachable`](crate::StoreError::Unreachable). What had been asked may have been
//! done or may yet be.
//!
//! Knows nothing of what is asked. How a silent connection leaves the pool is the business of
//! `postgres.rs`.

use std::pin::pin;
use std::time::Duration;

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    ExecResult, QueryResult, Statement, TransactionOptions, TransactionTrait as _,
};

/// A connection or a transaction, and how long it waits for one answer.
#[derive(Clone, Debug)]
pub(crate) struct Patient<C> {
    way: C,
    /// None: for as long as it takes. A file has nobody who could fall silent.
    patience: Option<Duration>,
}

impl<C> Patient<C> {
    pub(crate) fn new(way: C, patience: Option<Duration>) -> Self {
        Self { way, patience }
    }

    /// The way itself, for whoever reads row after row: a person waits for that, and may end it.
    pub(crate) fn way(&self) -> &C {
        &self.way
    }

    /// The same, with another patience if it has a limit at all.
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience: self.patience.map(|_| patience), ..self }
    }
}

impl Patient<DatabaseConnection> {
    pub(crate) async fn begin(
        &self,
        options: TransactionOptions,
    ) -> Result<Patient<DatabaseTransaction>, DbErr> {
        let way = within(self.patience, self.way.begin_with_options(options)).await?;
        Ok(Patient::new(way, self.patience))
    }

    pub(crate) async fn close(self) -> Result<(), DbErr> {
        within(self.patience, self.way.close()).await
    }
}

impl Patient<DatabaseTransaction> {
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        within(self.patience, self.way.commit()).await
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        within(self.patience, self.way.rollback()).await
    }
}

#[async_trait::async_trait]
impl<C: ConnectionTrait + Send> ConnectionTrait for Patient<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.way.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        within(self.patience, self.way.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        within(self.patience, self.way.execute_unprepared(text)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        within(self.patience, self.way.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        within(self.patience, self.way.query_all_raw(statement)).await
    }
}

/// What came of something, if it came in time.
async fn within<T>(
    patience: Option<Duration>,
    answer: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let answer = pin!(answer);
    match patience {
        None => answer.await,
        Some(patience) => tokio::time::timeout(patience, answer)
            .await
            .unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_never_answers_is_given_up_where_patience_has_a_limit() {
        let never = std::future::pending::<Result<(), DbErr>>();
        let told =
            within(Some(Duration::from_millis(10)), never).await.map_err(crate::StoreError::from);
        assert!(matches!(told, Err(crate::StoreError::Unreachable)), "{told:?}");
        let slow = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(7)
        };
        assert_eq!(within(None, slow).await, Ok(7));
    }
}
