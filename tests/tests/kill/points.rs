//! Every named point of the send path as the last thing the program does.

use std::collections::BTreeMap;

use warmfront_engine::failpoint::NAMES;
use warmfront_tests::binary::Scene;

use super::accounts::balance;

/// Ends the program at the `nth` passing of a point and starts it again: exactly the messages that
/// were between the mark of the dot and the settlement are in doubt.
#[track_caller]
fn check(name: &str, nth: usize, action: &str, in_doubt: usize) {
    let story = format!("{name}:{nth}:{action}");
    let scene = Scene::of(1);
    scene.begin("points", PEOPLE);
    let run = ["run", "--until-idle"];
    let mut command = scene.installation.command(&run);
    let ended = command.env("WARMFRONT_FAILPOINT", &story).output().expect("it starts");
    assert_eq!(ended.status.code().is_none(), action == "abort", "{story}: {ended:?}");
    let _ = scene.installation.run(&run).done();
    let mut want = BTreeMap::from([("accepted".to_owned(), PEOPLE - in_doubt)]);
    if in_doubt > 0 {
        want.insert("in_doubt".to_owned(), in_doubt);
    }
    assert_eq!(balance(&scene, PEOPLE, &story), want, "{story}");
}

#[test]
fn whatever_point_is_the_last_nobody_is_written_to_twice_or_lost() {
    for name in NAMES {
        let in_doubt = match name {
            "after_dot_commit" | "after_dot" | "after_250" | "before_settle" => 1,
            _ => 0,
        };
        check(name, 1, "abort", in_doubt);
        check(name, 5, "abort", in_doubt);
    }
}

#[test]
fn the_program_goes_on_after_a_failure_at_any_point() {
    // Side by side: each waits a while before it tries again.
    std::thread::scope(|scope| {
        for name in NAMES {
            let in_doubt = match name {
                // The server's answer was never seen, or its consequence never written down.
                "after_dot" | "after_250" | "before_settle" => 1,
                _ => 0,
            };
            scope.spawn(move || check(name, 3, "error", in_doubt));
        }
    });
}

#[test]
fn a_pause_at_any_point_changes_nothing() {
    std::thread::scope(|scope| {
        for name in NAMES {
            scope.spawn(move || check(name, 2, "sleep", 0));
        }
    });
}

const PEOPLE: usize = 8;
