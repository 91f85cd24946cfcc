//! The books' schema, as plain SQL: a migration is a pair of files of one name, one for each database.
//!
//! Applied in a transaction of its own each. Takes no lock: the store does, because
//! sea-orm-migration lets two processes that start together both begin.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Every migration, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        ALL.into_iter().map(|sql| Box::new(sql) as Box<dyn MigrationTrait>).collect()
    }
}

/// The names of every migration this build knows.
#[must_use]
pub fn known() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

const ALL: [Sql; 18] = [
    Sql {
        name: "0001_books",
        sqlite: include_str!("../sqlite/0001_books.sql"),
        postgres: include_str!("../postgres/0001_books.sql"),
    },
    Sql {
        name: "0002_moves",
        sqlite: include_str!("../sqlite/0002_moves.sql"),
        postgres: include_str!("../postgres/0002_moves.sql"),
    },
    Sql {
        name: "0003_inbound",
        sqlite: include_str!("../sqlite/0003_inbound.sql"),
        postgres: include_str!("../postgres/0003_inbound.sql"),
    },
    Sql {
        name: "0004_slow_mailboxes",
        sqlite: include_str!("../sqlite/0004_slow_mailboxes.sql"),
        postgres: include_str!("../postgres/0004_slow_mailboxes.sql"),
    },
    Sql {
        name: "0006_workers",
        sqlite: include_str!("../sqlite/0006_workers.sql"),
        postgres: include_str!("../postgres/0006_workers.sql"),
    },
    Sql {
        name: "0007_folders",
        sqlite: include_str!("../sqlite/0007_folders.sql"),
        postgres: include_str!("../postgres/0007_folders.sql"),
    },
    Sql {
        name: "0008_restored",
        sqlite: include_str!("../sqlite/0008_restored.sql"),
        postgres: include_str!("../postgres/0008_restored.sql"),
    },
    Sql {
        name: "0009_what_came_back",
        sqlite: include_str!("../sqlite/0009_what_came_back.sql"),
        postgres: include_str!("../postgres/0009_what_came_back.sql"),
    },
    Sql {
        name: "0010_thresholds",
        sqlite: include_str!("../sqlite/0010_thresholds.sql"),
        postgres: include_str!("../postgres/0010_thresholds.sql"),
    },
    Sql {
        name: "0011_unknown_answers",
        sqlite: include_str!("../sqlite/0011_unknown_answers.sql"),
        postgres: include_str!("../postgres/0011_unknown_answers.sql"),
    },
    Sql {
        name: "0012_blamed",
        sqlite: include_str!("../sqlite/0012_blamed.sql"),
        postgres: include_str!("../postgres/0012_blamed.sql"),
    },
    Sql {
        name: "0013_back_and_evidence",
        sqlite: include_str!("../sqlite/0013_back_and_evidence.sql"),
        postgres: include_str!("../postgres/0013_back_and_evidence.sql"),
    },
    Sql {
        name: "0014_few_at_once",
        sqlite: include_str!("../sqlite/0014_few_at_once.sql"),
        postgres: include_str!("../postgres/0014_few_at_once.sql"),
    },
    Sql {
        name: "0015_plateaus",
        sqlite: include_str!("../sqlite/0015_plateaus.sql"),
        postgres: include_str!("../postgres/0015_plateaus.sql"),
    },
    Sql {
        name: "0016_tokens",
        sqlite: include_str!("../sqlite/0016_tokens.sql"),
        postgres: include_str!("../postgres/0016_tokens.sql"),
    },
    Sql {
        name: "0017_domains",
        sqlite: include_str!("../sqlite/0017_domains.sql"),
        postgres: include_str!("../postgres/0017_domains.sql"),
    },
    Sql {
        name: "0018_visitors",
        sqlite: include_str!("../sqlite/0018_visitors.sql"),
        postgres: include_str!("../postgres/0018_visitors.sql"),
    },
    Sql {
        name: "0019_keys",
        sqlite: include_str!("../sqlite/0019_keys.sql"),
        postgres: include_str!("../postgres/0019_keys.sql"),
    },
];

/// One migration. There is no way down: a step back would lose books.
struct Sql {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

impl MigrationName for Sql {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Sql {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = match manager.get_database_backend() {
            DbBackend::Postgres => self.postgres,
            _ => self.sqlite,
        };
        manager.get_connection().execute_unprepared(text).await.map(|_| ())
    }
}
