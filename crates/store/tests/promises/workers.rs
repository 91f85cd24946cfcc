//! Who works on books that several daemons share, and who holds whom up.

use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use tokio::time::timeout;
use warmfront_store::{Company, LOST_AFTER_MS, Store};

use crate::books::{Books, Database, HOUR, NOW, for_each_database};

/// Each with what it holds, in one line.
async fn known(store: &Store, now: i64) -> Vec<String> {
    let workers = store.workers(now).await.unwrap();
    workers.iter().map(|worker| format!("{}: {}", worker.owner, worker.holds.join(" "))).collect()
}

#[tokio::test]
async fn a_daemon_that_holds_no_mailbox_is_known_until_it_ends_or_is_not_heard_of_for_a_minute() {
    let books = Books::open(Database::Postgres).await;
    let store = &books.store;
    store.report_worker("one", NOW, NOW).await.unwrap();
    store.report_worker("two", NOW, NOW).await.unwrap();
    assert_eq!(known(store, NOW).await, ["one: ", "two: "]);
    store.dismiss_worker("two").await.unwrap();
    assert_eq!(known(store, NOW).await, ["one: "]);

    let later = NOW + LOST_AFTER_MS;
    store.report_worker("one", NOW, later - 1).await.unwrap();
    let worker = store.workers(later).await.unwrap().remove(0);
    assert_eq!((worker.since, worker.seen_at), (Some(NOW), Some(later - 1)));
    assert_eq!(known(store, later - 1 + LOST_AFTER_MS).await, [""; 0]);
    // Whoever is lost leaves nothing behind for long, and may come back.
    store.report_worker("three", later, later - 1 + LOST_AFTER_MS).await.unwrap();
    assert_eq!(books.rows("SELECT owner FROM workers").await, ["three"]);
    store.report_worker("one", NOW, later + LOST_AFTER_MS).await.unwrap();
    assert_eq!(known(store, later + LOST_AFTER_MS).await, ["one: ", "three: "]);
}

#[tokio::test]
async fn daemons_are_known_with_the_mailboxes_they_hold_and_by_these_alone() {
    let books = Books::open(Database::Postgres).await;
    books.fleet(&["ann@one.test", "bea@one.test", "cas@one.test"]).await;
    let (store, mailboxes) = (&books.store, books.mailboxes().await);
    store.report_worker("one", NOW, NOW).await.unwrap();
    for (n, owner) in ["one", "two", "two"].into_iter().enumerate() {
        store.lease(mailboxes[n], owner, NOW, HOUR + n as i64).await.unwrap().unwrap();
    }
    let both = ["one: ann@one.test", "two: bea@one.test cas@one.test"];
    assert_eq!(known(store, NOW).await, both);
    assert_eq!(known(store, NOW + HOUR).await, both[1..]);
    assert_eq!(known(store, NOW + HOUR + 2).await, [""; 0]);
}

#[tokio::test]
async fn a_company_is_who_was_heard_of_and_what_anybody_holds() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test", "bea@one.test", "cas@one.test"]).await;
        let (store, mailboxes) = (&books.store, books.mailboxes().await);
        // Daemons, and mailboxes leased; of a file there is one, which its lock tells.
        let check = async |now, workers, leased| {
            let want = books.is_postgres().then_some(Company { workers, leased });
            assert_eq!(store.company(now).await.unwrap(), want, "{}", now - NOW);
        };
        check(NOW, 0, 0).await;
        store.report_worker("one", NOW, NOW).await.unwrap();
        store.report_worker("two", NOW, NOW + 1).await.unwrap();
        for (mailbox, owner) in [(0, "one"), (1, "two"), (2, "whoever does not say so")] {
            let ttl = HOUR + mailbox as i64;
            store.lease(mailboxes[mailbox], owner, NOW, ttl).await.unwrap().unwrap();
        }
        check(NOW, 2, 3).await;
        check(NOW + LOST_AFTER_MS - 1, 2, 3).await;
        // Whoever was silent for a minute is gone; what they hold is held until its end.
        check(NOW + LOST_AFTER_MS, 1, 3).await;
        store.report_worker("one", NOW, NOW + LOST_AFTER_MS).await.unwrap();
        store.dismiss_worker("two").await.unwrap();
        check(NOW + LOST_AFTER_MS, 1, 3).await;
        check(NOW + HOUR, 0, 2).await;
        check(NOW + HOUR + 2, 0, 0).await;
    })
    .await;
}

#[tokio::test]
async fn of_a_files_one_daemon_its_lock_tells_and_no_row() {
    let books = Books::open(Database::SqliteFile).await;
    books.store.report_worker("one", NOW, NOW).await.unwrap();
    assert_eq!(books.rows("SELECT owner FROM workers").await, [""; 0]);
    assert_eq!(known(&books.store, NOW).await, [""; 0]);
    books.store.dismiss_worker("one").await.unwrap();
}

#[tokio::test]
async fn mailboxes_are_leased_together_each_by_its_own_epoch() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test", "bea@one.test", "cas@one.test"]).await;
        let (store, mailboxes) = (&books.store, books.mailboxes().await);
        assert_eq!(store.lease_all(&[], "one", NOW, 100).await.unwrap(), []);
        store.lease(mailboxes[0], "two", NOW, 100).await.unwrap().unwrap();
        let ours = store.lease(mailboxes[2], "one", NOW, 100).await.unwrap().unwrap();
        store.release(ours).await.unwrap();
        let leased = store.lease_all(&mailboxes, "one", NOW, 100).await.unwrap();
        let leased: Vec<_> =
            leased.iter().map(|(lease, address)| (lease.epoch, address.as_str())).collect();
        assert_eq!(leased, [(1, "bea@one.test"), (2, "cas@one.test")]);
        let query = "SELECT address, lease_owner FROM mailboxes ORDER BY address";
        let want = ["ann@one.test two", "bea@one.test one", "cas@one.test one"];
        assert_eq!(books.rows(query).await, want);
    })
    .await;
}

#[tokio::test]
async fn whoever_finds_nothing_to_do_waits_for_nobody() {
    for database in [Database::SqliteFile, Database::Postgres] {
        let books = Books::open(database).await;
        // Somebody else is alone in the books, for as long as they like.
        let alone = match database {
            Database::Postgres => "BEGIN; SELECT pg_advisory_xact_lock(1463898701, 2)",
            Database::SqliteFile | Database::SqliteInMemory => "BEGIN IMMEDIATE",
        };
        books.raw.execute_unprepared(alone).await.unwrap();
        let look = async {
            assert_eq!(books.store.resume_due(NOW).await.unwrap(), 0);
            assert_eq!(books.store.finish_campaigns(NOW).await.unwrap(), 0);
        };
        timeout(Duration::from_secs(5), look).await.expect("nobody waits");
        books.raw.execute_unprepared("ROLLBACK").await.unwrap();
    }
}
