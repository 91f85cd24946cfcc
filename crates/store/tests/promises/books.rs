//! The databases under test, and a way to them that the store does not guard.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Connector, DatabaseConnection,
    TransactionTrait as _,
};
use tempfile::TempDir;
use warmfront_store::{Durability, Settings, Store};

use crate::postgres::Cluster;

/// A database that can keep the books. Another one is another variant here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Database {
    SqliteInMemory,
    SqliteFile,
    Postgres,
}

const EACH: [Database; 3] = [Database::SqliteInMemory, Database::SqliteFile, Database::Postgres];

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
    database: Database,
    pub(crate) raw: DatabaseConnection,
    _folder: TempDir,
}

/// The moment that every test begins at: a Friday, nine o'clock.
pub(crate) const NOW: i64 = 1_800_003_600_000;
pub(crate) const TODAY: &str = "2027-01-15";
pub(crate) const TOMORROW: &str = "2027-01-16";
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A database with its schema and nothing else, to be copied: faster than migrating each anew.
async fn migrated() -> &'static str {
    static NAME: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let migrate = async || {
        let name = Cluster::shared().database(None);
        Store::open(&Cluster::shared().url(&name), Durability::None)
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        name
    };
    NAME.get_or_init(migrate).await
}

/// What SQLite says of a constraint without a name of its own, and the name PostgreSQL has for it.
const NAMES: [(&str, &str); 12] = [
    ("UNIQUE constraint failed: messages.rfc_message_id", "messages_rfc_message_id_key"),
    ("UNIQUE constraint failed: messages.mailbox_id", "one_in_flight_per_mailbox"),
    ("UNIQUE constraint failed: import_rows.enrolment_id", "an_enrolment_comes_from_one_row"),
    (
        "UNIQUE constraint failed: enrolments.campaign_id, enrolments.prospect_id",
        "enrolments_campaign_id_prospect_id_key",
    ),
    ("UNIQUE constraint failed: plans", "plans_pkey"),
    ("CHECK constraint failed: attempts BETWEEN 0 AND 5", "messages_attempts_check"),
    ("CHECK constraint failed", "violates check constraint"),
    ("refused by the books: CHECK", "refused by the books: new row"),
    ("refused by the books: FOREIGN KEY", "violates foreign key constraint"),
    ("ease_percent", "mailboxes_ease_percent_check"),
    ("lower(address)", "mailboxes_address_check"),
    ("lower(value)", "suppressions_value_check"),
];

impl Books {
    pub(crate) async fn open(database: Database) -> Self {
        static OPENED: AtomicU32 = AtomicU32::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        let url = match database {
            // A name of its own lets the second connection find it.
            Database::SqliteInMemory => format!("sqlite:file:promises-{number}?mode=memory"),
            Database::SqliteFile => format!("sqlite://{}/books.db", folder.path().display()),
            Database::Postgres => {
                let cluster = Cluster::shared();
                cluster.url(&cluster.database(Some(migrated().await)))
            }
        };
        let store = Store::open(&url, Durability::None).await.unwrap();
        let settings = Settings {
            zone: "UTC".to_owned(),
            seed: 7,
            company_per_day: 2,
            person_gap_ms: 48 * HOUR,
            fresh_ms: 15 * MINUTE,
            thresholds: warmfront_core::health::Thresholds::default(),
            domain_grace_ms: Some(3 * 24 * 3_600_000),
        };
        store.write_settings(&settings).await.unwrap();
        let mut options = ConnectOptions::new(&url);
        options.max_connections(1).max_lifetime(None).idle_timeout(None).sqlx_logging(false);
        let raw = Connector::connect(options).await.unwrap();
        Self { store, url, database, raw, _folder: folder }
    }

    /// What is so in only one kind of database.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.database, Database::Postgres)
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
                assert!(self.says(&error, words), "{text}\nwanted: {words}\nsaid: {error}");
            }
        }
    }

    /// Whether a refusal says these words, or what stands for them in the other database: there a
    /// constraint speaks by its name.
    pub(crate) fn says(&self, error: &str, words: &str) -> bool {
        let named = NAMES.iter().find(|(sqlite, _)| *sqlite == words);
        let words = named.filter(|_| self.is_postgres()).map_or(words, |(_, name)| name);
        error.contains(words) || error.replace('_', " ").contains(words)
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

impl Drop for Books {
    fn drop(&mut self) {
        if self.is_postgres()
            && let Some((_, name)) = self.url.rsplit_once('/')
        {
            Cluster::shared().drop_later(name);
        }
    }
}
