//! The database goes away under two daemons, with a word and without one, and comes back.

use std::time::Duration;

use warmfront_tests::binary::{Daemon, Fleet, wait_until, wait_within};
use warmfront_tests::postgres::Cluster;

use super::accounts::balance;
use super::pair::{Pair, UNTIL_IDLE};
use super::say;

/// Without its database a daemon sends nothing, and with it goes on.
#[track_caller]
pub(crate) fn without_the_database() {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            check("crashed", |cluster, away| {
                cluster.crash();
                away();
                cluster.begin();
            });
        });
        scope.spawn(|| {
            check("frozen", |cluster, away| {
                let _frozen = cluster.freeze();
                away();
            });
        });
    });
}

/// Takes the database away in the midst of the sending, by a function that is given what to do
/// while it is away.
#[track_caller]
fn check(story: &str, take_away: impl Fn(&Cluster, &mut dyn FnMut())) {
    let cluster = Cluster::start();
    let pair = Pair::new(&cluster, Fleet { gap: "1s", ..Fleet::of(MAILBOXES) });
    let scene = &pair.scene;
    scene.begin("outage", PEOPLE);
    let mut daemons = pair.run(&UNTIL_IDLE);
    wait_until("they are at work", || scene.sink.accepted_count() >= PEOPLE / 4);
    take_away(&cluster, &mut || {
        // What was at its dot by then is let go.
        std::thread::sleep(IN_FLIGHT);
        let before = scene.sink.accepted_count();
        std::thread::sleep(AWAY);
        assert_eq!(scene.sink.accepted_count(), before, "{story}: sent without its books");
        for daemon in &mut daemons {
            assert!(daemon.is_running(), "{story}: it gave up: {}", daemon.said());
            wait_within(AWAY, "it says so", || {
                daemon.said().contains("the database does not answer")
            });
        }
        let status = scene.installation.run(&["status"]);
        assert!(status.code == Some(1) && before < PEOPLE, "{story}: {status}");
    });
    let sent = || scene.sink.accepted_count() + DOUBTS_MAX >= PEOPLE;
    wait_within(BACK, "they go on by themselves", sent);
    wait_within(BACK, "both are done", || !daemons.iter_mut().any(Daemon::is_running));
    for daemon in &mut daemons {
        daemon.ended_well(story);
    }
    let states = balance(scene, story);
    say(&format!("{story}: {states:?}"));
    let count = |state: &str| states.get(state).copied().unwrap_or(0);
    assert_eq!(count("accepted") + count("in_doubt"), PEOPLE, "{story}: {states:?}");
    assert!(count("in_doubt") <= DOUBTS_MAX, "{story}: {states:?}");
}

/// Mailboxes, each of which may have one message at its dot when the database goes.
const MAILBOXES: usize = 4;
const DOUBTS_MAX: usize = MAILBOXES;

/// People; at a message a second from each mailbox, no daemon is done before the database goes.
const PEOPLE: usize = 100;

/// How long what is in flight may take to end.
const IN_FLIGHT: Duration = Duration::from_secs(10);

/// How long the database is away: longer than anybody waits for an answer.
const AWAY: Duration = Duration::from_secs(50);

/// How long the daemons may take to go on: a lease lasts a minute, whoever held it.
const BACK: Duration = Duration::from_secs(200);
