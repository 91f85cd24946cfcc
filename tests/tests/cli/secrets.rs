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
    let list = run(&scene, "mailbox list --json").done().json_lines();
    let states: Vec<_> = list.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["active", "active"], "nobody gave up waiting for it");
    let sent: Vec<_> = list.iter().map(|one| one["accepted"].as_u64()).collect();
    assert_eq!(sent[1], Some(1), "{list:?}");

    scene.installation.write("unlocked", "");
    wait_until("it sends too", || scene.sink.accepted_count() == 2);
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
}
