//! Places in a day that come free again.

use warmfront_core::span::{HOUR, MINUTE, SECOND};
use warmfront_engine::Planner;

use crate::{block_on, little};

/// A claim that the books refuse puts its message back, and no event tells of that.
#[test]
fn what_was_put_back_is_placed_again_before_anything_else_happens() {
    block_on(async {
        let mut play = little::begin().await;
        // The first follow-up is ready at eleven, and is planned for in any case.
        let before_eleven = play.now + HOUR + 50 * MINUTE;
        let mut put_back = None;
        let watch = async |play: &warmfront_tests::simulation::Play| {
            let ledger = play.store.ledger(None, 0, 100).await.expect("books");
            if let Some(line) = ledger.iter().find(|line| line.state == "planned")
                && put_back.is_none()
            {
                let held = play.store.hold_message(line.id, None, "its place was taken").await;
                held.expect("books");
                put_back = Some(line.id);
            }
        };
        play.run(before_eleven, watch).await.expect("no tick fails");
        assert!(put_back.is_some(), "nothing waited for its turn");
        assert_eq!(play.world.held().len(), play.scenario.campaigns[0].people.len());
    });
}

/// Whoever runs until nothing is left waits for it, so it must not take longer each time.
#[test]
fn what_is_put_back_again_and_again_is_placed_each_time_within_seconds() {
    block_on(async {
        let mut play = little::begin().await;
        let (office, clock) = play.office();
        let mut planner = Planner::new(office);
        planner.tick(play.now).await.expect("a plan");
        for time in 1..=5 {
            let ledger = play.store.ledger(None, 0, 100).await.expect("books");
            let next =
                ledger.iter().filter(|line| line.state == "planned").min_by_key(|l| l.due_at);
            let next = next.expect("somebody is planned for");
            play.now = play.now.max(next.due_at);
            let held = play.store.hold_message(next.id, None, "its place was taken").await;
            held.expect("books");
            assert_eq!(play.store.unplaced(play.now).await.expect("books"), 1);
            play.now += 5 * SECOND;
            clock.set(play.now);
            planner.tick(play.now).await.expect("a plan");
            assert_eq!(play.store.unplaced(play.now).await.expect("books"), 0, "time {time}");
        }
    });
}
