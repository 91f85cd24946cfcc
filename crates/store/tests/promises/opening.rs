//! Opening the books: by many at once, by the wrong version, where nothing may be written, and by
//! a second daemon.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use warmfront_store::{Durability, Store, StoreError, Suppression, Watermark};

use crate::books::{NOW, for_each_database};

fn url(folder: &Path) -> String {
    format!("sqlite://{}/books.db", folder.display())
}

async fn open(url: &str) -> Result<Store, StoreError> {
    Store::open(url, Durability::None).await
}

#[tokio::test]
async fn eight_tasks_of_one_thread_open_an_empty_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    for opened in join_all((0..8).map(|_| open(&url))).await {
        opened.unwrap();
    }
}

#[test]
fn eight_threads_open_an_empty_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    std::thread::scope(|scope| {
        for n in 0..8 {
            let url = &url;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    let store = open(url).await.unwrap();
                    let scope = warmfront_store::Scope::Domain;
                    store.suppress(scope, &format!("d{n}.test"), "x", NOW).await.unwrap();
                });
            });
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let list: Vec<Suppression> =
        runtime.block_on(async { open(&url).await.unwrap().suppressions().await.unwrap() });
    assert_eq!(list.len(), 8);
}

#[tokio::test]
async fn whoever_only_looks_makes_no_books_and_changes_none() {
    let folder = tempfile::tempdir().unwrap();
    let (url, file) = (url(folder.path()), folder.path().join("books.db"));
    let look = async || Store::look(&url).await;
    assert!(look().await.unwrap().is_none());
    assert!(!file.exists());
    let store = open(&url).await.unwrap();
    let beside = look().await.unwrap().expect("books");
    assert_eq!(beside.mailboxes().await.unwrap(), []);
    let scope = warmfront_store::Scope::Domain;
    assert!(beside.suppress(scope, "d.test", "x", NOW).await.is_err(), "it only looks");
    beside.close().await.unwrap();
    store.close().await.unwrap();
    let before = std::fs::read(&file).unwrap();
    look().await.unwrap().expect("books").close().await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
    std::fs::write(&file, "not a database, and longer than its heading").unwrap();
    assert!(look().await.is_err());
    assert!(Store::look("sqlite::memory:").await.unwrap().is_none());
}

#[tokio::test]
async fn the_books_of_a_newer_version_are_refused() {
    for_each_database(async |books| {
        books.write("INSERT INTO seaql_migrations VALUES ('0999_later', 1)").await;
        let refused = open(&books.url).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Newer { migration } if migration == "0999_later"));
        assert!(refused.to_string().contains("upgrade this one"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn books_that_are_read_only_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    drop(open(&url).await.unwrap());
    let store = open(&format!("{url}?mode=ro")).await.unwrap();
    let refused = store.suppress(warmfront_store::Scope::Domain, "x.test", "x", NOW).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
}

#[tokio::test]
async fn books_in_a_folder_that_is_not_there_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let refused = open(&url(&folder.path().join("nowhere"))).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Open { .. }), "{refused}");
}

#[tokio::test]
async fn another_database_is_named_without_its_password() {
    let refused = open("postgres://user:secret@host/db").await.unwrap_err().to_string();
    assert!(!refused.contains("secret") && refused.contains("host/db"), "{refused}");
}

#[tokio::test]
async fn whoever_asks_which_daemon_works_keeps_none_from_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&url(folder.path())).await.unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                store.daemon().unwrap();
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
        });
        let begun = (0..1_000).filter(|_| store.lock_for_daemon("one").is_ok()).count();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(begun, 1_000);
    });
}

#[tokio::test]
async fn a_second_daemon_is_told_who_was_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&url(folder.path())).await.unwrap();
    let first = store.lock_for_daemon("warmfront 4711 on ida").unwrap();
    let refused = store.lock_for_daemon("another").unwrap_err();
    assert!(
        matches!(&refused, StoreError::InUse { owner } if owner == "warmfront 4711 on ida"),
        "{refused}"
    );
    assert_eq!(store.daemon().unwrap().as_deref(), Some("warmfront 4711 on ida"));
    drop(first);
    assert_eq!(store.daemon().unwrap(), None);
    // A shorter name leaves nothing of the longer one.
    let _second = store.lock_for_daemon("b").unwrap();
    let refused = store.lock_for_daemon("c").unwrap_err();
    assert!(matches!(&refused, StoreError::InUse { owner } if owner == "b"), "{refused}");
}

#[tokio::test]
async fn settings_keep_the_seed_of_the_first_time() {
    for_each_database(async |books| {
        let mut settings = books.store.settings().await.unwrap().unwrap();
        settings.seed = 99;
        settings.company_per_day = 5;
        books.store.write_settings(&settings).await.unwrap();
        let written = books.store.settings().await.unwrap().unwrap();
        assert_eq!((written.seed, written.company_per_day), (7, 5));
        assert_eq!(books.store.latest_moment().await.unwrap(), None);
    })
    .await;
}

/// Copies the file of books that are closed.
async fn copy(store: Store, from: &Path, to: &Path) {
    store.close().await.unwrap();
    std::fs::copy(from, to).unwrap();
}

#[tokio::test]
async fn a_restored_backup_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (books, backup) = (folder.path().join("books.db"), folder.path().join("backup.db"));
    let watermark = Watermark::beside(&folder.path().join("warmfront.toml"));
    let store = open(&url(folder.path())).await.unwrap();
    store.refuse_if_restored(&watermark).await.expect("new books are nobody's backup");
    store.begin_epoch(&watermark).await.unwrap();
    copy(store, &books, &backup).await;

    let store = open(&url(folder.path())).await.unwrap();
    store.refuse_if_restored(&watermark).await.expect("these are the newest");
    store.begin_epoch(&watermark).await.unwrap();
    copy(store, &backup, &books).await;

    let store = open(&url(folder.path())).await.unwrap();
    let refused = store.refuse_if_restored(&watermark).await.unwrap_err();
    assert!(matches!(refused, StoreError::Restored { found: 1, seen: 2, .. }), "{refused:?}");
    assert!(refused.to_string().contains("warmfront.epochs"), "{refused}");
}

#[tokio::test]
async fn books_replaced_by_an_older_copy_while_a_daemon_works_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (books, backup) = (folder.path().join("books.db"), folder.path().join("backup.db"));
    let watermark = Watermark::beside(&folder.path().join("warmfront.toml"));
    copy(open(&url(folder.path())).await.unwrap(), &books, &backup).await;
    let store = open(&url(folder.path())).await.unwrap();
    for _ in 0..3 {
        store.begin_epoch(&watermark).await.unwrap();
    }
    copy(store, &backup, &books).await;
    // The same daemon: it looked at the watermark when it started.
    let store = open(&url(folder.path())).await.unwrap();
    let refused = store.begin_epoch(&watermark).await.unwrap_err();
    assert!(matches!(refused, StoreError::Restored { found: 1, seen: 3, .. }), "{refused:?}");
    let refused = store.refuse_if_restored(&watermark).await.unwrap_err();
    assert!(matches!(refused, StoreError::Restored { found: 1, seen: 3, .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn daemons_of_one_folder_forget_no_epoch_of_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("warmfront.toml");
    let mut daemons = Vec::new();
    for n in 0..DAEMONS {
        let file = folder.path().join(format!("books{n}.db"));
        let store = open(&format!("sqlite://{}", file.display())).await.unwrap();
        let watermark = Watermark::beside(&config);
        daemons.push(tokio::spawn(async move {
            for _ in 0..EPOCHS {
                store.begin_epoch(&watermark).await.unwrap();
            }
        }));
    }
    for daemon in daemons {
        daemon.await.unwrap();
    }
    let text = std::fs::read_to_string(folder.path().join("warmfront.epochs")).unwrap();
    let epochs: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(epochs, vec![EPOCHS.to_string(); DAEMONS], "{text}");
}

#[tokio::test]
async fn a_watermark_that_another_daemon_keeps_for_itself_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let watermark = Watermark::beside(&folder.path().join("warmfront.toml"));
    let store = open(&url(folder.path())).await.unwrap();
    store.begin_epoch(&watermark).await.unwrap();
    let lock = std::fs::File::open(folder.path().join("warmfront.epochs.lock")).unwrap();
    lock.lock().unwrap();
    let told = store.begin_epoch(&watermark).await.unwrap_err().to_string();
    assert!(told.contains("another daemon"), "{told}");
    drop(lock);
    store.begin_epoch(&watermark).await.unwrap();
}

#[tokio::test]
async fn a_watermark_that_somebody_edited_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let watermark = Watermark::beside(&folder.path().join("warmfront.toml"));
    let store = open(&url(folder.path())).await.unwrap();
    store.begin_epoch(&watermark).await.unwrap();
    std::fs::write(folder.path().join("warmfront.epochs"), "none of this\n").unwrap();
    let refused = store.refuse_if_restored(&watermark).await.unwrap_err().to_string();
    assert!(refused.contains("not as Warmfront wrote it"), "{refused}");
}

#[tokio::test]
async fn an_epoch_never_falls() {
    for_each_database(async |books| {
        books.write("UPDATE identity SET epoch = 5").await;
        books.refuse("UPDATE identity SET epoch = 4", "an epoch never falls").await;
        books.refuse("UPDATE identity SET name = 'other'", "an epoch never falls").await;
    })
    .await;
}

/// Daemons that write one watermark, and how often each.
const DAEMONS: usize = 8;
const EPOCHS: usize = 5;
