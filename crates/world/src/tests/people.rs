//! What people answer, and what they should never see.

use warmfront_core::health::Blow;
use warmfront_core::inbound::{Course, Kind};
use warmfront_core::span::HOUR;

use super::*;
use crate::{Event, Fate, Temper, Violation, WHOLE, Weather};

fn calm() -> World {
    World::new(1, Weather::calm(), Temper::none())
}

#[track_caller]
fn check(fate: Fate, want: &[(Millis, Kind)]) {
    let world = calm();
    world.set_fate(&bob(), fate);
    let mut way_out = world.way_out(&ann());
    for step in 1..=3 {
        let at = T0 + Millis::try_from(step).unwrap() * 3 * DAY;
        assert_eq!(end(&send(&mut way_out, &letter(&ann(), &bob(), step), at)), "250");
    }
    let arrivals = world.arrivals().into_iter().map(|arrival| arrival.inbound);
    let got: Vec<_> = arrivals.map(|inbound| (inbound.received_at - T0, inbound.kind)).collect();
    assert_eq!(got, want, "{fate:?}");
}

#[test]
fn people_answer_by_their_fate() {
    let after = HOUR;
    check(Fate::Silent, &[]);
    check(Fate::Replies { letter: 2, after }, &[(6 * DAY + HOUR, Kind::Reply)]);
    check(Fate::OptsOut { letter: 3, after }, &[(9 * DAY + HOUR, Kind::Unsubscribe)]);
    check(Fate::Complains { letter: 1, after }, &[(3 * DAY + HOUR, Kind::Complaint)]);
    let each = |kind| [3, 6, 9].map(|day| (day * DAY + HOUR, kind));
    check(Fate::Away { after, back: None }, &each(Kind::AutoReply));
    check(Fate::Bounces { after }, &each(Kind::HardBounce));
    check(Fate::SoftBounces { after }, &each(Kind::SoftBounce));
    check(Fate::Blocks { after, as_spam: true }, &each(Kind::SenderBlock));
    let late = |day| [(day * DAY + HOUR, Kind::Delayed), (day * DAY + 3 * HOUR, Kind::HardBounce)];
    check(Fate::Delayed { after, fails: 2 * HOUR }, &[3, 6, 9].map(late).concat());
}

/// What comes back of one letter to somebody of that fate.
fn arrival(fate: Fate) -> Inbound {
    let world = calm();
    world.set_fate(&bob(), fate);
    send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0);
    world.arrivals().remove(0).inbound
}

#[test]
fn whoever_is_away_may_say_until_when() {
    let told = arrival(Fate::Away { after: MINUTE, back: Some(3 * DAY) });
    assert_eq!(told.return_on, Some(jiff::civil::date(2026, 11, 5)));
    assert_eq!(told.effects.enrolment, Course::Hold);
    let silent = arrival(Fate::Away { after: MINUTE, back: None });
    assert_eq!((silent.return_on, silent.effects.enrolment), (None, Course::Go));
}

#[test]
fn a_server_that_refuses_the_sender_later_says_why() {
    let blow = |as_spam| arrival(Fate::Blocks { after: HOUR, as_spam }).blow;
    assert_eq!(blow(true), Some(Blow::Spam));
    assert_eq!(blow(false), Some(Blow::SenderRejected));
}

#[test]
fn an_arrival_is_told_once_by_each_inbox_and_not_before_it_arrives() {
    let world = calm();
    world.set_fate(&bob(), Fate::Replies { letter: 1, after: HOUR });
    send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0);
    let mut inbox = world.inbox(&ann());
    assert_eq!(world.next_arrival(T0), Some(T0 + HOUR));
    assert_eq!(read(&mut inbox, T0 + HOUR - 1), Ok(vec![]));
    let told = read(&mut inbox, T0 + HOUR).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].names, ["<1.ann.bob@example.com>"]);
    assert_eq!(read(&mut inbox, T0 + HOUR), Ok(vec![]));
    assert_eq!(read(&mut inbox, T0 + DAY), Ok(vec![]));
    // A new inbox cannot know what the old one's reader wrote down.
    assert_eq!(read(&mut world.inbox(&ann()), T0 + DAY), Ok(told));
    assert_eq!(read(&mut world.inbox(&address("cid@example.com")), T0 + DAY), Ok(vec![]));
}

#[test]
fn a_reading_that_was_dropped_told_nothing() {
    let world = calm();
    world.set_fate(&bob(), Fate::Replies { letter: 1, after: HOUR });
    send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0);
    let mut inbox = world.inbox(&ann());
    assert_eq!(run_for(1, inbox.read(&Bookmarks::default(), T0 + HOUR)), None);
    assert_eq!(read(&mut inbox, T0 + HOUR).unwrap().len(), 1);
}

#[test]
fn in_bad_weather_arrivals_are_repeated_under_the_same_key() {
    let world = World::new(1, Weather { inbox_repeats: WHOLE, ..Weather::calm() }, Temper::none());
    world.set_fate(&bob(), Fate::Away { after: 0, back: None });
    send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0);
    let mut inbox = world.inbox(&ann());
    let first = read(&mut inbox, T0).unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(read(&mut inbox, T0 + DAY), Ok(first));
}

#[test]
fn a_test_can_make_a_person_answer_when_it_likes() {
    let world = calm();
    send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0);
    assert!(world.react("<1.ann.bob@example.com>", Kind::Complaint, T0 + 5));
    assert!(!world.react("<nobody@example.com>", Kind::Complaint, T0 + 5));
    let told = read(&mut world.inbox(&ann()), T0 + 5).unwrap();
    assert_eq!((told.len(), &told[0].kind), (1, &Kind::Complaint));
    assert_eq!(world.tally().of(Event::Complained), 1);
}

/// A reply arrives an hour after the first letter; the inbox is unreachable at these moments, and
/// the second letter leaves `at`.
#[track_caller]
fn check_no(unreachable_at: &[Millis], at: Millis, want: &[Violation]) {
    let world = calm();
    world.set_person_gap(0);
    world.set_fate(&bob(), Fate::Replies { letter: 1, after: HOUR });
    let mut way_out = world.way_out(&ann());
    send(&mut way_out, &letter(&ann(), &bob(), 1), T0);
    world.set_weather(Weather { inbox_unreachable: WHOLE, ..Weather::calm() });
    for &moment in unreachable_at {
        assert!(read(&mut world.inbox(&ann()), moment).is_err());
    }
    world.set_weather(Weather::calm());
    send(&mut way_out, &letter(&ann(), &bob(), 2), at);
    assert_eq!(world.tally().violations, want);
}

#[test]
fn a_letter_after_a_no_is_noted_once_the_no_could_have_been_read_for_a_quarter_of_an_hour() {
    let reply = T0 + HOUR;
    let noted = |since, at| [Violation::AfterNo { to: bob(), no: "reply", since, at }];
    check_no(&[], reply - 1, &[]);
    check_no(&[], reply + 15 * MINUTE, &[]);
    let late = reply + 15 * MINUTE + 1;
    check_no(&[], late, &noted(reply, late));
    check_no(&[reply - MINUTE], late, &noted(reply, late));
    check_no(&[reply + 10 * MINUTE], late, &[]);
    let day = reply + DAY;
    check_no(&[reply + 10 * MINUTE], day, &noted(reply + 10 * MINUTE, day));
}

#[test]
fn a_dead_address_may_be_asked_again_by_the_same_letter_only() {
    let world = calm();
    world.set_fate(&bob(), Fate::Unknown);
    let mut way_out = world.way_out(&ann());
    send(&mut way_out, &letter(&ann(), &bob(), 1), T0);
    send(&mut way_out, &letter(&ann(), &bob(), 1), T0 + 1);
    assert_eq!(world.tally().violations, []);
    send(&mut way_out, &letter(&ann(), &bob(), 2), T0 + 2);
    let noted = Violation::AfterNo { to: bob(), no: "hard_bounce", since: T0, at: T0 + 2 };
    assert_eq!(world.tally().violations, [noted]);
}

#[test]
fn a_dead_address_that_nobody_heard_of_may_be_asked_again_by_any_letter() {
    let world = calm();
    world.set_fate(&bob(), Fate::Unknown);
    let mut way_out = world.way_out(&ann());
    send(&mut way_out, &letter(&ann(), &bob(), 1), T0);
    world.unsay_refusal(&bob());
    send(&mut way_out, &letter(&ann(), &bob(), 2), T0 + 1);
    assert_eq!(world.tally().violations, []);
    send(&mut way_out, &letter(&ann(), &bob(), 3), T0 + 2);
    let noted = Violation::AfterNo { to: bob(), no: "hard_bounce", since: T0 + 1, at: T0 + 2 };
    assert_eq!(world.tally().violations, [noted]);
}

#[test]
fn the_same_message_twice_is_noted() {
    let world = calm();
    let mut way_out = world.way_out(&ann());
    let gap = 2 * DAY;
    send(&mut way_out, &letter(&ann(), &bob(), 1), T0);
    send(&mut way_out, &letter(&ann(), &bob(), 1), T0 + gap);
    let message_id = "<1.ann.bob@example.com>".to_owned();
    let subject = world.held()[0].subject.clone();
    assert_eq!(
        world.tally().violations,
        [
            Violation::SameMessage { message_id, to: bob(), at: T0 + gap },
            Violation::SameStep { to: bob(), subject, at: T0 + gap },
        ]
    );
}

#[test]
fn the_same_step_from_another_mailbox_is_noted() {
    let world = calm();
    let cid = address("cid@example.com");
    send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0);
    send(&mut world.way_out(&cid), &letter(&cid, &bob(), 1), T0 + 2 * DAY);
    let subject = world.held()[0].subject.clone();
    let noted = Violation::SameStep { to: bob(), subject, at: T0 + 2 * DAY };
    assert_eq!(world.tally().violations, [noted]);
}

#[test]
fn two_letters_too_close_together_are_noted() {
    let world = calm();
    let mut way_out = world.way_out(&ann());
    let at = T0 + 2 * DAY - 1;
    send(&mut way_out, &letter(&ann(), &bob(), 1), T0);
    send(&mut way_out, &letter(&ann(), &bob(), 2), at);
    send(&mut way_out, &letter(&ann(), &bob(), 3), at + 2 * DAY);
    let noted = Violation::TooSoon { to: bob(), before: T0, at };
    assert_eq!(world.tally().violations, [noted]);
}

#[test]
fn a_letter_whose_headers_name_others_is_noted() {
    let world = calm();
    let cid = address("cid@example.com");
    let mut forged = letter(&cid, &bob(), 1);
    forged.from = ann();
    send(&mut world.way_out(&ann()), &forged, T0);
    let noted = Violation::Misaddressed { mailbox: ann(), to: bob(), at: T0 };
    assert_eq!(world.tally().violations, [noted]);
}
