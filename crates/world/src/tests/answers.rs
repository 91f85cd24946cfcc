//! Each trouble of the weather comes as it says, and each refusal means what it is meant to.

use super::*;
use crate::{Event, Fate, Refusal, Temper, WHOLE, Weather};
use warmfront_core::answer::{Action, Scope, classify};

/// What a refusal is meant to ask of the engine.
fn meant(refusal: Refusal) -> (Scope, Action) {
    match refusal {
        Refusal::AuthDeferred | Refusal::MailDeferred | Refusal::DeferredAfterDot => {
            (Scope::TransientServer, Action::RetryLater)
        }
        Refusal::Busy | Refusal::Closing => (Scope::TransientServer, Action::Reconnect),
        Refusal::Connections => (Scope::Ip, Action::RetryLater),
        Refusal::PerMinute => (Scope::Mailbox, Action::SlowMailbox),
        Refusal::PerDay => (Scope::Mailbox, Action::PauseMailbox),
        Refusal::Full | Refusal::Greylisted => (Scope::Recipient, Action::RetryLater),
        Refusal::Unknown => (Scope::Recipient, Action::SuppressRecipient),
        Refusal::Malformed | Refusal::SenderRefused | Refusal::BlockedAsSpam => {
            (Scope::Message, Action::DropMessage)
        }
        Refusal::AuthRefused => (Scope::Mailbox, Action::FixCredentials),
    }
}

#[test]
fn every_refusal_is_classified_as_it_is_meant() {
    for refusal in Refusal::ALL {
        let verdict = classify(&refusal.answer(), None);
        assert_eq!((verdict.scope, verdict.action), meant(refusal), "{refusal:?}");
    }
}

#[track_caller]
fn check(change: impl Fn(&mut Weather), want: &str, event: Event, held: usize) {
    let mut weather = Weather::calm();
    change(&mut weather);
    let world = World::new(1, weather, Temper::none());
    let outcome = send(&mut world.way_out(&ann()), &letter(&ann(), &bob(), 1), T0);
    assert_eq!(end(&outcome), want);
    assert_eq!(world.tally().of(event), 1, "{:?}", world.tally());
    assert_eq!(world.held().len(), held);
}

#[test]
fn every_trouble_comes_where_it_belongs() {
    const ALL: u32 = WHOLE;
    check(|_| {}, "250", Event::Accepted, 1);
    let lost = "not sent: the connection was lost at connect: connection refused";
    check(|w| w.unreachable = ALL, lost, Event::Unreachable, 0);
    let busy = "not sent: 421 4.3.2 Service not available, try again later (at connect)";
    check(|w| w.busy = ALL, busy, Event::Refused(Refusal::Busy), 0);
    let wrong = "not sent: 535 5.7.8 Username and Password not accepted (at auth)";
    check(|w| w.auth_refused = ALL, wrong, Event::Refused(Refusal::AuthRefused), 0);
    let later = "not sent: 454 4.7.0 Temporary authentication failure (at auth)";
    check(|w| w.auth_deferred = ALL, later, Event::Refused(Refusal::AuthDeferred), 0);
    check(|w| w.closing = ALL, "421", Event::Refused(Refusal::Closing), 0);
    check(|w| w.mail_deferred = ALL, "451", Event::Refused(Refusal::MailDeferred), 0);
    check(|w| w.greylisted = ALL, "451", Event::Refused(Refusal::Greylisted), 0);
    check(|w| w.sender_refused = ALL, "554", Event::Refused(Refusal::SenderRefused), 0);
    check(|w| w.blocked_as_spam = ALL, "550", Event::Refused(Refusal::BlockedAsSpam), 0);
    check(|w| w.deferred_after_dot = ALL, "451", Event::Refused(Refusal::DeferredAfterDot), 0);
    let doubt = "in doubt: connection reset by peer";
    check(|w| w.lost_after_dot_kept = ALL, doubt, Event::LostAfterDotKept, 1);
    check(|w| w.lost_after_dot_lost = ALL, doubt, Event::LostAfterDotLost, 0);
}

#[test]
fn a_connection_lost_before_the_dot_is_lost_anywhere_and_the_letter_never_sent() {
    let weather = Weather { lost_before_dot: WHOLE, ..Weather::calm() };
    let mut stages = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let world = World::new(seed, weather, Temper::none());
        let mut watch = Watch::default();
        let letter = letter(&ann(), &bob(), 1);
        let outcome = run(world.way_out(&ann()).submit(&letter, T0, &mut watch));
        assert!(matches!(outcome, Outcome::NotSent(Trouble::Lost { .. })), "seed {seed}");
        assert_eq!(world.held(), [], "seed {seed}");
        stages.insert(watch.stages.last().copied());
    }
    let all = [None, Some(Stage::Mail), Some(Stage::Rcpt), Some(Stage::BodyWritten)];
    assert_eq!(Vec::from_iter(stages), all);
}

#[test]
fn a_stranger_is_put_off_for_five_minutes_and_then_known() {
    let weather = Weather { greylisted: WHOLE, ..Weather::calm() };
    let world = World::new(1, weather, Temper::none());
    let mut way_out = world.way_out(&ann());
    let letter = letter(&ann(), &bob(), 1);
    let ends = [0, 4, 5].map(|minutes| end(&send(&mut way_out, &letter, T0 + minutes * MINUTE)));
    assert_eq!(ends, ["451", "451", "250"]);
}

#[test]
fn the_unknown_and_the_full_are_refused_each_time() {
    let world = World::new(1, Weather::calm(), Temper::none());
    let mut way_out = world.way_out(&ann());
    for (fate, want) in [(Fate::Unknown, "550"), (Fate::Full, "452")] {
        world.set_fate(&bob(), fate);
        for _ in 0..2 {
            assert_eq!(end(&send(&mut way_out, &letter(&ann(), &bob(), 1), T0)), want);
        }
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let world = World::new(1, Weather::calm(), Temper::none());
    let mut letter = letter(&ann(), &bob(), 1);
    letter.bytes = b"hello\r\n".to_vec();
    let Outcome::Answered(answer) = send(&mut world.way_out(&ann()), &letter, T0) else {
        panic!("the server answers");
    };
    assert_eq!(answer, Refusal::Malformed.answer());
}

#[test]
fn a_421_ends_the_connection_and_another_refusal_does_not() {
    let world = World::new(1, Weather::calm(), Temper::none());
    let mut way_out = world.way_out(&ann());
    for (weather, connections) in [
        (Weather { mail_deferred: WHOLE, ..Weather::calm() }, 1),
        (Weather { closing: WHOLE, ..Weather::calm() }, 1),
        (Weather::calm(), 2),
    ] {
        world.set_weather(weather);
        let _ = send(&mut way_out, &letter(&ann(), &bob(), 1), T0);
        assert_eq!(world.tally().of(Event::Connected), connections);
    }
}

#[test]
fn a_connection_is_used_again_until_it_has_been_idle_for_a_minute() {
    let world = World::new(1, Weather::calm(), Temper::none());
    let mut way_out = world.way_out(&ann());
    for (step, at, connections) in
        [(1, T0, 1), (2, T0 + MINUTE - 1, 1), (3, T0 + 2 * MINUTE - 1, 2)]
    {
        send(&mut way_out, &letter(&ann(), &bob(), step), at);
        assert_eq!(world.tally().of(Event::Connected), connections);
    }
}
