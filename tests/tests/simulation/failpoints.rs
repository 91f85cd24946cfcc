//! Every named point of the send path fails, and every point at which a letter can be held up holds
//! it up for longer than a lease lasts, while another engine takes over. What happens when the
//! process ends there is tried with the real binary elsewhere.

use std::sync::Arc;

use tokio::select;
use warmfront_core::span::{HOUR, MINUTE};
use warmfront_engine::failpoint::{Failpoint, NAMES};
use warmfront_mail::submit::Stage;
use warmfront_tests::simulation::{Gate, POINTS, Play, Point};

use crate::{block_on, little, on_every_core};

/// The failpoint fails once; an engine that breaks is followed by another.
async fn fail(mut play: Play, name: &str, nth: u64) -> u64 {
    let failpoint = Failpoint::parse(Some(&format!("{name}:{nth}:error"))).expect("a failpoint");
    let (mut engine, _) = play.engine(failpoint, None);
    while play.now < play.end {
        if let Ok(wake) = engine.tick(play.now).await {
            play.now = wake.max(play.now + 1);
        } else {
            drop(engine);
            play.bury().await;
            engine = play.engine(Failpoint::default(), None).0;
            play.now += 1;
        }
    }
    drop(engine);
    little::prove_all(&play).await
}

#[test]
fn a_failure_at_any_point_loses_nothing_and_doubts_only_what_is_doubtful() {
    let cases: Vec<(&str, u64)> = NAMES.iter().flat_map(|name| [(*name, 1), (*name, 3)]).collect();
    on_every_core(cases, |&(name, nth)| {
        let in_doubt = block_on(async { fail(little::begin().await, name, nth).await });
        assert_eq!(in_doubt, u64::from(is_doubtful(name)), "{name}:{nth}");
        true
    });
}

#[test]
fn nor_does_one_where_the_next_letter_is_claimed_as_the_last_is_settled() {
    let cases: Vec<(&str, u64)> = NAMES.iter().flat_map(|name| [(*name, 1), (*name, 3)]).collect();
    on_every_core(cases, |&(name, nth)| {
        let in_doubt = block_on(async { fail(little::begin_hurried().await, name, nth).await });
        assert_eq!(in_doubt, u64::from(is_doubtful(name)), "{name}:{nth}");
        true
    });
}

fn is_doubtful(name: &str) -> bool {
    ["after_dot", "after_250", "before_settle"].contains(&name)
}

/// One engine stalls with a letter in hand; its lease ends, another engine goes on; then the first
/// wakes up and wants to go on, too. Says how many messages are in doubt at the end.
async fn stall(point: Point, nth: u64) -> u64 {
    let mut play = little::begin().await;
    play.lease_ttl = MINUTE;
    let gate = Gate::new(point, nth);
    let (mut stalled, clock) = play.engine(Failpoint::default(), Some(Arc::clone(&gate)));
    loop {
        assert!(play.now < play.end, "no letter came to {point:?}");
        let mut tick = Box::pin(stalled.tick(play.now));
        let wake = select! {
            biased;
            wake = &mut tick => Some(wake.expect("no tick fails")),
            () = gate.reached() => None,
        };
        if let Some(wake) = wake {
            play.now = wake.max(play.now + 1);
            continue;
        }
        play.now += 2 * MINUTE;
        let wakes_up = play.now + HOUR;
        play.run(wakes_up, |_| {}).await.expect("no tick fails");
        clock.set(play.now);
        gate.open();
        // It lost its lease; whether it calls that an error is not the point.
        let _ = tick.await;
        break;
    }
    drop(stalled);
    let end = play.end;
    play.run(end, |_| {}).await.expect("no tick fails");
    little::prove_all(&play).await
}

#[test]
fn an_engine_that_slept_through_the_end_of_its_lease_sends_nothing_twice() {
    let cases: Vec<(Point, u64)> = POINTS.iter().flat_map(|p| [(*p, 1), (*p, 3)]).collect();
    on_every_core(cases, |&(point, nth)| {
        let in_doubt = block_on(stall(point, nth));
        // The other mailbox's letter may have been half-way, too.
        let doubtful = match point {
            Point::After(stage) if stage >= Stage::BodyWritten => 1..=2,
            Point::Answered => 1..=2,
            Point::Claimed | Point::Before(_) | Point::After(_) => 0..=1,
        };
        assert!(doubtful.contains(&in_doubt), "{point:?}, letter {nth}: {in_doubt} in doubt");
        true
    });
}
