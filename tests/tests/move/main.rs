//! The real program moves its books to a PostgreSQL server: what was said before is said after, what
//! was begun there is finished here, and whatever ends the move is made good by running it again.

use std::collections::BTreeSet;
use std::process::Child;
use std::time::Duration;

use warmfront_tests::binary::{Answer, Scene, wait_until};
use warmfront_tests::postgres::Cluster;

/// Runs a command given as one line.
fn run(scene: &Scene, line: &str) -> Answer {
    scene.installation.run(&line.split(' ').collect::<Vec<_>>())
}

/// An empty database, and its URL as an operator would write it: with a password.
fn server() -> (String, String) {
    let name = Cluster::shared().database(None);
    let url = Cluster::shared().url(&name).replace("postgres@", "postgres:hunter2@");
    (name, url)
}

/// Writes the line that the move told into the configuration.
#[track_caller]
fn take_over(scene: &Scene, line: &str) {
    let file = scene.installation.file("warmfront.toml");
    let config = std::fs::read_to_string(file).expect("a text");
    let config = config.split("\n[store]\n").next().expect("a beginning");
    scene.installation.write("warmfront.toml", format!("{config}\n[store]\n{line}\n"));
}

/// What the commands say that only look.
fn looks(scene: &Scene) -> Vec<String> {
    [
        "ledger --json",
        "audit --json",
        "campaign list --json",
        "campaign status spring --json",
        "campaign status summer --json",
        "mailbox list --json",
        "suppress list --json",
        "plan --json",
    ]
    .map(|line| run(scene, line).done().out)
    .to_vec()
}

/// Two mailboxes, a campaign of which some was sent, a paused one with rejected rows, some on the
/// list.
fn half_sent() -> Scene {
    let scene = Scene::of(2);
    scene.begin("spring", 60);
    scene.write_campaign("summer", 10);
    let list = scene.installation.file("campaigns/summer/prospects.csv");
    let rows = std::fs::read_to_string(&list).expect("a list");
    let bad = rows.lines().last().expect("a row").replace('@', " at ");
    std::fs::write(list, format!("{rows}{bad}\n{bad}\n")).expect("a list");
    let _ = run(&scene, "campaign import campaigns/summer");
    for line in [
        "campaign start summer",
        "campaign pause summer --because later",
        "suppress add nobody.example --reason asked",
    ] {
        let _ = run(&scene, line).done();
    }
    let mut daemon = scene.installation.start(&["run"]);
    wait_until("some are sent", || scene.sink.accepted_count() >= 15);
    kill(&mut daemon);
    scene
}

fn kill(child: &mut Child) {
    child.kill().expect("a child that is ours");
    child.wait().expect("a child");
}

#[test]
fn a_campaign_half_sent_from_a_file_is_finished_from_the_server() {
    let scene = half_sent();
    let (name, url) = server();
    let before = looks(&scene);
    let moved = run(&scene, &format!("store move {url} --json")).done();
    assert!(!format!("{moved}").contains("hunter2"), "a password was shown: {moved}");
    let answer = moved.json();
    let line = answer["store"].as_str().expect("a line").to_owned();
    assert_eq!(line, format!("url = {:?}", url.replace(":hunter2", "")));
    let prospects = answer["tables"].as_array().expect("tables").iter();
    let prospects = prospects.clone().find(|table| table["table"] == "prospects");
    assert_eq!(prospects.expect("they were moved")["rows"], 70, "{answer}");

    let words = ["refused:", "were moved to", "`url` of [store]"];
    for line in ["run --until-idle", "status", "suppress add x.example", "ledger", "audit"] {
        let _ = run(&scene, line).said(3, &words);
    }
    let again = run(&scene, &format!("store move {url}")).done();
    assert!(again.out.contains("moved already") && again.out.contains(&line), "{again}");

    take_over(&scene, &line);
    assert_eq!(looks(&scene), before);
    let _ = run(&scene, "run --until-idle").done();
    let _ = run(&scene, "audit").done();
    let taken = scene.sink.accepted();
    let once: BTreeSet<&str> = taken.iter().map(|message| message.rcpt.as_str()).collect();
    assert_eq!(once.len(), taken.len(), "somebody was written to twice");
    let doubts = scene.installation.ledger().iter().filter(|m| m.state == "in_doubt").count();
    assert!(taken.len() + doubts >= 60 && doubts <= 2, "{} {doubts}", taken.len());

    // And back, into a file beside the configuration.
    let before = looks(&scene);
    let back = run(&scene, "store move sqlite://back.db --json").done().json();
    take_over(&scene, back["store"].as_str().expect("a line"));
    assert_eq!(looks(&scene), before);
    assert!(scene.installation.file("back.db").is_file());
    Cluster::shared().drop_later(&name);
}

#[test]
fn a_daemon_at_work_keeps_its_books() {
    let scene = Scene::of(1);
    scene.begin("spring", 1);
    let (name, url) = server();
    let mut daemon = scene.installation.start(&["run"]);
    wait_until("it is sent", || scene.sink.accepted_count() == 1);
    let words = ["refused: the books are in use by process", "stop it first"];
    let refused = run(&scene, &format!("store move {url} --json")).said(3, &words);
    assert_eq!(refused.json()["exit"], 3, "{refused}");
    kill(&mut daemon);
    let _ = run(&scene, &format!("store move {url}")).done();
    Cluster::shared().drop_later(&name);
}

#[test]
fn what_is_no_move_is_wrong_use() {
    let scene = Scene::of(1);
    let _ = run(&scene, "store move postgres://ann@127.0.0.1/x").said(2, &["no books yet"]);
    let _ = run(&scene, "status").done();
    #[track_caller]
    fn check(scene: &Scene, url: &str, words: &[&str]) {
        let answer = run(scene, &format!("store move {url}")).said(2, words);
        assert!(!answer.err.contains("s3cret"), "{answer}");
    }
    check(&scene, "mysql://ann:s3cret@host/db", &["must begin with `sqlite://` or `postgres://`"]);
    check(&scene, "sqlite://other.db", &["in SQLite already", "move the file"]);
    let unreachable = run(&scene, "store move postgres://ann:s3cret@127.0.0.1:1/db");
    let unreachable =
        unreachable.said(1, &["cannot open the database postgres://…@127.0.0.1:1/db"]);
    assert!(!unreachable.err.contains("s3cret"), "{unreachable}");
    let _ = run(&scene, "run --until-idle").done();
}

#[test]
fn a_move_killed_at_any_moment_is_finished_by_the_next() {
    let scene = Scene::of(1);
    scene.write_campaign("spring", PEOPLE);
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let audit = run(&scene, "audit --json").done().out;
    let config = std::fs::read(scene.installation.file("warmfront.toml")).expect("a text");
    let (name, url) = server();
    let (mut kills, mut halves) = (0, 0);
    for millis in (100..).step_by(150) {
        let mut child = scene.installation.start(&["store", "move", &url]);
        std::thread::sleep(Duration::from_millis(millis));
        if child.try_wait().expect("a child").is_some() {
            let ended = Answer::from(child.wait_with_output().expect("a child")).done();
            assert!(ended.out.contains("[store]"), "{ended}");
            break;
        }
        kill(&mut child);
        kills += 1;
        let old = run(&scene, "audit --json");
        if old.code == Some(3) {
            // The old books are gone; the new ones may still wait for their last word.
            let _ = old.said(3, &["these books were moved to"]);
            let _ = run(&scene, &format!("store move {url}")).done();
            break;
        }
        // The old books are whole; what is there of the new ones, nobody works on.
        assert_eq!(old.done().out, audit, "after {millis} ms");
        take_over(&scene, &format!("url = {url:?}"));
        let there = run(&scene, "campaign list --json");
        if there.code != Some(0) {
            let _ = there.said(3, &["half moved here", "run `warmfront store move` again"]);
            let _ = run(&scene, "run --until-idle").said(3, &["half moved here"]);
            halves += 1;
        } else {
            assert_eq!(there.out, "", "after {millis} ms: killed before the first row");
        }
        scene.installation.write("warmfront.toml", &config);
    }
    assert!(kills >= 3 && halves >= 1, "too fast for this test: {halves} of {kills}");
    take_over(&scene, &format!("url = {url:?}"));
    assert_eq!(run(&scene, "audit --json").done().out, audit);
    Cluster::shared().drop_later(&name);
}

/// People enough for a move that takes a while.
const PEOPLE: usize = 15_000;
