//! The engine vanishes at each await of a tick in turn, as a process does that is killed there.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use warmfront_engine::failpoint::Failpoint;
use warmfront_tests::simulation::{Engine, Play, Scenario};

use crate::{block_on, little, on_every_core};

/// Plays to the chosen tick, drops the engine at its nth await, and plays on with another. Says
/// whether the tick was over before.
async fn vanish(scenario: Scenario, chosen: usize, nth: u32) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut play = little::begin_on_disk(scenario, folder.path()).await;
    let (mut engine, _) = play.engine(Failpoint::default(), None);
    for _ in 0..chosen {
        step(&mut play, &mut engine).await;
    }
    let cut = cut(engine.tick(play.now), nth).await;
    drop(engine);
    play.bury().await;
    play.now += 1;
    let end = play.end;
    play.run(end, |_| {}).await.expect("no tick fails");
    little::prove_all(&play).await;
    cut.is_some()
}

async fn step(play: &mut Play, engine: &mut Engine) {
    let wake = engine.tick(play.now).await.expect("no tick fails");
    play.now = wake.max(play.now + 1);
}

/// Polls a future so many times at most, then drops it.
async fn cut<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        left -= 1;
        if left == 0 { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

/// What a tick did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    Plan,
    SendFirst,
    Answer,
    SendFollowUp,
}

/// The first tick that does something of that sort, in a play that nothing disturbs.
async fn first_that(scenario: Scenario, wanted: Did) -> usize {
    let mut play = little::at_nine(Play::begin(scenario).await);
    let (mut engine, _) = play.engine(Failpoint::default(), None);
    for number in 0.. {
        let before = {
            let record = play.log.open();
            (record.attempts.len(), record.told.len())
        };
        step(&mut play, &mut engine).await;
        let record = play.log.open();
        let steps: Vec<u32> = record.attempts[before.0..].iter().map(|a| a.letter.step).collect();
        let found = match wanted {
            Did::Plan => true,
            // Not the first of all, which is planned in the same tick.
            Did::SendFirst => number > 0 && steps.contains(&1),
            Did::Answer => record.told.len() > before.1,
            Did::SendFollowUp => steps.contains(&2),
        };
        if found {
            return number;
        }
        assert!(play.now < play.end, "no tick does {wanted:?}");
    }
    unreachable!("the loop ends with the play")
}

#[track_caller]
fn check(scenario: fn() -> Scenario, did: Did, awaits_at_least: usize) {
    let chosen = block_on(first_that(scenario(), did));
    let all = 1..2_000;
    let reached = on_every_core(all, |&nth| !block_on(vanish(scenario(), chosen, nth)));
    assert!(reached >= awaits_at_least, "{did:?}: a tick of {reached} awaits only");
}

#[test]
fn a_crash_at_any_await_of_the_morning_s_plan_and_first_sends_loses_nothing() {
    check(little::scenario, Did::Plan, 8);
}

#[test]
fn a_crash_at_any_await_of_a_first_send_loses_nothing() {
    check(little::scenario, Did::SendFirst, 8);
}

#[test]
fn a_crash_at_any_await_of_reading_an_answer_loses_nothing() {
    check(little::scenario, Did::Answer, 8);
}

#[test]
fn a_crash_at_any_await_of_a_follow_up_loses_nothing() {
    check(little::scenario, Did::SendFollowUp, 8);
}

#[test]
fn a_crash_at_any_await_of_follow_ups_without_a_rest_between_them_loses_nothing() {
    check(little::hurried, Did::SendFollowUp, 8);
}
