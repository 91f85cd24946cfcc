//! Moves that would lose books or have two of them, and what is left of the old ones.

use warmfront_store::{Durability, Progress, Store, StoreError};

use crate::books::{Books, Database, NOW};
use crate::moves::{Yard, full, write};
use crate::scene::Scene;

#[track_caller]
fn says(refused: &StoreError, words: &[&str]) {
    let said = refused.to_string();
    for word in words {
        assert!(said.contains(word), "nothing about {word:?}: {said}");
    }
}

#[tokio::test]
async fn a_database_that_holds_anything_else_is_refused_and_left_as_it_is() {
    let mut yard = Yard::new();
    let file = full(&yard).await;
    let (strange, stranger) = (yard.empty(), yard.file("stranger.db"));
    for url in [&strange, &format!("{stranger}?mode=rwc")] {
        write(url, "CREATE TABLE customers (id INTEGER)").await.unwrap();
    }
    says(&yard.relocate(&file, &strange).await.unwrap_err(), &["`customers`", "nothing was moved"]);
    let tables = "UPDATE customers SET id = 1 WHERE NOT EXISTS (SELECT 1 FROM moves)";
    assert!(write(&strange, tables).await.is_err(), "not even a schema was made there");
    let refused = yard.relocate(&file, &stranger).await.unwrap_err();
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");

    let other = Scene::begin(Books::open(Database::Postgres).await).await;
    let refused = yard.relocate(&file, &other.books.url).await.unwrap_err();
    says(&refused, &["rows in `", "Name an empty database"]);
    other.books.add_up().await;

    let worked = yard.empty();
    drop(Store::open(&worked, Durability::None).await.unwrap());
    write(&worked, "UPDATE identity SET epoch = 3").await.unwrap();
    says(&yard.relocate(&file, &worked).await.unwrap_err(), &["a daemon has worked on"]);

    let half = yard.empty();
    drop(Store::open(&half, Durability::None).await.unwrap());
    write(&half, "INSERT INTO moves VALUES (1, 'arriving', 'others', 'x')").await.unwrap();
    says(&yard.relocate(&file, &half).await.unwrap_err(), &["other books, half moved"]);

    let copy = yard.copy(&file, "copy.db");
    says(&yard.relocate(&file, &copy).await.unwrap_err(), &["these very books, or a copy"]);
    assert!(Store::open(&file, Durability::None).await.is_ok(), "the books are where they were");
}

#[tokio::test]
async fn a_database_that_a_command_has_only_looked_at_is_empty() {
    let mut yard = Yard::new();
    let (file, server) = (full(&yard).await, yard.empty());
    let looked = Store::open(&server, Durability::None).await.unwrap();
    let settings = warmfront_store::Settings {
        zone: "UTC".to_owned(),
        seed: 1,
        company_per_day: 1,
        person_gap_ms: 1,
        fresh_ms: 1,
        thresholds: warmfront_core::health::Thresholds::default(),
        domain_grace_ms: Some(3 * 24 * 3_600_000),
    };
    looked.write_settings(&settings).await.unwrap();
    let fleet = [crate::scene::spec("cy@two.test")];
    looked.write_fleet(&fleet, "2027-01-01", NOW).await.unwrap();
    looked.close().await.unwrap();
    yard.relocate(&file, &server).await.unwrap();
    let moved = Store::open(&server, Durability::None).await.unwrap();
    assert_eq!(moved.mailboxes().await.unwrap().len(), 2);
    assert_eq!(moved.settings().await.unwrap().unwrap().company_per_day, 2);
}

#[tokio::test]
async fn books_at_work_are_refused() {
    let mut yard = Yard::new();
    let (file, server) = (full(&yard).await, yard.empty());
    let daemon = Store::open(&file, Durability::None).await.unwrap();
    let lock = daemon.lock_for_daemon("the daemon").unwrap();
    let refused = yard.relocate(&file, &server).await.unwrap_err();
    says(&refused, &["in use by the daemon", "stop it first"]);
    drop(lock);
    daemon.close().await.unwrap();
    yard.relocate(&file, &server).await.unwrap();

    let back = yard.file("back.db");
    let daemon = Store::open(&server, Durability::None).await.unwrap();
    let refused = yard.relocate(&server, &back).await.unwrap_err();
    says(&refused, &["other connections of Warmfront"]);
    let mailbox = daemon.mailboxes().await.unwrap()[0].id;
    assert!(daemon.lease(mailbox, "process 7", 9 * NOW, 1).await.unwrap().is_some());
    daemon.close().await.unwrap();
    says(&yard.relocate(&server, &back).await.unwrap_err(), &["in use by process 7"]);
}

#[tokio::test]
async fn no_daemon_begins_while_books_are_moved_and_everybody_may_look() {
    let mut yard = Yard::new();
    let (file, server) = (full(&yard).await, yard.empty());
    let looking = Store::open(&file, Durability::None).await.unwrap();
    let mut owners = Vec::new();
    let mut told = |_: Progress<'_>| {
        owners.push(looking.lock_for_daemon("late").unwrap_err().to_string());
    };
    let watermark = yard.watermark();
    let order = warmfront_store::Move {
        from: &file,
        to: &server,
        watermark: &watermark,
        owner: "a move",
        now: NOW,
        durability: Durability::None,
    };
    order.run(&mut told).await.unwrap();
    assert!(owners.len() > 30 && owners.iter().all(|said| said.contains("in use by a move")));
    assert_eq!(looking.audit().await.unwrap().imbalances, []);
}

#[tokio::test]
async fn the_old_books_are_refused_and_so_is_every_older_copy() {
    let mut yard = Yard::new();
    let (file, server) = (full(&yard).await, yard.empty());
    let older = yard.copy(&file, "older.db");
    let early = Store::open(&file, Durability::None).await.unwrap();
    let (from, to) = (file.clone(), server.replace("postgres@", "postgres:hunter2@"));
    let moved = yard.relocate(&from, &to).await.unwrap();
    assert_eq!(moved.epoch, 1);

    let refused = Store::open(&file, Durability::None).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, StoreError::Gone { .. }));
    says(&refused, &["were moved to postgres://…@127.0.0.1", "`url` of [store]"]);
    let text = std::fs::read(file.trim_start_matches("sqlite://")).unwrap();
    assert!(!text.windows(7).any(|bytes| bytes == b"hunter2"), "a password was stored");
    // Whoever had them open leases nothing any more.
    let mailbox = early.mailboxes().await.unwrap()[0].id;
    let refused = early.lease(mailbox, "early", NOW, 1).await.unwrap_err();
    says(&refused, &["moved elsewhere"]);
    early.close().await.unwrap();

    let copy = Store::open(&older, Durability::None).await.unwrap();
    let refused = copy.refuse_if_restored(&yard.watermark()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Restored { .. } | StoreError::Replaced { .. }));
    copy.close().await.unwrap();
    let refused = yard.relocate(&older, &yard.file("again.db")).await.unwrap_err();
    says(&refused, &["older copy"]);

    let elsewhere = yard.empty();
    let refused = yard.relocate(&file, &elsewhere).await.unwrap_err();
    says(&refused, &["were moved to"]);
    let whole = Store::open(&server, Durability::None).await.unwrap();
    whole.refuse_if_restored(&yard.watermark()).await.unwrap();
    whole.begin_epoch(&yard.watermark()).await.unwrap();
    whole.close().await.unwrap();

    // The same place, and empty again: what was sent there since, the old books do not know.
    let name = server.rsplit_once('/').unwrap().1;
    let anew = ["DROP DATABASE", "CREATE DATABASE"].map(|what| format!("{what} {name}"));
    crate::postgres::Cluster::shared().run_sql("postgres", &anew);
    says(&yard.relocate(&from, &to).await.unwrap_err(), &["an older copy"]);
}
