//! The daemon by a clock that the test sets. It waits for nothing there, so it looks at the clock all
//! the time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use warmfront_core::span::{HOUR, MINUTE};
use warmfront_engine::clock::Clock;
use warmfront_engine::{Until, run};
use warmfront_tests::simulation::Play;

use crate::{block_on, little};

/// Lets the clock go on from `from` by minutes, each long enough for whatever is due: what the clock
/// overtakes between the mark of a dot and the dot is not sent.
async fn pass(clock: &Clock, from: i64, minutes: i64) -> i64 {
    for minute in 1..=minutes {
        clock.set(from + minute * MINUTE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    from + minutes * MINUTE
}

fn accepted(play: &Play) -> usize {
    play.world.held().len()
}

#[test]
fn a_clock_set_back_under_a_daemon_stops_it_until_it_is_right_again() {
    block_on(async {
        let mut play = little::begin().await;
        let nine = play.now;
        let (mut office, clock) = play.office();
        office.poll = MINUTE;
        let stop = CancellationToken::new();
        let daemon = tokio::spawn(run(office, play.ways(None), Until::Stopped, stop.clone()));
        // As many minutes as a busy machine needs.
        let mut now = nine;
        while accepted(&play) < 2 && now < nine + HOUR {
            now = pass(&clock, now, 1).await;
        }
        let before = accepted(&play);
        assert!((2..6).contains(&before), "{before}");
        let mut now = pass(&clock, now - HOUR, 50).await;
        assert_eq!(accepted(&play), before, "the clock is wrong");
        assert!(!daemon.is_finished(), "it waits for the clock");
        let late = now + 2 * HOUR;
        while accepted(&play) < 6 && now < late {
            now = pass(&clock, now, 1).await;
        }
        assert_eq!(accepted(&play), 6);
        stop.cancel();
        daemon.await.expect("no panic").expect("an orderly end");
    });
}
