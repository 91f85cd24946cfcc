//! The same seed tells the same story, and the stories are as likely as they say.

use super::*;
use crate::{Arrival, Event, Fate, Held, Tally, Temper, WHOLE, Weather};

fn story(seed: u64, mailboxes: [&str; 2]) -> (Vec<Held>, Vec<Arrival>, Tally) {
    let world = World::new(seed, Weather::stormy(), Temper::lively());
    campaign(&world, mailboxes);
    let mut held = world.held();
    held.sort_by_key(|held| (held.at, held.message_id.clone()));
    let mut tally = world.tally();
    tally.violations.sort_by_key(|violation| format!("{violation:?}"));
    (held, world.arrivals(), tally)
}

#[test]
fn the_same_seed_tells_the_same_story_whoever_takes_the_first_turn() {
    let story_of = |seed| story(seed, ["ann@example.com", "cid@example.com"]);
    let one = story_of(7);
    assert!(one.0.len() > 50 && one.1.len() > 10, "{} held", one.0.len());
    assert_eq!(one, story_of(7));
    assert_eq!(one, story(7, ["cid@example.com", "ann@example.com"]));
    assert_ne!(one, story_of(8));
}

#[test]
fn what_is_held_is_what_was_accepted_or_kept() {
    let (held, _, tally) = story(3, ["ann@example.com", "cid@example.com"]);
    let taken = tally.of(Event::Accepted) + tally.of(Event::LostAfterDotKept);
    assert!(tally.of(Event::LostAfterDotKept) > 0 && tally.of(Event::LostAfterDotLost) > 0);
    assert_eq!(u64::try_from(held.len()).unwrap(), taken);
}

/// Of twenty thousand people, those of each fate, in ten-thousandths.
fn shares(temper: Temper) -> [u32; 11] {
    let world = World::new(11, Weather::calm(), temper);
    let mut counts = [0_u32; 11];
    for person in 0..20_000 {
        let fate = world.fate(&address(&format!("p{person}@acme.example")));
        counts[match fate {
            Fate::Unknown => 0,
            Fate::Full => 1,
            Fate::Bounces { .. } => 2,
            Fate::Replies { .. } => 3,
            Fate::Away { .. } => 4,
            Fate::OptsOut { .. } => 5,
            Fate::Complains { .. } => 6,
            Fate::SoftBounces { .. } => 7,
            Fate::Delayed { .. } => 8,
            Fate::Blocks { .. } => 9,
            Fate::Silent => 10,
        }] += 1;
    }
    counts.map(|count| count * WHOLE / 20_000)
}

#[test]
fn people_are_of_each_sort_as_often_as_their_temper_says() {
    assert_eq!(shares(Temper::none()), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10_000]);
    for temper in [Temper::ordinary(), Temper::lively()] {
        let Temper { unknown, full, bounces, replies, away, opts_out, complains, .. } = temper;
        let Temper { soft_bounces, delayed, blocks, .. } = temper;
        let said = [unknown, full, bounces, replies, away, opts_out, complains];
        let rates = said.into_iter().chain([soft_bounces, delayed, blocks]);
        for (share, rate) in shares(temper).into_iter().zip(rates) {
            // Four standard deviations of a count among twenty thousand.
            let off = 4 * (rate / 2).isqrt() + 2;
            assert!(share.abs_diff(rate) <= off, "{share} is not about {rate}");
        }
    }
}

#[test]
fn some_reply_seconds_before_the_follow_up() {
    let temper = Temper { replies: WHOLE, last_moment: WHOLE, ..Temper::none() };
    let world = World::new(1, Weather::calm(), temper);
    let Fate::Replies { after, .. } = world.fate(&bob()) else { panic!("all reply") };
    let before = temper.follow_up_after - after;
    assert!((1_000..=60_000).contains(&before), "{before} ms");
}
