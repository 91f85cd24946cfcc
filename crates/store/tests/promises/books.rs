//! The databases under test, and a way to them that the store does not guard.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Connector, DatabaseConnection,
    TransactionTrait as _,
};
use tempfile::TempDir;
use warmfront_store::{Durability, Settings, Store};

/// A database that can keep the books. Another one is another variant here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Database {
    SqliteInMemory,
    SqliteFile,
}

const EACH: [Database; 2] = [Database::SqliteInMemory, Database::SqliteFile];

/// Runs a promise against empty books in each database.
pub(crate) async fn for_each_database(promise: impl AsyncFn(Books)) {
    for database in EACH {
        promise(Books::open(database).await).await;
    }
}

/// Books, and a connection past them.
pub(crate) struct Books {
    pub(crate) store: Store,
    pub(crate) url: String,
    raw: DatabaseConnection,
    _folder: TempDir,
}

/// The moment that every test begins at: a Friday, nine o'clock.
pub(crate) const NOW: i64 = 1_800_003_600_000;
pub(crate) const TODAY: &str = "2027-01-15";
pub(crate) const TOMORROW: &str = "2027-01-16";
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

impl Books {
    async fn open(database: Database) -> Self {
        static OPENED: AtomicU32 = AtomicU32::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        let url = match database {
            // A name of its own lets the second connection find it.
            Database::SqliteInMemory => format!("sqlite:file:promises-{number}?mode=memory"),
            Database::SqliteFile => format!("sqlite://{}/books.db", folder.path().display()),
        };
        let store = Store::open(&url, Durability::None).await.unwrap();
        let settings = Settings {
            zone: "UTC".to_owned(),
            seed: 7,
            company_per_day: 2,
            person_gap_ms: 48 * HOUR,
            fresh_ms: 15 * MINUTE,
        };
        store.write_settings(&settings).await.unwrap();
        let mut options = ConnectOptions::new(&url);
        options.max_connections(1).sqlx_logging(false);
        let raw = Connector::connect(options).await.unwrap();
        Self { store, url, raw, _folder: folder }
    }

    /// Writes past the store; says how many rows.
    pub(crate) async fn write(&self, text: &str) -> u64 {
        let written = self.raw.execute_unprepared(text).await;
        written.unwrap_or_else(|error| panic!("{text}: {error}")).rows_affected()
    }

    /// Writes past the store and must be refused with these words.
    pub(crate) async fn refuse(&self, text: &str, words: &str) {
        match self.raw.execute_unprepared(text).await {
            Ok(written) => panic!("allowed ({} rows): {text}", written.rows_affected()),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(words), "{text}\nwanted: {words}\nsaid: {error}");
            }
        }
    }

    /// Whether these statements may be written, one after the other; undoes them again.
    pub(crate) async fn may(&self, statements: &[&str]) -> Result<(), String> {
        let transaction = self.raw.begin().await.unwrap();
        let mut outcome = Ok(());
        for text in statements {
            let written = transaction.execute_unprepared(text).await;
            outcome = written.map(|_| ()).map_err(|error| error.to_string());
            if outcome.is_err() {
                break;
            }
        }
        transaction.rollback().await.unwrap();
        outcome
    }

    /// The rows of a query, each written as its columns joined by a space, `-` for nothing. The
    /// query casts every column to text.
    pub(crate) async fn rows(&self, query: &str) -> Vec<String> {
        let backend = self.raw.get_database_backend();
        let statement = sea_orm::Statement::from_string(backend, query);
        let rows = self.raw.query_all_raw(statement).await;
        let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
        let cell = |row: &sea_orm::QueryResult, column: &String| {
            if let Ok(number) = row.try_get::<Option<i64>>("", column) {
                return number.map_or("-".to_owned(), |n| n.to_string());
            }
            row.try_get::<Option<String>>("", column).unwrap().unwrap_or("-".to_owned())
        };
        rows.iter()
            .map(|row| {
                let cells: Vec<_> = row.column_names().iter().map(|c| cell(row, c)).collect();
                cells.join(" ")
            })
            .collect()
    }

    /// The one row of a query.
    pub(crate) async fn row(&self, query: &str) -> String {
        let rows = self.rows(query).await;
        assert_eq!(rows.len(), 1, "{query}");
        rows.into_iter().next().unwrap()
    }

    /// The one number of a query.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.row(query).await.parse().unwrap()
    }

    /// Proves that the books add up.
    pub(crate) async fn add_up(&self) {
        let audit = self.store.audit().await.unwrap();
        assert_eq!(audit.imbalances, []);
        for (slug, rows, accepted, rejected, duplicates, enrolments) in audit.campaigns {
            assert_eq!((rows, accepted), (accepted + rejected + duplicates, enrolments), "{slug}");
        }
    }
}
