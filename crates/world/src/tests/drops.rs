//! A submission given up, or stopped, at each point.

use std::collections::BTreeSet;

use super::*;
use crate::{Event, Provider, Temper, Weather};

#[test]
fn a_submission_goes_through_the_stages_in_order() {
    let world = World::new(1, Weather::calm(), Temper::none());
    let mut watch = Watch::default();
    run(world.way_out(&ann()).submit(&letter(&ann(), &bob(), 1), T0, &mut watch));
    assert_eq!(watch.stages, [Stage::Mail, Stage::Rcpt, Stage::BodyWritten, Stage::DotWritten]);
}

#[test]
fn a_submission_dropped_at_any_point_is_held_only_after_the_dot_and_then_by_luck() {
    let mut ends = BTreeSet::new();
    for (seed, polls) in (0..16).flat_map(|seed| (1..12).map(move |polls| (seed, polls))) {
        let world = World::new(seed, Weather::calm(), Temper::none());
        let mut way_out = world.way_out(&ann());
        let mut watch = Watch::default();
        let letter = letter(&ann(), &bob(), 1);
        let outcome = run_for(polls, way_out.submit(&letter, T0, &mut watch));
        let (tally, held) = (world.tally(), world.held().len());
        let abandoned = |event| tally.of(event) == 1;
        let point = format!("seed {seed}, dropped after {polls} polls");
        if outcome.is_some() {
            assert_eq!((held, abandoned(Event::Accepted)), (1, true), "{point}");
        } else if !watch.stages.contains(&Stage::BodyWritten) {
            assert_eq!(held, 0, "{point}");
            assert_eq!(abandoned(Event::AbandonedBeforeDot), !watch.stages.is_empty() || polls > 2);
        } else {
            assert_eq!(held == 1, abandoned(Event::AbandonedKept), "{point}");
        }
        if watch.stages.contains(&Stage::DotWritten) {
            assert!(!abandoned(Event::AbandonedBeforeDot), "{point}");
            ends.insert((outcome.is_some(), held));
        }
    }
    assert_eq!(ends, BTreeSet::from([(false, 0), (false, 1), (true, 1)]));
}

#[test]
fn a_dropped_submission_takes_its_connection_along() {
    let world = World::new(1, Weather::calm(), Temper::none());
    world.provider("example.com", Provider { connections: Some(1), ..Provider::default() });
    let mut way_out = world.way_out(&ann());
    let letter = letter(&ann(), &bob(), 1);
    assert_eq!(run_for(5, way_out.submit(&letter, T0, &mut Watch::default())), None);
    assert_eq!(run(world.way_out(&ann()).ready(T0)), Ok(()));
    assert_eq!(world.tally().violations, []);
}

#[test]
fn a_sender_who_halts_has_not_sent_before_the_dot_and_is_in_doubt_after_it() {
    for (stage, want) in [
        (Stage::Mail, "not sent: stopped by the sender: disk full"),
        (Stage::Rcpt, "not sent: stopped by the sender: disk full"),
        (Stage::BodyWritten, "not sent: stopped by the sender: disk full"),
        (Stage::DotWritten, "in doubt: stopped by the sender: disk full"),
    ] {
        let world = World::new(1, Weather::calm(), Temper::none());
        let mut watch = Watch { halt_at: Some(stage), ..Watch::default() };
        let letter = letter(&ann(), &bob(), 1);
        let outcome = run(world.way_out(&ann()).submit(&letter, T0, &mut watch));
        assert_eq!(end(&outcome), want);
        assert_eq!(watch.stages.last(), Some(&stage));
        assert!(stage == Stage::DotWritten || world.held().is_empty());
    }
}
