//! What the daemon does between two messages, and when an operator changes his mind about how many.

use std::time::Duration;

use warmfront_tests::binary::{Answer, Scene, terminate, wait_until};

use crate::{edit, run, spring};

/// Twenty people to write to, four minutes between two messages, and a daemon that has sent the
/// first and then worked for `long`.
fn after_the_first(long: Duration) -> Scene {
    let scene = spring(20);
    edit(&scene, "warmfront.toml", "gap = \"0s\"", "gap = \"4m\"");
    let _ = run(&scene, "campaign import campaigns/spring").done();
    let _ = run(&scene, "campaign start spring").done();
    let daemon = scene.installation.start(&["run"]);
    wait_until("the first message is held", || scene.sink.accepted_count() == 1);
    std::thread::sleep(long);
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
    scene
}

#[test]
fn a_mailbox_whose_gap_is_not_over_does_not_log_in_again_and_again() {
    let scene = after_the_first(Duration::from_secs(12));
    let logins = scene.sink.lines().iter().filter(|line| line.text.starts_with("AUTH")).count();
    assert_eq!((scene.sink.accepted_count(), logins), (1, 1));
}

#[test]
fn a_cap_that_was_lowered_holds_the_same_day() {
    let scene = after_the_first(Duration::ZERO);
    edit(&scene, "warmfront.toml", "gap = \"4m\"", "gap = \"0s\"");
    edit(&scene, "warmfront.toml", "cap = 500", "cap = 3");
    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(scene.sink.accepted_count(), 3);
}
