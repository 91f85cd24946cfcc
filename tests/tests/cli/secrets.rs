//! Secrets that are looked up elsewhere, by whoever takes his time.

use warmfront_tests::binary::{Answer, PASSWORD, Scene, terminate, wait_until};

use crate::{edit, run};

#[test]
fn a_secret_that_takes_its_time_holds_up_its_own_mailbox_and_no_other() {
    let scene = Scene::of(2);
    // At the second time it waits until somebody lets it go on: the first is when a daemon begins, which
    // tells what is missing.
    let command = format!(
        "test -e asked && while ! test -e unlocked; do sleep 0.1; done; touch asked; echo '{PASSWORD}'"
    );
    let slow = format!("{{ command = \"{command}\" }}");
    edit(&scene, "warmfront.toml", "{ env = \"MAILBOX_PASSWORD\" }", &slow);
    scene.begin("spring", 2);
    let daemon = scene.installation.start(&["run"]);
    wait_until("the other mailbox sends", || scene.sink.accepted_count() == 1);
    assert!(!scene.installation.file("unlocked").exists());
    let list = || run(&scene, "mailbox list --json").done().json_lines();
    wait_until("the books have it", || list()[1]["accepted"] == 1);
    let list = list();
    let states: Vec<_> = list.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["active", "active"], "nobody gave up waiting for it");

    scene.installation.write("unlocked", "");
    wait_until("it sends too", || scene.sink.accepted_count() == 2);
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
}

#[test]
fn a_secret_that_is_away_for_a_moment_is_asked_for_again_and_nobody_has_to_come() {
    let scene = Scene::of(1);
    // It is there when the daemon begins, and then away for a while.
    let command = format!(
        "test -e asked && test -e away && touch denied && exit 1; touch asked; echo '{PASSWORD}'"
    );
    let away = format!("{{ command = \"{command}\" }}");
    edit(&scene, "warmfront.toml", "{ env = \"MAILBOX_PASSWORD\" }", &away);
    scene.installation.write("away", "");
    scene.begin("spring", 1);
    let daemon = scene.installation.start(&["run"]);
    wait_until("it is asked for in vain", || scene.installation.file("denied").exists());
    let state = || run(&scene, "mailbox list --json").done().json()["state"].clone();
    assert_eq!(state(), "active");
    std::fs::remove_file(scene.installation.file("away")).expect("it is back");
    wait_until("the message is sent", || scene.sink.accepted_count() == 1);
    assert_eq!(state(), "active");
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
}

#[test]
fn a_daemon_begins_while_a_secret_is_away_and_says_so() {
    let scene = Scene::of(2);
    let away = format!("{{ command = \"test -e unlocked && echo '{PASSWORD}'\" }}");
    edit(&scene, "warmfront.toml", "{ env = \"MAILBOX_PASSWORD\" }", &away);
    scene.begin("spring", 2);
    let daemon = scene.installation.start(&["run"]);
    wait_until("the other mailbox sends", || scene.sink.accepted_count() == 1);
    let trouble = || {
        let status = run(&scene, "status --json").done().json();
        let mailboxes = status["mailboxes"].as_array().expect("mailboxes").clone();
        mailboxes.into_iter().map(|one| one["trouble"].clone()).collect::<Vec<_>>()
    };
    wait_until("what it waits for is shown", || !trouble()[0].is_null());
    let shown = trouble();
    assert!(shown[0].as_str().is_some_and(|why| why.contains("the command `")), "{shown:?}");
    assert!(shown[1].is_null(), "{shown:?}");
    scene.installation.write("unlocked", "");
    wait_until("it sends too", || scene.sink.accepted_count() == 2);
    terminate(&daemon);
    let ended = Answer::from(daemon.wait_with_output().expect("it ends")).done();
    assert!(ended.err.contains(": warning: "), "{}", ended.err);
}
