//! Books that go to another database: every row of every kind, whatever interrupts them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database as Connector, DbBackend, Statement};
use tempfile::TempDir;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_store::{
    Durability, ImportRow, Move, Moved, Progress, Scope, Store, StoreError, Watermark,
};

use crate::books::{Books, DAY, Database, HOUR, MINUTE, NOW, TODAY};
use crate::postgres::Cluster;
use crate::scene::{
    PEOPLE, Scene, accepted, campaign, deferred, in_doubt, rejected, row, text as step_text,
};
use crate::sent_copies::{copy, sent};

/// A folder for files of books and the watermark, and databases that go with the test.
pub(crate) struct Yard {
    pub(crate) folder: TempDir,
    made: Vec<String>,
}

impl Yard {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), made: Vec::new() }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        format!("sqlite://{}/{name}", self.folder.path().display())
    }

    /// An empty PostgreSQL database.
    pub(crate) fn empty(&mut self) -> String {
        let cluster = Cluster::shared();
        let name = cluster.database(None);
        let url = cluster.url(&name);
        self.made.push(name);
        url
    }

    pub(crate) fn watermark(&self) -> Watermark {
        Watermark::beside(&self.folder.path().join("warmfront.toml"))
    }

    pub(crate) async fn relocate(&self, from: &str, to: &str) -> Result<Moved, StoreError> {
        relocate(from, to, &self.watermark(), &mut |_| {}).await
    }

    /// A copy of the file of closed books, under another name.
    pub(crate) fn copy(&self, from: &str, name: &str) -> String {
        let to = self.file(name);
        std::fs::copy(path(from), path(&to)).unwrap();
        to
    }
}

fn path(url: &str) -> &Path {
    Path::new(url.trim_start_matches("sqlite://"))
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.made.iter().for_each(|name| Cluster::shared().drop_later(name));
    }
}

async fn relocate(
    from: &str,
    to: &str,
    watermark: &Watermark,
    told: warmfront_store::Told<'_>,
) -> Result<Moved, StoreError> {
    let now = server_now().await;
    let durability = Durability::None;
    Move { from, to, watermark, owner: "a test", now, durability }.run(told).await
}

/// The present moment as the server has it: leases end by it.
async fn server_now() -> i64 {
    let text = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now";
    let server = connect(&Cluster::shared().url("postgres")).await;
    let row = server.query_one_raw(statement(text)).await.unwrap().unwrap();
    server.close().await.unwrap();
    row.try_get("", "now").unwrap()
}

fn statement(text: &str) -> Statement {
    Statement::from_string(DbBackend::Sqlite, text)
}

pub(crate) async fn connect(url: &str) -> sea_orm::DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).max_lifetime(None).idle_timeout(None).sqlx_logging(false);
    Connector::connect(options).await.unwrap()
}

/// Writes past the store.
pub(crate) async fn write(url: &str, text: &str) -> Result<u64, String> {
    let db = connect(url).await;
    let written = db.execute_unprepared(text).await;
    db.close().await.unwrap();
    written.map(|written| written.rows_affected()).map_err(|error| error.to_string())
}

/// Every row of every table, as text, by a way that the store does not know.
async fn dump(url: &str) -> BTreeMap<String, BTreeSet<String>> {
    let db = connect(url).await;
    let names = if url.starts_with("sqlite") {
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    } else {
        "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = 'public'"
    };
    let mut all = BTreeMap::new();
    for row in db.query_all_raw(statement(names)).await.unwrap() {
        let table: String = row.try_get("", "name").unwrap();
        let rows = db.query_all_raw(statement(&format!("SELECT * FROM {table}"))).await.unwrap();
        let cells = |row: &sea_orm::QueryResult| {
            let cell = |name: String| match row.try_get::<Option<i64>>("", &name) {
                Ok(number) => format!("{name} {number:?}"),
                Err(_) => format!("{name} {:?}", row.try_get::<Option<String>>("", &name).unwrap()),
            };
            // A column that came later stands last in one database and in its place in the other.
            let mut names = row.column_names();
            names.sort_unstable();
            names.into_iter().map(cell).collect::<Vec<_>>().join(", ")
        };
        all.insert(table, rows.iter().map(cells).collect());
    }
    db.close().await.unwrap();
    all.remove("seaql_migrations");
    all.remove("moves");
    all.remove("workers");
    // What a move changes on purpose: the epoch, which has a test of its own.
    all.remove("identity");
    all
}

/// All that the store says of its books.
async fn reading(url: &str) -> Vec<String> {
    let store = Store::open(url, Durability::None).await.unwrap();
    let mut said = vec![
        format!("{:?}", store.audit().await.unwrap()),
        format!("{:?}", store.ledger(None, 0, 1_000).await.unwrap()),
        format!("{:?}", store.mailboxes().await.unwrap()),
        format!("{:?}", store.suppressions().await.unwrap()),
        format!("{:?}", store.settings().await.unwrap()),
        format!("{:?}", store.latest_moment().await.unwrap()),
        format!("{:?}", store.accepted_by_day().await.unwrap()),
        format!("{:?}", store.rejection_counts().await.unwrap()),
        format!("{:?}", store.shortfall_counts().await.unwrap()),
        format!("{:?}", store.pause_counts().await.unwrap()),
        format!("{:?}", store.saved_plan(TODAY).await.unwrap()),
    ];
    for row in store.campaigns().await.unwrap() {
        said.push(format!("{:?}", store.texts(row.id).await.unwrap()));
        said.push(format!("{:?}", store.campaign_status(row).await.unwrap()));
    }
    store.close().await.unwrap();
    said
}

/// Books with every kind of row, in a file, closed.
pub(crate) async fn full(yard: &Yard) -> String {
    let scene = Scene::begin(Books::open(Database::SqliteFile).await).await;
    let (books, store) = (&scene.books, &scene.books.store);
    scene.send(0, NOW, accepted(), None).await;
    scene.send(1, NOW, in_doubt(), None).await;
    scene.send(3, NOW + 10 * MINUTE, rejected("recipient"), None).await;
    scene.send(4, NOW + 10 * MINUTE, deferred(NOW), None).await;
    assert!(scene.claim(5, NOW + 20 * MINUTE).await, "in flight");
    let reply = Inbound {
        names: vec!["<0@one.test>".to_owned()],
        ..Inbound::told("one".to_owned(), NOW + HOUR, Kind::Reply)
    };
    store.record_inbound(scene.mailboxes[0], &[reply], NOW + HOUR).await.unwrap();
    scene.read(sent(vec![copy(1, &["<hand@one.test>"], "friend@away.test")]), NOW + HOUR).await;
    let mut rows = vec![row(0, "gil@dux.test"), row(1, "hal@dux.test"), row(2, "ivy@eek.test")];
    if let Some(ImportRow::Prospect { blocked, attributes, .. }) = rows.get_mut(1) {
        *blocked = Some("step 1: no `first_name`".to_owned());
        *attributes = r#"{"last_name":"O'Hara \"x\" \\ \u0000 Åß 😀"}"#.to_owned();
    }
    let reason = "`ann` is no e-mail address;\n\ttry \"ann@…\" \\ 'so'".to_owned();
    rows.push(ImportRow::Rejected { line: 9, reason });
    rows.push(ImportRow::Duplicate { line: 10 });
    let mut summer = campaign("summer", 3);
    summer.texts.push(warmfront_store::StepText { variant: "b".into(), ..step_text(1, "other") });
    assert!(books.import_rows(&summer, rows).await.is_some());
    store.suppress(Scope::Address, "ivy@eek.test", "asked — “please”", NOW + HOUR).await.unwrap();
    store.suppress(Scope::Domain, "free.test", "", NOW + HOUR).await.unwrap();
    let summer = store.campaign("summer").await.unwrap().unwrap().id;
    store.start_campaign(summer, NOW).await.unwrap();
    store.pause_campaign(summer, "the operator said so", NOW + HOUR).await.unwrap();
    store.pause_mailbox(scene.mailboxes[1], "holiday", NOW + HOUR).await.unwrap();
    books
        .write(&format!(
            "INSERT INTO shortfalls VALUES ({}, '{TODAY}', 1, 'allowance', 3, 'wait a day');
             INSERT INTO domain_checks VALUES ('one.test', 'mx', 'fail', 1, 2, 3, 'no “MX”');
             INSERT INTO withdrawn_variants VALUES ({summer}, 1, 'b');
             INSERT INTO unknown_answers VALUES (1, 'rcpt', 550, '', 'odd #', 'Odd Å', 2, 1, 2),
                 (1, 'rcpt', 550, '', 'Odd @', 'odd @', 1, 1, 1);
             INSERT INTO strays (mailbox_id, content_key, rfc_id, address, sent_at)
                 VALUES (1, 'k', '<lost@one.test>', 'lost@far.test', {NOW});
             INSERT INTO tokens (mailbox_id, generation, refresh, access, issued_at, expires_at)
                 VALUES (1, 7, 'refresh', 'access', 1, 2);
             INSERT INTO sealing_key VALUES (1, '0123456789abcdef', 3);
             INSERT INTO evidence (message_id, at, kind) VALUES ({}, {}, 'operator');
             UPDATE prospects SET address = NULL, domain = NULL, company = NULL, erased_at = {NOW}
                 WHERE address = 'hal@dux.test';
             UPDATE mailboxes SET lease_owner = NULL, lease_expires_at = NULL;
             UPDATE settings SET seed = -9223372036854775807",
            scene.campaign,
            scene.messages[1],
            NOW - DAY,
        ))
        .await;
    let file = yard.file("full.db");
    books.write(&format!("VACUUM INTO '{}'", path(&file).display())).await;
    file
}

#[tokio::test]
async fn every_row_of_every_table_goes_to_the_other_database_and_back() {
    let mut yard = Yard::new();
    let (file, server, back) = (full(&yard).await, yard.empty(), yard.file("back.db"));
    let (said, rows) = (reading(&file).await, dump(&file).await);
    let empty: Vec<&String> = rows.iter().filter(|(_, r)| r.is_empty()).map(|(t, _)| t).collect();
    assert!(empty.is_empty() && rows.len() >= 19, "these try nothing: {empty:?} {}", rows.len());

    let moved = yard.relocate(&file, &server).await.unwrap();
    assert_eq!(reading(&server).await, said);
    assert_eq!(dump(&server).await, rows);
    let tables: BTreeSet<&str> = moved.tables.iter().map(|(table, _)| table.as_str()).collect();
    let want: BTreeSet<&str> = rows.keys().map(String::as_str).chain(["identity"]).collect();
    assert_eq!(tables, want, "a table of the schema was left behind");

    yard.relocate(&server, &back).await.unwrap();
    assert_eq!(dump(&back).await, rows);
    assert_eq!(reading(&back).await, said);
}

#[tokio::test]
async fn moved_books_refuse_what_they_always_refused_and_take_new_rows() {
    let mut yard = Yard::new();
    let (file, server, back) = (full(&yard).await, yard.empty(), yard.file("back.db"));
    yard.relocate(&file, &server).await.unwrap();
    take_new_rows(&server).await;
    yard.relocate(&server, &back).await.unwrap();
    take_new_rows(&back).await;
}

async fn take_new_rows(url: &str) {
    let refused = [
        ("UPDATE messages SET state = 'bounced', settled_at = 1 WHERE state = 'planned'", "move"),
        ("DELETE FROM events", "append-only"),
        ("DELETE FROM messages", "never deleted"),
        ("UPDATE identity SET epoch = 0", "never falls"),
        (
            "INSERT INTO import_rows VALUES (1, 999, 'accepted', NULL, NULL)",
            "an_accepted_row_has_its_enrolment",
        ),
        ("UPDATE enrolments SET prospect_id = 999 WHERE id = 1", "foreign"),
        (
            "INSERT INTO messages SELECT 999, enrolment_id, campaign_id, 2, mailbox_id, NULL,
                 NULL, 0, 0, 'sending', 0 FROM messages",
            "",
        ),
    ];
    for (text, words) in refused {
        let said = write(url, text).await.expect_err(text);
        assert!(said.to_lowercase().contains(words), "{text}: {said}");
    }
    let books = Store::open(url, Durability::None).await.unwrap();
    books.suppress(Scope::Domain, "new.test", "asked", NOW + DAY).await.unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let slug = if url.starts_with("sqlite") { "winter" } else { "autumn" };
    let people = vec![row(0, &format!("kim@{slug}.test")), row(1, PEOPLE[0])];
    sender.send(Some(people)).await.unwrap();
    sender.send(None).await.unwrap();
    let imported = books.import(&campaign(slug, 1), receiver, NOW + DAY).await.unwrap().unwrap();
    assert_eq!(imported.summary.accepted, 2);
    assert_eq!(books.audit().await.unwrap().imbalances, []);
    books.close().await.unwrap();
}

/// Runs a move that dies, as if killed, when it tells of its progress for the `nth` time; false
/// where it came to its end before.
async fn dies_at(nth: usize, from: &str, to: &str, watermark: &Watermark) -> bool {
    let (from, to, watermark) = (from.to_owned(), to.to_owned(), watermark.clone());
    let work = tokio::spawn(async move {
        let mut count = 0;
        let mut told = |_: Progress<'_>| {
            count += 1;
            assert!(count != nth, "killed on purpose");
        };
        relocate(&from, &to, &watermark, &mut told).await.unwrap();
    });
    work.await.is_err()
}

#[tokio::test]
async fn a_move_that_dies_anywhere_is_finished_by_the_next() {
    let mut yard = Yard::new();
    let whole = full(&yard).await;
    let rows = dump(&whole).await;
    let (mut nth, mut half, mut gone) = (1, 0, 0);
    loop {
        let (file, server) = (yard.copy(&whole, &format!("{nth}.db")), yard.empty());
        // Each copy has a watermark of its own, as if it were the only one.
        let watermark = Watermark::beside(&yard.folder.path().join(format!("{nth}.toml")));
        if !dies_at(nth, &file, &server, &watermark).await {
            break;
        }
        let refused = Store::open(&server, Durability::None).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, StoreError::Arriving { .. }), "{nth}: {refused}");
        match Store::open(&file, Durability::None).await {
            Ok(books) => half += usize::from(books.close().await.is_ok()),
            Err(StoreError::Gone { .. }) => gone += 1,
            Err(error) => panic!("{nth}: {error}"),
        }
        relocate(&file, &server, &watermark, &mut |_| {}).await.unwrap();
        assert_eq!(dump(&server).await, rows, "{nth}");
        let books = Store::open(&server, Durability::None).await.unwrap();
        books.refuse_if_restored(&watermark).await.unwrap();
        books.close().await.unwrap();
        let again = relocate(&file, &server, &watermark, &mut |_| {}).await.unwrap();
        assert!(again.tables.is_empty(), "done is done");
        nth += 1;
    }
    assert!(half > 30 && gone == 1, "{half} times half way, {gone} between two steps");
}

#[tokio::test]
async fn books_that_changed_between_two_runs_are_moved_as_they_are_now() {
    for change in [
        "UPDATE messages SET why = 'other' WHERE id = 3",
        "INSERT INTO suppressions VALUES ('address', 'zoe@z.test', 'asked', 1)",
        "DELETE FROM suppressions WHERE scope = 'address'",
        "UPDATE mailboxes SET warm_days = warm_days + 1",
        "INSERT INTO events (at, kind) VALUES (1, 'imported')",
    ] {
        let mut yard = Yard::new();
        let (file, server) = (full(&yard).await, yard.empty());
        // Everything is copied, and half of it compared.
        assert!(dies_at(30, &file, &server, &yard.watermark()).await);
        assert!(write(&file, change).await.unwrap() > 0, "{change}");
        let rows = dump(&file).await;
        let mut anew = false;
        let mut told = |progress: Progress<'_>| anew |= progress == Progress::Anew;
        relocate(&file, &server, &yard.watermark(), &mut told).await.unwrap();
        assert_eq!(dump(&server).await, rows, "{change}");
        // What only came to the end needs no second look at the rest.
        assert_eq!(anew, !change.contains("events"), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_ended_at_any_moment_is_finished_by_the_next() {
    let mut yard = Yard::new();
    let whole = full(&yard).await;
    let rows = dump(&whole).await;
    for millis in [20, 60, 90, 130, 170, 210, 260, 320, 400] {
        let (file, server) = (yard.copy(&whole, &format!("{millis}.db")), yard.empty());
        let watermark = Watermark::beside(&yard.folder.path().join(format!("{millis}.toml")));
        for _ in 0..2 {
            let mut told = |_: Progress<'_>| {};
            let work = relocate(&file, &server, &watermark, &mut told);
            let _ = tokio::time::timeout(Duration::from_millis(millis), work).await;
        }
        relocate(&file, &server, &watermark, &mut |_| {}).await.unwrap();
        assert_eq!(dump(&server).await, rows, "{millis} ms");
    }
}
