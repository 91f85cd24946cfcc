//! As many planned messages as a plan writes, in the same table with its indexes, by sea-orm's
//! `insert_many` in batches of 500 and one durable transaction: without triggers, foreign keys or
//! anything that a plan must decide.

use sea_orm::{
    ActiveValue, ConnectOptions, ConnectionTrait as _, Database, EntityTrait as _,
    TransactionTrait as _,
};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::stopwatch::Stopwatch;

/// Writes that many rows and says how long it took.
pub(super) async fn insert(file: &str, rows: usize, mailboxes: usize) -> Result<Value, Failure> {
    let mut options = ConnectOptions::new(format!("sqlite://{file}"));
    options.max_connections(1).max_lifetime(None).idle_timeout(None).sqlx_logging(false);
    let db = Database::connect(options).await.map_err(broken)?;
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; \
                    PRAGMA cache_size = -65536; PRAGMA temp_store = memory";
    db.execute_unprepared(settings).await.map_err(broken)?;
    let begun = Stopwatch::start();
    let transaction = db.begin().await.map_err(broken)?;
    for from in (0..rows).step_by(BATCH) {
        let batch = (from..rows.min(from + BATCH)).map(|nr| row(nr, mailboxes));
        message::Entity::insert_many(batch)
            .exec_without_returning(&transaction)
            .await
            .map_err(broken)?;
    }
    transaction.commit().await.map_err(broken)?;
    Ok(json!({ "seconds": begun.seconds() }))
}

fn row(nr: usize, mailboxes: usize) -> message::ActiveModel {
    let id = |nr: usize| i64::try_from(nr).unwrap_or(i64::MAX);
    let due_at = 1_790_000_000_000 + id(nr / mailboxes) * 1_440_000 + id(nr % 997);
    message::ActiveModel {
        id: ActiveValue::NotSet,
        enrolment_id: ActiveValue::Set(id(nr + 1)),
        campaign_id: ActiveValue::Set(1),
        position: ActiveValue::Set(1),
        mailbox_id: ActiveValue::Set(id(nr % mailboxes + 1)),
        plan_day: ActiveValue::Set("2026-09-21".to_owned()),
        due_at: ActiveValue::Set(due_at),
        closes_at: ActiveValue::Set(1_790_100_000_000),
        changed_at: ActiveValue::Set(1_790_000_000_000),
    }
}

fn broken(error: sea_orm::DbErr) -> Failure {
    Failure::of("insert_many", error)
}

/// What sea-orm's readers are told to take.
const BATCH: usize = 500;

/// The columns of a message that a plan writes.
mod message {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "messages")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) enrolment_id: i64,
        pub(crate) campaign_id: i64,
        pub(crate) position: i64,
        pub(crate) mailbox_id: i64,
        pub(crate) plan_day: String,
        pub(crate) due_at: i64,
        pub(crate) closes_at: i64,
        pub(crate) changed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
