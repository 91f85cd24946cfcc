//! Providers' limits, and whether passing them is seen.

use warmfront_core::inbound::Kind;

use super::*;
use crate::{Provider, Temper, Violation, Weather};

fn world(provider: Provider) -> World {
    let world = World::new(1, Weather::calm(), Temper::none());
    world.provider("example.com", provider);
    world
}

/// Sends to ever new people at these moments.
#[track_caller]
fn check(provider: Provider, moments: &[Millis], want: &[&str], violations: &[Violation]) {
    let world = world(provider);
    let mut way_out = world.way_out(&ann());
    let people = (0..).map(|person| address(&format!("p{person}@acme.example")));
    let ends: Vec<String> = moments
        .iter()
        .zip(people)
        .map(|(&at, to)| end(&send(&mut way_out, &letter(&ann(), &to, 1), T0 + at)))
        .collect();
    assert_eq!(ends, want);
    assert_eq!(world.tally().violations, violations);
}

#[test]
fn more_in_a_minute_than_the_provider_allows_is_refused_and_noted() {
    let provider = Provider { per_minute: Some(2), ..Provider::default() };
    let noted = Violation::PerMinute { mailbox: ann(), at: T0 + MINUTE - 1 };
    check(provider, &[0, 1, MINUTE - 1, MINUTE], &["250", "250", "432", "250"], &[noted]);
}

#[test]
fn more_in_a_day_than_the_provider_allows_is_refused_and_noted() {
    let provider = Provider { per_day: Some(2), ..Provider::default() };
    let noted = Violation::PerDay { mailbox: ann(), at: T0 + DAY - 1 };
    check(provider, &[0, DAY - MINUTE, DAY - 1, DAY], &["250", "250", "550", "250"], &[noted]);
}

#[test]
fn within_its_limits_nothing_is_noted() {
    let provider = Provider {
        per_minute: Some(1),
        per_day: Some(3),
        connections: Some(1),
        ..Provider::default()
    };
    check(provider, &[0, MINUTE, 2 * MINUTE], &["250", "250", "250"], &[]);
}

#[test]
fn a_connection_too_many_is_refused_and_noted_until_another_ends() {
    let world = world(Provider { connections: Some(1), ..Provider::default() });
    let (mut first, mut second) = (world.way_out(&ann()), world.way_out(&ann()));
    let noted = [Violation::Connections { mailbox: ann(), at: T0 }];
    assert_eq!(run(first.ready(T0)), Ok(()));
    assert!(matches!(run(second.ready(T0)), Err(Trouble::Refused(answer)) if answer.code == 421));
    assert_eq!(world.tally().violations, noted);
    run(first.close());
    assert_eq!(run(second.ready(T0)), Ok(()));
    drop(second);
    assert_eq!(run(first.ready(T0)), Ok(()));
    assert_eq!(world.tally().violations, noted);
}

#[test]
fn a_mailbox_has_the_provider_of_its_address_before_that_of_its_domain() {
    let world = world(Provider { per_day: Some(0), ..Provider::default() });
    world.provider("Ann@Example.com", Provider::default());
    assert_eq!(end(&send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0)), "250");
    let cid = address("cid@example.com");
    assert_eq!(end(&send(&mut world.way_out(&cid), &letter(&cid, &bob(), 1), T0)), "550");
}

#[test]
fn a_provider_that_rewrites_ids_tells_the_final_one() {
    let world = world(Provider { rewrites_ids: true, ..Provider::default() });
    let Outcome::Answered(answer) =
        send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0)
    else {
        panic!("the server answers");
    };
    let held = world.held().remove(0);
    assert_eq!(held.message_id, "<1.ann.bob@example.com>");
    assert_ne!(held.final_id, held.message_id);
    assert_eq!(
        answer.text,
        format!("2.0.0 OK {} [Hostname=WORLD.PROD.OUTLOOK.COM]", held.final_id)
    );
    for id in [&held.message_id, &held.final_id] {
        assert!(world.react(id, Kind::Reply, T0), "{id}");
    }
    let told = read(&mut world.inbox(&ann()), T0).unwrap();
    let about: Vec<_> = told.iter().map(|inbound| inbound.names.as_slice()).collect();
    assert_eq!(about, [std::slice::from_ref(&held.final_id); 2]);
    assert_ne!(told[0].key, told[1].key);
}
