//! Daemons that are stopped for longer than their leases last, and go on as if nothing had been.
//!
//! Twenty at a time, each with a partner and a database of its own: nine are stopped at the named
//! points of the send path, the others wherever they are.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use warmfront_engine::failpoint::NAMES;
use warmfront_tests::binary::{Daemon, Fleet, wait_until, wait_within};
use warmfront_tests::postgres::Cluster;

use super::accounts::balance;
use super::pair::{Pair, UNTIL_IDLE};
use super::{say, seed, times};

/// Whoever sleeps longer than its lease lasts wakes up to nothing.
#[track_caller]
pub(crate) fn without_a_lease() {
    let (stops, seed) = (times("WARMFRONT_STOPS", STOPS), seed());
    let story = format!("WARMFRONT_STOPS={stops} WARMFRONT_SEED={seed}");
    say(&story);
    let cluster = Cluster::start();
    let all: Vec<u64> = (0..stops).collect();
    for together in all.chunks(SIDE_BY_SIDE) {
        std::thread::scope(|scope| {
            for &nr in together {
                let (cluster, story) = (&cluster, format!("{story}, pair {nr}"));
                let name = usize::try_from(nr).ok().and_then(|nr| NAMES.get(nr % SIDE_BY_SIDE));
                scope.spawn(move || match name {
                    Some(name) => stop_at(cluster, name, &story),
                    None => stop_anywhere(cluster, seed ^ nr, &story),
                });
            }
        });
    }
}

/// Stops the only daemon at a point of its third message; another takes its mailbox over.
fn stop_at(cluster: &Cluster, name: &str, story: &str) {
    let pair = Pair::new(cluster, Fleet::of(1));
    let (scene, story) = (&pair.scene, format!("{story}: {name}"));
    scene.begin("stopped", FEW);
    let failpoint = format!("{name}:3:sleep");
    let mut sleeper = Daemon::start(&scene.installation, &UNTIL_IDLE, Some(&failpoint));
    let dot_is_out = NAMES.iter().skip_while(|other| **other != "after_dot").any(|n| *n == name);
    let taken = if dot_is_out { 3 } else { 2 };
    wait_until("it comes to the point", || scene.sink.accepted_count() == taken);
    std::thread::sleep(TO_THE_POINT);
    sleeper.stop();
    let other = pair.one(1, &UNTIL_IDLE);
    let (states, late) = sleep_through(&pair, &mut sleeper, other, &story);
    assert_eq!(late, 0, "{story}: sent without a lease: {}", sleeper.said());
    let in_doubt = match name {
        "after_dot_commit" | "after_dot" | "after_250" | "before_settle" => 1,
        _ => 0,
    };
    let mut want = BTreeMap::from([("accepted".to_owned(), FEW - in_doubt)]);
    if in_doubt > 0 {
        want.insert("in_doubt".to_owned(), in_doubt);
    }
    assert_eq!(states, want, "{story}");
}

/// Stops one of two daemons that are both at work.
fn stop_anywhere(cluster: &Cluster, seed: u64, story: &str) {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let pair = Pair::new(cluster, Fleet::of(MAILBOXES));
    let scene = &pair.scene;
    scene.begin("stopped", MANY);
    let [mut sleeper, other] = pair.run(&UNTIL_IDLE);
    let taken = rng.random_range(1..MANY / 2);
    wait_until("they are at work", || scene.sink.accepted_count() >= taken);
    std::thread::sleep(Duration::from_millis(rng.random_range(0..30)));
    sleeper.stop();
    let (states, late) = sleep_through(&pair, &mut sleeper, other, story);
    let count = |state: &str| states.get(state).copied().unwrap_or(0);
    assert_eq!(count("accepted") + count("in_doubt"), MANY, "{story}: {states:?}");
    // Between the last look at the clock and the dot itself it may have been stopped, too.
    assert!(late <= count("in_doubt"), "{story}: {late} of {states:?}");
    assert!(count("in_doubt") <= MAILBOXES, "{story}: {states:?}");
}

/// While one sleeps the other does all that is left. Whoever then wakes up changes nothing in the
/// books, so that the server at most gets what is in doubt there. Says how many messages it got.
#[track_caller]
fn sleep_through(
    pair: &Pair,
    sleeper: &mut Daemon,
    mut other: Daemon,
    story: &str,
) -> (BTreeMap<String, usize>, usize) {
    std::thread::sleep(SLEEP);
    wait_within(SLEEP, "somebody takes over", || !other.is_running());
    other.ended_well(story);
    let sink = &pair.scene.sink;
    let (taken, before) = (sink.accepted_count(), balance(&pair.scene, story));
    sleeper.wake();
    sleeper.ended_well(story);
    let states = balance(&pair.scene, story);
    let late = sink.accepted_count() - taken;
    assert_eq!(states, before, "{story}: {}", sleeper.said());
    say(&format!("{story}: {states:?}, {late} late"));
    (states, late)
}

/// Daemons stopped, unless told otherwise.
const STOPS: u64 = 20;

/// Pairs at work at a time.
const SIDE_BY_SIDE: usize = 20;

/// Longer than a lease lasts, which is a minute.
const SLEEP: Duration = Duration::from_secs(90);

/// From what the server took to the point behind it. The pause there is 20 s.
const TO_THE_POINT: Duration = Duration::from_secs(8);

/// People where one mailbox writes.
const FEW: usize = 8;

/// People where several do.
const MANY: usize = 90;
const MAILBOXES: usize = 3;
