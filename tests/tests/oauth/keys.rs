//! One key for all who share the books: on whatever machine somebody logs in, and when it is lost.

use serde_json::json;
use warmfront_tests::binary::{Daemon, wait_until};
use warmfront_tests::postgres::Cluster;

use super::machines::{BOB, Machines};
use super::world::ANN;

#[test]
fn machines_that_share_books_share_one_key_and_none_makes_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::shared();
    let file = format!("sqlite://{}", folder.path().join("books.db").display());
    for books in [file, cluster.url(&cluster.database(None))] {
        let machines = Machines::sharing(books, 2);
        let _ = machines.log_in(0, ANN, &[]).done();
        let key = machines.key(0).expect("the first log-in makes it");
        let spent = machines.spent();

        let shown = machines.all[1].file("warmfront.key").display().to_string();
        let missing = ["refused: ", "sealed by a key that is not here", &shown, "--new-key"];
        let _ = machines.log_in(1, BOB, &[]).said(3, &missing);
        // Nor does a daemon for an application that asks in its own name.
        let ours = std::fs::read_to_string(machines.all[1].file("warmfront.toml")).expect("a file");
        let by_itself = ours.replace("flow = \"device\"", "flow = \"app\"");
        machines.all[1].write("warmfront.toml", by_itself);
        let _ = machines.all[1].run(&["run", "--until-idle"]).said(3, &missing);
        machines.all[1].write("warmfront.toml", ours);
        assert_eq!(machines.key(1), None, "nobody made another");
        machines.put_key(1, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
        let another = ["refused: ", "sealed by another key", &shown, "copy that file"];
        let _ = machines.log_in(1, BOB, &[]).said(3, &another);
        assert_eq!(machines.spent(), spent, "nobody was asked before that was known");

        machines.put_key(1, &key);
        let told = machines.log_in(1, BOB, &[]).done().json();
        assert_eq!((&told["state"], &told["void"]), (&json!("active"), &json!([])));
    }
}

#[test]
fn a_daemon_that_has_not_the_key_of_the_books_is_refused_and_pauses_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let machines =
        Machines::sharing(format!("sqlite://{}", folder.path().join("books.db").display()), 2);
    let _ = machines.log_in(0, ANN, &[]).done();
    let key = machines.key(0).expect("the first log-in makes it");
    let run = || machines.all[1].run(&["run", "--until-idle"]);
    let _ = run().said(3, &["refused: ", "sealed by a key that is not here"]);
    machines.put_key(1, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    let _ = run().said(3, &["refused: ", "sealed by another key", "copy that file"]);
    let told = machines.all[1].run(&["check"]).done();
    assert!(told.err.contains("sealed by another key"), "{told}");
    let verified = machines.all[1].run(&["mailbox", "verify", ANN]);
    assert!(verified.out.contains("another key"), "{verified}");
    for mailbox in [ANN, BOB] {
        assert_eq!(machines.standing(mailbox), ("active".to_owned(), String::new()));
    }
    machines.put_key(1, &key);
    let _ = run().done();
    assert_eq!(machines.standing(ANN), ("active".to_owned(), String::new()));
    let told = machines.all[1].run(&["check"]).done();
    assert!(!told.err.contains("sealed by another key"), "{told}");
}

#[test]
fn books_that_are_an_older_copy_are_brought_up_to_date_by_their_own_key_alone() {
    let machines = Machines::one();
    let _ = machines.log_in(0, ANN, &[]).done();
    let key = machines.key(0).expect("the log-in makes it");
    let ours = &machines.all[0];
    let copy = |from: &str, to: &str| {
        std::fs::copy(ours.file(from), ours.file(to)).expect("a copy");
    };
    copy("warmfront.db", "backup.db");
    let _ = ours.run(&["run", "--until-idle"]).done();
    copy("backup.db", "warmfront.db");
    let spent = machines.spent();

    machines.put_key(0, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    let _ = ours.run(&["reconcile"]).said(3, &["refused: ", "sealed by another key"]);
    std::fs::remove_file(ours.file("warmfront.key")).expect("the key");
    let _ = ours.run(&["reconcile"]).said(3, &["refused: ", "a key that is not here"]);
    assert_eq!((machines.key(0), machines.spent()), (None, spent));
    assert_eq!(machines.standing(ANN), ("active".to_owned(), String::new()));

    machines.put_key(0, &key);
    let answer = ours.run(&["reconcile"]);
    // No mail server is there to be asked.
    assert_eq!(answer.code, Some(1), "{answer}");
    assert!(!answer.err.contains("key") && answer.out.contains(ANN), "{answer}");
}

#[test]
fn whoever_asks_a_daemon_to_end_waits_for_no_key() {
    let machines = Machines::one();
    let _ = machines.log_in(0, ANN, &[]).done();
    machines.put(0, "kept.key", &machines.key(0).expect("the log-in makes it"));
    // First it is only asked whether it is there.
    let slow = "test -e asked && touch again && sleep 20 && touch given; touch asked; cat kept.key";
    machines.configure(0, &format!("key = {{ command = \"{slow}\" }}"));
    let ours = &machines.all[0];
    let mut daemon = Daemon::start(ours, &["run"], None);
    wait_until("it is asked for", || ours.file("again").exists());
    daemon.terminate();
    daemon.ended_well("it was asked to");
    assert!(!ours.file("given").exists(), "it was waited for");
}

#[test]
fn a_key_that_is_lost_for_ever_is_replaced_and_everybody_else_logs_in_again() {
    let machines = Machines::one();
    for mailbox in [ANN, BOB] {
        let _ = machines.log_in(0, mailbox, &[]).done();
    }
    let spent = machines.spent();
    let _ = machines.log_in(0, ANN, &["--new-key"]).said(2, &["nothing is lost"]);
    let lost = machines.key(0).expect("a key");
    std::fs::remove_file(machines.all[0].file("warmfront.key")).expect("the key");
    let _ = machines.log_in(0, ANN, &[]).said(3, &["sealed by a key that is not here"]);
    assert_eq!((machines.key(0), machines.spent()), (None, spent));

    let begun = machines.log_in(0, ANN, &["--new-key"]).done();
    for said in ["a new key was made", "every other mailbox", "has to log in again"] {
        assert!(begun.err.contains(said), "{begun}");
    }
    assert_eq!(begun.json()["void"], json!([BOB]));
    assert_ne!(machines.key(0).expect("a new one"), lost);
    assert_eq!(
        (machines.standing(ANN).0, machines.standing(BOB).0),
        ("active".into(), "paused".into())
    );
    let told = machines.log_in(0, BOB, &[]).done().json();
    assert_eq!((&told["state"], &told["resumed"]), (&json!("active"), &json!(true)));
}

#[test]
fn a_key_that_is_broken_or_kept_elsewhere_costs_no_token() {
    let machines = Machines::one();
    machines.put_key(0, "no key at all\n");
    let _ = machines.log_in(0, ANN, &[]).said(1, &["warmfront.key is no key", "32 random octets"]);
    machines.configure(0, "key = { command = \"exit 3\" }");
    let _ = machines.log_in(0, ANN, &[]).said(1, &["`key` in [store]", "exit 3"]);
    assert_eq!(machines.spent(), 0);
    machines.configure(0, "key = { file = \"kept.key\" }");
    machines.put(0, "kept.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    let _ = machines.log_in(0, ANN, &[]).done();
    let spent = machines.spent();
    machines.all[0].write("kept.key", "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    let another = ["refused: ", "than `key` in [store] gives", "have it give that one"];
    let _ = machines.log_in(0, ANN, &[]).said(3, &another);
    assert_eq!(machines.spent(), spent);
}
