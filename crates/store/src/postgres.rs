//! Books in PostgreSQL, which several daemons share.
//!
//! # Why nothing passes a limit here
//!
//! The schema refuses by itself, whoever writes: the triggers of a claim move each counter by an
//! `UPDATE`, which waits for whoever has the row and then sees what they left, and compare-and-set
//! the person's and the mailbox's last attempt (see `migrations/postgres`).
//!
//! That alone would let writers wait for one another in circles, and would tell them of a full
//! budget by an error in the midst of a transaction. So whoever writes more than one row also says
//! beside whom they may work, by one lock of the database that ends with the transaction:
//!
//! - **Alone** ([`wait_to_be_alone`], [`Db::begin`]): leases, plans, what came in, suppressions,
//!   pauses, the turn of the day. What holds in SQLite because it has one writer holds for these
//!   here: what they read first is still so when they write.
//! - **Beside one another** ([`wait_beside`], the scribe): groups of claims, dots and settlements.
//!   They differ only in whom they may meet, so each first takes a lock on every sending domain,
//!   tenant, company and person of its claims and of what it gives back or holds against somebody,
//!   all in one order. Two groups that share one of these follow each other, the facts that a claim
//!   reads stand still, and nobody waits in a circle. What was accepted counts for its mailbox alone.
//! - **Imports** ([`wait_to_import`]) are long, so one works beside everybody, on rows that nobody
//!   sees yet. Only its last part is alone: who was suppressed or has answered meanwhile is found
//!   there.
//!
//! A statement that writes one row and reads no other needs no lock. A daemon that stops in the midst
//! of a transaction loses it, and its locks, after [`IDLE_MAX`]. Should somebody past the store close
//! a circle all the same, PostgreSQL undoes one transaction, which is [`StoreError::Locked`]: wait and
//! try again.

use std::str::FromStr as _;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, SqlxPostgresConnector};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tokio::time::timeout;

use crate::db::{Db, Transaction, json_array, migrate, sql, without_password};
use crate::patient::Patient;
use crate::row::Row as _;
use crate::sqlite::STATEMENTS_KEPT;
use crate::{Durability, Store, StoreError};

/// Opens the books; refuses a server that would not keep them.
pub(crate) async fn open(url: &str, durability: Durability) -> Result<Db, StoreError> {
    let failed = |error| refused(url, error);
    let options = options(url, durability).map_err(failed)?;
    let silent = |_| failed(sqlx::Error::PoolTimedOut);
    // A connection of its own: it fails at once where a pool would wait, and keeps the lock that
    // several daemons starting on an empty database need; sea-orm-migration takes none.
    let first = async {
        let mut first = options.connect().await.map_err(failed)?;
        refuse_what_loses_commits(&mut first, url, durability).await?;
        let lock = format!("SELECT pg_advisory_lock({OURS}, {MIGRATIONS})");
        sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut first).await.map_err(failed)?;
        Ok::<_, StoreError>(first)
    };
    let first = timeout(ANSWER_MAX, first).await.map_err(silent)??;
    let pool = |connections, options| {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            // What looks for connections that are too old or too idle may count them below none, and
            // then takes a core and a thread of the runtime for ever (sqlx #3645, mended after 0.9.0).
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(WAIT_MAX)
            .after_release(|connection, _| Box::pin(async { Ok(is_alive(connection).await) }))
            .connect_lazy_with(options);
        SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
    };
    let scribe = pool(SCRIBE_CONNECTIONS, options.clone().options(BY_IDS));
    let all = pool(CONNECTIONS, options);
    timeout(IMPORT_MAX, migrate(&all)).await.map_err(silent)??;
    first.close().await.map_err(failed)?;
    let (all, scribe) =
        (Patient::new(all, Some(ANSWER_MAX)), Patient::new(scribe, Some(ANSWER_MAX)));
    Ok(Db { read: all.clone(), write: all, scribe })
}

/// Whether a connection that was given back still serves. The driver asks that too, and waits for
/// the answer as long as TCP does: all connections could be spent on a server that fell silent.
async fn is_alive(connection: &mut PgConnection) -> bool {
    timeout(PING_MAX, connection.ping()).await.is_ok_and(|pong| pong.is_ok())
}

/// What keeps the books from being opened.
fn refused(url: &str, error: sqlx::Error) -> StoreError {
    let why = match error {
        sqlx::Error::Database(answer) => answer.message().to_owned(),
        sqlx::Error::PoolTimedOut => "it does not answer".to_owned(),
        other => other.to_string(),
    };
    StoreError::Open { url: without_password(url), why }
}

fn options(url: &str, durability: Durability) -> Result<PgConnectOptions, sqlx::Error> {
    let millis = |time: Duration| time.as_millis().to_string();
    let options = PgConnectOptions::from_str(url)?
        .application_name("warmfront")
        .statement_cache_capacity(STATEMENTS_KEPT)
        .options([
            ("idle_in_transaction_session_timeout", millis(IDLE_MAX)),
            ("lock_timeout", millis(WAIT_MAX)),
            // A role may have one; an import takes as long as it takes.
            ("statement_timeout", "0".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            // No statement here is long enough to be worth compiling.
            ("jit", "off".to_owned()),
        ])
        .disable_statement_logging();
    Ok(match durability {
        Durability::Full => options,
        Durability::None => options.options([("synchronous_commit", "off")]),
    })
}

/// A server that is too old, or forgets at a power cut what it said was committed.
async fn refuse_what_loses_commits(
    server: &mut PgConnection,
    url: &str,
    durability: Durability,
) -> Result<(), StoreError> {
    let mut setting = async |name: &str| -> Result<String, StoreError> {
        let query = sqlx::query("SELECT current_setting($1)").bind(name.to_owned());
        Ok(query.fetch_one(&mut *server).await?.get(0))
    };
    let number = setting("server_version_num").await?;
    if number.parse::<u32>().is_ok_and(|number| number < OLDEST) {
        let version = setting("server_version").await?;
        return Err(StoreError::TooOld { url: without_password(url), version });
    }
    if durability == Durability::None {
        return Ok(());
    }
    for name in ["fsync", "synchronous_commit"] {
        if setting(name).await? == "off" {
            return Err(StoreError::Forgetful { url: without_password(url), setting: name });
        }
    }
    Ok(())
}

/// Waits until no other transaction of the store writes; the others then wait for this one.
pub(crate) async fn wait_to_be_alone(transaction: &Transaction) -> Result<(), StoreError> {
    run(transaction, &format!("SELECT pg_advisory_xact_lock({OURS}, {BOOKS})")).await
}

/// Waits for whoever is alone, and for the groups that share a sending domain, tenant, company or
/// person with these messages.
pub(crate) async fn wait_beside(
    transaction: &Transaction,
    messages: &[i64],
) -> Result<(), StoreError> {
    run(transaction, &format!("SELECT pg_advisory_xact_lock_shared({OURS}, {BOOKS})")).await?;
    if !messages.is_empty() {
        let messages = json_array(&messages)?;
        transaction.query_all_raw(sql(LOCK_WHAT_IS_SHARED, [messages.into()])).await?;
    }
    Ok(())
}

/// Waits until no other import is under way, however long that takes.
pub(crate) async fn wait_to_import(transaction: &Transaction) -> Result<(), StoreError> {
    run(transaction, "SET LOCAL lock_timeout = 0").await?;
    run(transaction, &format!("SELECT pg_advisory_xact_lock({OURS}, {IMPORTS})")).await
}

/// Lets nobody write to these tables until the transaction ends, however long that takes. Nothing to
/// do in SQLite, where a write transaction is alone.
pub(crate) async fn hold_still(
    transaction: &Transaction,
    tables: &str,
    mode: &str,
) -> Result<(), StoreError> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    run(transaction, "SET LOCAL idle_in_transaction_session_timeout = 0").await?;
    run(transaction, &format!("LOCK TABLE {tables} IN {mode} MODE")).await
}

/// Has the next row of each table numbered behind the last that was copied, and the planner know how
/// many there are. SQLite needs neither.
pub(crate) async fn be_ready(transaction: &Transaction, tables: &[&str]) -> Result<(), StoreError> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    for row in &transaction.query_all_raw(sql(NUMBERED, [])).await? {
        let (table, column): (String, String) = (row.read("name")?, row.read("field")?);
        let text = format!(
            "SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'),
                           coalesce(max(\"{column}\"), 1), max(\"{column}\") IS NOT NULL)
             FROM \"{table}\""
        );
        run(transaction, &text).await?;
    }
    for table in tables {
        run(transaction, &format!("ANALYZE \"{table}\"")).await?;
    }
    Ok(())
}

/// Has the server count what it has of tables that have just grown; by itself it would within minutes,
/// and until then choose its ways by what they were.
pub(crate) async fn count_anew(db: &Db, tables: &str) -> Result<(), StoreError> {
    db.write.execute_raw(sql(&format!("ANALYZE (SKIP_LOCKED) {tables}"), [])).await?;
    Ok(())
}

/// Keeps others from moving books into this database, until the transaction ends.
pub(crate) async fn refuse_another_move(db: &Db) -> Result<Option<Transaction>, StoreError> {
    if !db.is_shared() {
        return Ok(None);
    }
    let guard = db.begin_unlocked().await?;
    run(&guard, "SET LOCAL idle_in_transaction_session_timeout = 0").await?;
    // The server takes a moment to see that a process is gone.
    run(&guard, &format!("SET LOCAL lock_timeout = {}", GONE_MAX.as_millis())).await?;
    match run(&guard, &format!("SELECT pg_advisory_xact_lock({OURS}, {MOVES})")).await {
        Ok(()) => Ok(Some(guard)),
        Err(StoreError::Locked) => {
            Err(StoreError::InUse { owner: "another move into them".to_owned() })
        }
        Err(error) => Err(error),
    }
}

/// Refuses books that other processes have open: a daemon without work holds no lease. The server takes
/// a moment to see that a process is gone.
pub(crate) async fn refuse_company(url: &str) -> Result<(), StoreError> {
    for left in (0..LOOKS).rev() {
        let Some(rows) = look(url, COMPANY).await? else { return Ok(()) };
        match rows.len() {
            0 => break,
            others if left == 0 => {
                let owner = format!("{others} other connections of Warmfront");
                return Err(StoreError::InUse { owner });
            }
            _ => tokio::time::sleep(GONE_MAX / LOOKS).await,
        }
    }
    Ok(())
}

/// Refuses a database with a table that is not `known`.
pub(crate) async fn refuse_strangers(url: &str, known: &[&str]) -> Result<(), StoreError> {
    let rows = look(url, TABLES).await?.unwrap_or_default();
    match rows.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(StoreError::Occupied {
            url: without_password(url),
            what: format!("a table `{name}` that is not ours"),
        }),
    }
}

/// The rows of a query, before anything is opened that would change the database. `None`: it is no
/// PostgreSQL.
async fn look(url: &str, query: &'static str) -> Result<Option<Vec<String>>, StoreError> {
    if !url.starts_with("postgres") {
        return Ok(None);
    }
    let failed = |error: sqlx::Error| refused(url, error);
    let mut server =
        options(url, Durability::Full).map_err(failed)?.connect().await.map_err(failed)?;
    let rows = sqlx::query_scalar(query).fetch_all(&mut server).await.map_err(failed)?;
    server.close().await.map_err(failed)?;
    Ok(Some(rows))
}

async fn run(transaction: &Transaction, text: &str) -> Result<(), StoreError> {
    transaction.execute_raw(sql(text, [])).await?;
    Ok(())
}

impl Store {
    /// Refuses a machine whose clock differs from the database's: daemons that share books must
    /// agree when a lease ends. `now` is this machine's.
    pub async fn refuse_a_wrong_clock(&self, now: i64) -> Result<(), StoreError> {
        if !self.db.is_shared() {
            return Ok(());
        }
        let row = self.db.read.query_one_raw(sql(DATABASE_CLOCK, [])).await?;
        let theirs = row.map_or(Ok(now), |row| row.read("now"))?;
        let ahead_ms = now - theirs;
        if ahead_ms.abs() > CLOCK_TOLERANCE_MS {
            return Err(StoreError::WrongClock { ahead_ms });
        }
        Ok(())
    }
}

const DATABASE_CLOCK: &str =
    "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now";

/// Keys of 64 bits are another space than our numbered locks. Two that fall on one key wait for
/// each other without need, and nothing worse.
const LOCK_WHAT_IS_SHARED: &str = "
    SELECT pg_advisory_xact_lock(key) FROM (
        SELECT DISTINCT hashtextextended(what, 0) AS key
        FROM json_each($1) j JOIN messages m ON m.id = CAST(j.value AS BIGINT)
        JOIN mailboxes b ON b.id = m.mailbox_id
        JOIN enrolments e ON e.id = m.enrolment_id JOIN prospects p ON p.id = e.prospect_id
        CROSS JOIN LATERAL (VALUES ('domain ' || b.domain), ('tenant ' || b.tenant),
                                   ('company ' || p.company), ('person ' || p.id)) w (what)
        WHERE what IS NOT NULL ORDER BY key) AS keys";

/// Marks our locks among those of other programs in the database: `WARM` in ASCII.
const OURS: i32 = 0x5741_524d;
const MIGRATIONS: i32 = 1;
const BOOKS: i32 = 2;
const IMPORTS: i32 = 3;
const MOVES: i32 = 4;

/// Everybody may see who is connected under which name; no more is asked for.
const COMPANY: &str = "SELECT CAST(pid AS TEXT) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'warmfront' AND pid <> pg_backend_pid()";

const TABLES: &str = "SELECT CAST(relname AS TEXT) FROM pg_class
    WHERE relnamespace = CAST(current_schema() AS REGNAMESPACE) AND relkind IN ('r', 'p', 'f')
    ORDER BY 1";

const NUMBERED: &str = "SELECT CAST(table_name AS TEXT) AS name, CAST(column_name AS TEXT) AS field
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND is_identity = 'YES'";

/// The oldest server: the oldest that its makers supported when this was written.
const OLDEST: u32 = 150_000;

/// Connections of one process. More would not write faster: a commit waits for the disk.
const CONNECTIONS: u32 = 16;

/// The scribe finds each row by its id, whatever the server believes of tables it has not counted yet;
/// and to plan a claim anew would take as long as ten claims.
const BY_IDS: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_seqscan", "off"),
];

/// Of these the scribe has two: while one is tested after its commit, it writes by the other.
const SCRIBE_CONNECTIONS: u32 = 2;

/// The most entries of one commit: each takes up to four locks, and the server has room for 6,400
/// in all as it comes (`max_locks_per_transaction` for each of a hundred connections).
pub(crate) const GROUP_MAX: usize = 64;

/// How long a caller waits for a connection or a lock. A server that restarts is back by then.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long anybody waits for one answer. The server itself gives up waiting for a lock before that,
/// and says so.
const ANSWER_MAX: Duration = Duration::from_secs(45);

/// The same in an import, some of whose statements write a whole list or wait for another import,
/// and of a migration.
pub(crate) const IMPORT_MAX: Duration = Duration::from_secs(30 * 60);

/// How long a connection that is given back may take to show that it lives.
const PING_MAX: Duration = Duration::from_secs(5);

/// How long a process may hold a transaction and do nothing: one that was stopped must not stop
/// the others.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// How long a move waits for the end of processes that have just gone.
const GONE_MAX: Duration = Duration::from_secs(5);

/// And whether one has gone is asked so often until then.
const LOOKS: u32 = 50;

/// Clocks kept by NTP are within milliseconds of each other.
const CLOCK_TOLERANCE_MS: i64 = 5_000;
