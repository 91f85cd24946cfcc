//! Ends in good order, and starts that must not be.

use warmfront_tests::binary::{Answer, Scene, terminate, wait_until};
use warmfront_tests::instance::as_root;

use super::accounts::balance;

#[test]
fn a_terminated_daemon_finishes_what_is_in_flight() {
    let scene = Scene::of(4);
    scene.begin("ending", PEOPLE);
    for held in [20, 70, 130] {
        let daemon = scene.installation.start(&["run", "--until-idle"]);
        wait_until("so many are held", || scene.sink.accepted_count() >= held);
        terminate(&daemon);
        let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
        let held = scene.sink.accepted_count();
        assert!(held < PEOPLE, "it was over before it was asked to end");
        let ledger = scene.installation.ledger();
        let count = |state: &str| ledger.iter().filter(|line| line.state == state).count();
        assert_eq!((count("accepted"), count("planned")), (held, PEOPLE - held), "{ledger:?}");
    }
    let _ = scene.installation.run(&["run", "--until-idle"]).done();
    assert_eq!(balance(&scene, PEOPLE, "terminated")["accepted"], PEOPLE);
}

#[test]
#[cfg(target_env = "gnu")]
fn a_daemon_has_one_arena_of_memory_and_the_process_id_it_was_started_with() {
    let scene = Scene::of(1);
    let daemon = scene.installation.start(&["run"]);
    // Nobody but root may look into a process that holds secrets.
    let file = format!("/proc/{}/environ", daemon.id());
    let surroundings = || as_root("cat").arg(&file).output().expect("it runs").stdout;
    let limit = b"MALLOC_ARENA_MAX=1";
    let has_one = || surroundings().split(|byte| *byte == 0).any(|variable| variable == limit);
    wait_until("it has begun again", has_one);
    let owner = format!("process {}", daemon.id());
    let runs = || scene.installation.run(&["status"]).out.contains(&owner);
    wait_until("it has the books", runs);
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
}

#[test]
fn a_second_daemon_on_the_same_books_is_refused_and_told_who_has_them() {
    let scene = Scene::of(1);
    let daemon = scene.installation.start(&["run"]);
    let owner = format!("process {}", daemon.id());
    let runs = || scene.installation.run(&["status"]).out.contains(&owner);
    wait_until("the first daemon has the books", runs);
    let _ = scene.installation.run(&["run", "--until-idle"]).said(3, &["in use by", &owner]);
    let _ = scene.installation.run(&["run"]).said(3, &["in use by", &owner]);
    // Other commands work beside it.
    scene.begin("beside", 3);
    wait_until("the daemon sees the new campaign", || scene.sink.accepted_count() == 3);
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
    assert_eq!(balance(&scene, 3, "beside")["accepted"], 3);
}

const PEOPLE: usize = 600;
