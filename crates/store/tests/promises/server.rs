//! The PostgreSQL server itself: opened by many, lost and back again, refused where it would forget.

use futures_util::future::{join, join_all};
use sqlx::Connection as _;
use tokio::io::AsyncReadExt as _;
use warmfront_store::{Durability, Scope, Store, StoreError};

use crate::books::{Books, Database, NOW};
use crate::postgres::Cluster;
use crate::scene::Scene;

/// An empty database.
fn empty() -> (String, String) {
    let cluster = Cluster::shared();
    let name = cluster.database(None);
    (cluster.url(&name), name)
}

#[tokio::test]
async fn eight_daemons_open_an_empty_database_at_once() {
    let (url, name) = empty();
    for opened in join_all((0..8).map(|_| Store::open(&url, Durability::Full))).await {
        assert_eq!(opened.unwrap().settings().await.unwrap(), None);
    }
    Cluster::shared().drop_later(&name);
}

#[tokio::test]
async fn the_other_way_to_write_the_url_is_taken_too() {
    let (url, name) = empty();
    let url = url.replace("postgres://", "postgresql://");
    assert!(Store::open(&url, Durability::Full).await.is_ok());
    Cluster::shared().drop_later(&name);
}

#[tokio::test]
async fn a_server_that_forgets_what_it_committed_is_refused() {
    let (url, name) = empty();
    let text = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    Cluster::shared().run_sql("postgres", &[text]);
    let refused = Store::open(&url, Durability::Full).await.unwrap_err();
    assert!(matches!(refused, StoreError::Forgetful { setting: "synchronous_commit", .. }));
    let words = "Set `synchronous_commit = on` in postgresql.conf";
    assert!(refused.to_string().contains(words), "{refused}");
    assert!(Store::open(&url, Durability::None).await.is_ok(), "a simulation may forget");
    Cluster::shared().drop_later(&name);
}

#[tokio::test]
async fn a_server_that_does_not_wait_for_its_disk_is_refused() {
    let cluster = Cluster::start();
    let url = cluster.url("postgres");
    for (fsync, is_refused) in [("off", true), ("on", false)] {
        let set = format!("ALTER SYSTEM SET fsync = {fsync}");
        cluster.run_sql("postgres", &[set, "SELECT pg_reload_conf()".to_owned()]);
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        let setting = "SELECT current_setting('fsync')";
        while sqlx::query_scalar::<_, String>(setting).fetch_one(&pool).await.unwrap() != fsync {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let opened = Store::open(&url, Durability::Full).await.map(|_| ());
        let refused = matches!(opened, Err(StoreError::Forgetful { setting: "fsync", .. }));
        assert_eq!(refused, is_refused, "{fsync}: {opened:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_not_the_databases_is_refused() {
    let books = Books::open(Database::Postgres).await;
    let clock = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now";
    for (ahead, refused) in
        [(0, false), (3_000, false), (-3_000, false), (9_000, true), (-9_000, true)]
    {
        let now = books.number(clock).await;
        let answer = books.store.refuse_a_wrong_clock(now + ahead).await;
        assert_eq!(answer.is_err(), refused, "{ahead}: {answer:?}");
    }
    let now = books.number(clock).await;
    let refused = books.store.refuse_a_wrong_clock(now - 60_000).await.unwrap_err().to_string();
    assert!(refused.contains("s behind that of the database"), "{refused}");
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let (url, name) = empty();
    let secret = url.replace("postgres@", "postgres:hunter2@");
    let store = Store::open(&secret, Durability::Full).await.unwrap();
    assert!(!format!("{store:?}").contains("hunter2"));
    let nowhere = secret.replace(&name, "nowhere");
    let refused = Store::open(&nowhere, Durability::Full).await.unwrap_err();
    let said = format!("{refused} {refused:?}");
    assert!(!said.contains("hunter2") && said.contains("\"nowhere\" does not exist"), "{said}");
    let asked = format!("{}?password=hunter2", nowhere.replace(":hunter2", ""));
    let refused = Store::open(&asked, Durability::Full).await.unwrap_err().to_string();
    assert!(!refused.contains("hunter2"), "{refused}");
    Cluster::shared().drop_later(&name);
}

#[tokio::test]
async fn a_connection_lost_in_the_midst_of_a_claim_is_told_and_passes() {
    let scene = Scene::begin(Books::open(Database::Postgres).await).await;
    let pool = sqlx::PgPool::connect(&scene.books.url).await.unwrap();
    // Whoever holds the lock of the books keeps a claim in its transaction.
    let mut holder = pool.begin().await.unwrap();
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(1463898701, 2)");
    lock.execute(&mut *holder).await.unwrap();
    let cut = async {
        let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event = 'advisory'";
        // What a transaction has seen of the others it sees again until it is told to look anew.
        let look = "SELECT pg_stat_clear_snapshot()";
        while sqlx::query(waiting).execute(&mut *holder).await.unwrap().rows_affected() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            sqlx::query(look).execute(&mut *holder).await.unwrap();
        }
    };
    let (claimed, ()) = join(scene.books.store.claim(scene.claim_of(0, NOW)), cut).await;
    let lost = claimed.unwrap_err();
    assert!(matches!(lost, StoreError::Unreachable) && lost.is_transient(), "{lost:?}");
    holder.rollback().await.unwrap();
    assert_eq!(scene.state(0).await, "planned");
    assert!(scene.claim(0, NOW).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_a_server_that_falls_silent_is_told_and_it_passes() {
    let cluster = Cluster::start();
    let url = cluster.url(&cluster.database(None));
    let store = Store::open(&url, Durability::Full).await.unwrap();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(1463898701, 2)");
    lock.execute(&mut *holder).await.unwrap();
    // More of them than there are connections; each waits for an answer or for a connection.
    let asking: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            let what = format!("asked{n}.test");
            tokio::spawn(async move { store.suppress(Scope::Domain, &what, "asked", NOW).await })
        })
        .collect();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() < 16 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let frozen = cluster.freeze();
    let (told, opened) = join(join_all(asking), Store::open(&url, Durability::Full)).await;
    for told in told {
        assert!(matches!(told.as_ref().unwrap(), Err(StoreError::Unreachable)), "{told:?}");
    }
    let opened = opened.unwrap_err().to_string();
    assert!(opened.contains("it does not answer"), "{opened}");
    drop(frozen);
    holder.rollback().await.unwrap();
    assert_eq!(store.suppressions().await.unwrap(), []);
    store.suppress(Scope::Domain, "acme.test", "asked", NOW).await.unwrap();
    assert_eq!(store.suppressions().await.unwrap().len(), 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_dies_while_somebody_connects_is_away() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://postgres@{}/books", listener.local_addr().unwrap());
    // It has read that somebody asks for TLS (eight octets), and answers no more.
    let dies = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 8]).await.unwrap();
    };
    let (connected, ()) = join(sqlx::PgConnection::connect(&url), dies).await;
    let told = StoreError::from(connected.map(|_| ()).unwrap_err());
    assert!(matches!(told, StoreError::Unreachable), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_and_comes_back_has_what_was_committed() {
    let cluster = Cluster::start();
    let name = cluster.database(None);
    let store = Store::open(&cluster.url(&name), Durability::Full).await.unwrap();
    store.suppress(Scope::Domain, "acme.test", "asked", NOW).await.unwrap();
    cluster.crash();
    // Asked while it is away: waits for it, or says that it is.
    let asked = store.suppressions();
    let back = async { tokio::task::block_in_place(|| cluster.begin()) };
    let (answer, ()) = join(asked, back).await;
    assert!(answer.as_ref().map_or_else(StoreError::is_transient, |list| list.len() == 1));
    assert_eq!(store.suppressions().await.unwrap().len(), 1);
}
