//! Books that cannot be used, for a while or at all.

use sqlx::{Connection as _, SqliteConnection};
use tokio::runtime::Runtime;
use warmfront_store::{Durability, Store};
use warmfront_tests::binary::{Answer, Scene};

use crate::{run, send, spring};

const BOOKS: &str = "warmfront.db";

/// Another program that has the books of a scene open.
struct Stranger {
    runtime: Runtime,
    connection: SqliteConnection,
}

impl Stranger {
    fn to(scene: &Scene) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let url = format!("sqlite://{}", scene.installation.file(BOOKS).display());
        let connection = runtime.block_on(SqliteConnection::connect(&url)).expect("the books");
        Self { runtime, connection }
    }

    fn says(&mut self, text: &'static str) {
        let said = sqlx::query(text).execute(&mut self.connection);
        self.runtime.block_on(said).expect("the books obey");
    }
}

/// A campaign of three that is imported and started.
fn begun() -> Scene {
    let scene = spring(3);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").done();
    scene
}

/// Nothing was sent so far, and nothing is lost: what stood in the way is gone, and all is sent.
#[track_caller]
fn goes_on(scene: &Scene) {
    assert_eq!(scene.sink.accepted_count(), 0);
    let _ = run(scene, "run --until-idle").done();
    let _ = run(scene, "audit").done();
    assert_eq!(scene.sink.accepted_count(), 3);
}

#[test]
fn books_of_a_newer_version_are_left_alone() {
    let scene = begun();
    let mut stranger = Stranger::to(&scene);
    stranger.says("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)");
    for line in ["run --until-idle", "status", "campaign import campaigns/spring"] {
        let _ = run(&scene, line).said(1, &["a newer Warmfront", "m9999_later", "upgrade"]);
    }
    stranger.says("DELETE FROM seaql_migrations WHERE version = 'm9999_later'");
    goes_on(&scene);
}

#[test]
fn books_that_cannot_be_written_are_told_with_what_to_look_at() {
    let scene = begun();
    let config =
        std::fs::read_to_string(scene.installation.file("warmfront.toml")).expect("a text");
    let read_only = format!("{config}\n[store]\nurl = \"sqlite://{BOOKS}?mode=ro\"\n");
    scene.installation.write("warmfront.toml", read_only);
    for line in ["run --until-idle", "suppress add acme.example"] {
        let _ = run(&scene, line).said(1, &["read-only", "check the owner and the mode"]);
    }
    scene.installation.write("warmfront.toml", config);
    goes_on(&scene);
}

#[test]
fn books_that_another_program_has_locked_are_waited_for() {
    let scene = begun();
    let mut stranger = Stranger::to(&scene);
    stranger.says("BEGIN EXCLUSIVE");
    let daemon = scene.installation.start(&["run", "--until-idle"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(scene.sink.accepted_count(), 0);
    stranger.says("ROLLBACK");
    let ended = daemon.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(scene.sink.accepted_count(), 3);

    stranger.says("BEGIN EXCLUSIVE");
    let _ = run(&scene, "suppress add acme.example").said(1, &["locked by another program"]);
    stranger.says("ROLLBACK");
    let _ = run(&scene, "suppress add acme.example").done();
}

/// The limit on the size of files stands for a disk or a quota that is used up.
#[test]
fn books_that_cannot_grow_lose_nothing() {
    let scene = spring(20_000);
    let cramped = |blocks: u32, words: &[&str]| {
        let shell = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = scene.installation.command_by(&["sh", "-c", &shell, "sh"], words);
        Answer::from(command.output().expect("a shell"))
    };
    let words = ["the database cannot be written", "a quota", "nothing is sent until"];
    let _ = run(&scene, "status").done();
    let _ = cramped(2_000, &["campaign", "import", "campaigns/spring"]).said(1, &words);
    assert!(run(&scene, "campaign list --json").done().out.is_empty());
    let _ = run(&scene, "audit").done();

    crate::edit(&scene, "campaigns/spring/campaign.toml", "20000", "3");
    let imported = run(&scene, "campaign import campaigns/spring --json").done().json();
    assert_eq!(imported["accepted"], 20_000);
    let _ = run(&scene, "campaign start spring").done();
    let _ = cramped(1, &["run", "--until-idle"]).said(1, &words);
    goes_on(&scene);
}

#[test]
fn a_clock_that_was_set_back_is_refused() {
    let scene = spring(3);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let later = scene.installation.now() + 3_600_000;
    let url = format!("sqlite://{}", scene.installation.file(BOOKS).display());
    let started = async {
        let store = Store::open(&url, Durability::Full).await?;
        let campaign = store.campaign("spring").await?.expect("it was imported");
        store.start_campaign(campaign.id, later).await
    };
    Runtime::new().expect("a runtime").block_on(started).expect("the books obey");
    let _ = run(&scene, "run --until-idle").said(3, &["refused:", "clock", "back"]);
    assert_eq!(scene.sink.accepted_count(), 0);
    // Looking is allowed.
    for line in ["status", "audit", "ledger"] {
        let _ = run(&scene, line).done();
    }
}

#[test]
fn two_who_import_at_once_wait_for_each_other() {
    let scene = spring(200);
    let import = ["campaign", "import", "campaigns/spring", "--json"];
    let both = [scene.installation.start(&import), scene.installation.start(&import)];
    let mut accepted: Vec<u64> = both
        .into_iter()
        .map(|child| Answer::from(child.wait_with_output().expect("it ends")))
        .map(|answer| answer.done().json()["accepted"].as_u64().expect("a count"))
        .collect();
    accepted.sort_unstable();
    assert_eq!(accepted, [0, 200]);
    let _ = run(&scene, "campaign start spring").done();
    let _ = run(&scene, "audit").done();
}

#[test]
fn what_is_sent_stays_sent_where_the_list_is_imported_again() {
    let scene = spring(3);
    send(&scene);
    let again = run(&scene, "campaign import campaigns/spring --json").done().json();
    assert_eq!((&again["accepted"], &again["duplicates"]), (&0.into(), &3.into()));
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 3);
}

#[test]
fn a_restored_backup_is_refused_until_the_newer_books_are_back() {
    let scene = begun();
    let books = scene.installation.file(BOOKS);
    let (backup, newer) =
        (scene.installation.file("backup.db"), scene.installation.file("newer.db"));
    std::fs::copy(&books, &backup).expect("a backup");
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 3);
    std::fs::rename(&books, &newer).expect("moved away");
    std::fs::copy(&backup, &books).expect("restored");
    let _ = run(&scene, "run --until-idle").said(3, &["an older copy", "warmfront.epochs"]);
    assert_eq!(scene.sink.accepted_count(), 3, "nobody is written to twice");
    // Whatever else the copy says of them, that it is one comes first.
    for subject in ["p1@spring-1.example", "spring", "ann@sender1.example"] {
        let told = run(&scene, &format!("why {subject} --json")).json();
        let reasons = told.to_string();
        assert!(reasons.contains(r#""reason":"books_outdated""#), "{subject}: {reasons}");
    }
    std::fs::rename(&newer, &books).expect("moved back");
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 3);
}

#[test]
fn new_books_where_others_have_sent_are_refused_until_somebody_says_so() {
    let scene = begun();
    let _ = run(&scene, "run --until-idle").done();
    std::fs::remove_file(scene.installation.file(BOOKS)).expect("lost");
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").done();
    let _ = run(&scene, "run --until-idle").said(3, &["these books are new", "warmfront.epochs"]);
    assert_eq!(scene.sink.accepted_count(), 3, "nobody is written to twice");
    std::fs::remove_file(scene.installation.file("warmfront.epochs")).expect("on purpose");
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 6);
}

#[test]
fn a_file_that_is_not_ours_is_named_and_left_as_it_is() {
    #[track_caller]
    fn check(bytes: &[u8], word: &str) {
        let scene = Scene::of(1);
        let file = scene.installation.file("warmfront.db");
        std::fs::write(&file, bytes).expect("written");
        let _ = run(&scene, "status").said(1, &["warmfront.db: ", word, "it was left as it is"]);
        assert!(std::fs::read(&file).expect("still there") == bytes, "it was changed");
    }
    check(b"some text of many words, and no database at all", "no SQLite database");
    check(b"short", "no SQLite database");
    let made = Scene::of(1);
    let path = made.installation.file("other.db");
    Runtime::new().expect("a runtime").block_on(async {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let mut other = SqliteConnection::connect(&url).await.expect("opened");
        let table = sqlx::query("CREATE TABLE messages (x)");
        table.execute(&mut other).await.expect("written");
        other.close().await.expect("closed");
    });
    check(&std::fs::read(&path).expect("a database"), "another program's database");
}

#[test]
fn damaged_books_say_what_to_do() {
    let scene = begun();
    let file = scene.installation.file("warmfront.db");
    let bytes = std::fs::read(&file).expect("the books");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("cut off");
    let _ = run(&scene, "campaign list").said(1, &["damaged", "backup"]);
}
