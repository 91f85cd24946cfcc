//! Scenarios by seed, each watched by the oracle at every tick and proven at its end.

use std::collections::BTreeMap;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use warmfront_core::span::{DAY, HOUR, Millis};
use warmfront_tests::simulation::{
    Oracle, Play, Sizes, draw, ledger_text, prove, prove_explained, prove_rows,
};

use crate::{block_on, number, on_every_core};

/// What a play came to.
struct Told {
    ledger: String,
    /// Messages by state, arrivals by kind, what came at the wrong moment, and the reasons of messages.
    counts: BTreeMap<String, u64>,
}

async fn play(seed: u64, sizes: Sizes) -> Told {
    prove_to_its_end(Play::begin(draw(seed, sizes)).await).await
}

async fn prove_to_its_end(mut play: Play) -> Told {
    let scenario = Arc::clone(&play.scenario);
    let (world, log) = (play.world.clone(), play.log.clone());
    let mut oracle = Oracle::new(scenario, world, log, play.start);
    let end = play.end;
    let (mut ticks, mut audited_on, mut explained_on) = (0_u64, None, None);
    // At another hour in each play.
    let hour = Millis::try_from(play.scenario.seed % 24).expect("an hour") * HOUR;
    let mut reasons = BTreeMap::new();
    let is_long = play.scenario.days > Sizes::SMALL.days.1;
    let every = match play.scenario.seed < AUDITED_AT_EVERY_TICK && !is_long {
        true => 1,
        false => AUDITED_EVERY,
    };
    let watch = async |play: &Play| {
        oracle.look();
        ticks += 1;
        let day = (play.now - play.start) / DAY;
        if ticks.is_multiple_of(every) || audited_on.replace(day) != Some(day) {
            prove_rows(play).await;
        }
        let day = (play.now - play.start - hour) / DAY;
        if explained_on.replace(day) != Some(day) {
            if is_long && day % 30 == 0 {
                say(&format!("day {day}, {ticks} ticks"));
            }
            prove_explained(play, &mut reasons).await;
        }
    };
    play.run(end, watch).await.expect("no tick fails");
    prove(&play).await;
    let (states, _) = play.store.message_counts("").await.expect("books");
    let mut counts: BTreeMap<String, u64> = states.into_iter().chain(reasons).collect();
    counts.extend(play.untimely().await.map(|(what, count)| (what.to_owned(), count)));
    for told in &play.log.open().told {
        *counts.entry(told.kind.as_str().to_owned()).or_default() += 1;
    }
    Told { ledger: ledger_text(&play.store).await, counts }
}

/// Plays seeds until one fails, and then says how to play that one again. Counts what happened.
fn play_all(seeds: &[u64], sizes: Sizes, again: [&str; 2]) -> BTreeMap<String, u64> {
    let all = Mutex::new(BTreeMap::new());
    on_every_core(seeds, |&&seed| {
        let played = catch_unwind(|| block_on(play(seed, sizes)));
        let told = played.unwrap_or_else(|panic| {
            report(seed, again);
            resume_unwind(panic)
        });
        let mut all = all.lock().expect("no panic meanwhile");
        told.counts.into_iter().for_each(|(what, count)| *all.entry(what).or_default() += count);
        true
    });
    all.into_inner().expect("no panic meanwhile")
}

fn report(seed: u64, [setting, test]: [&str; 2]) {
    say(&format!(
        "seed {seed} failed; play it again with\n    \
         {setting}WARMFRONT_SEED={seed} cargo test -p warmfront-tests --test simulation {test}"
    ));
}

#[expect(clippy::print_stderr, reason = "whoever runs the test is told")]
fn say(what: &str) {
    eprintln!("{what}");
}

#[test]
fn seeds_keep_every_promise() {
    let seeds: Vec<u64> = match number("WARMFRONT_SEED") {
        Some(seed) => vec![seed],
        None => REGRESSIONS.into_iter().chain(0..number("WARMFRONT_SEEDS").unwrap_or(60)).collect(),
    };
    let counts = play_all(&seeds, Sizes::SMALL, ["", "seeds_keep"]);
    if seeds.len() >= 60 {
        // A simulation in which nothing happens keeps every promise, too.
        for what in STATES.into_iter().chain(ARRIVALS).chain(UNTIMELY).chain(REASONS) {
            let count = counts.get(what).copied().unwrap_or(0);
            assert!(count > seeds.len() as u64 / 100, "{what}: {count} in {counts:?}");
        }
        assert!(counts["accepted"] > 20 * seeds.len() as u64, "{counts:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    on_every_core(0..4, |&seed| {
        let [once, again] = [0, 1].map(|_| block_on(play(seed, Sizes::SMALL)).ledger);
        assert_same(&once, &again, seed);
        true
    });
}

/// Names the first line that differs, not two books.
#[track_caller]
fn assert_same(once: &str, again: &str, seed: u64) {
    let lines = once.lines().zip(again.lines());
    for (place, (once, again)) in lines.enumerate() {
        assert_eq!(once, again, "seed {seed}, line {}", place + 1);
    }
    assert_eq!(once.len(), again.len(), "seed {seed}: one story goes on");
}

#[test]
fn either_database_tells_the_same_story() {
    on_every_core(0..number("WARMFRONT_SEEDS_ON_POSTGRES").unwrap_or(2), |&seed| {
        let scenario = || draw(seed, Sizes::SMALL);
        let in_turn = async |mut play: Play| {
            play.in_turn = true;
            prove_to_its_end(play).await
        };
        let in_sqlite = block_on(async { in_turn(Play::begin(scenario()).await).await });
        let in_postgres =
            block_on(async { in_turn(Play::begin_on_postgres(scenario()).await).await });
        assert_same(&in_sqlite.ledger, &in_postgres.ledger, seed);
        true
    });
}

/// Minutes long, so only on request.
#[test]
fn a_year_of_a_whole_fleet() {
    let Some(years) = number("WARMFRONT_YEAR") else {
        say("skipped: set WARMFRONT_YEAR=1 to play a whole year (minutes; more for more seeds)");
        return;
    };
    let seeds: Vec<u64> = match number("WARMFRONT_SEED") {
        Some(seed) => vec![seed],
        None => (1..=years).collect(),
    };
    let counts = play_all(&seeds, Sizes::YEAR, ["WARMFRONT_YEAR=1 ", "a_year"]);
    // In stormy weather few mailboxes last: nobody resumes what waits for an operator.
    assert!(counts["accepted"] > 1_000 * seeds.len() as u64, "{counts:?}");
}

const STATES: [&str; 6] = ["accepted", "rejected", "bounced", "in_doubt", "cancelled", "planned"];
const ARRIVALS: [&str; 8] = [
    "reply",
    "auto_reply",
    "unsubscribe",
    "complaint",
    "hard_bounce",
    "soft_bounce",
    "delayed",
    "sender_block",
];
const UNTIMELY: [&str; 3] = ["answered in time", "answered too late", "answered on its way"];

/// Of messages, those that are asked for often enough.
const REASONS: [&str; 12] = [
    "why: accepted",
    "why: bounced",
    "why: address_dead",
    "why: sender_refused",
    "why: gave_up",
    "why: enrolment_over",
    "why: in_doubt",
    "why: not_due",
    "why: next_plan",
    "why: inbox_not_read",
    "why: campaign_not_running",
    "why: mailbox_paused",
];

/// After how many ticks the books are audited, besides after the first of each day: after every one it
/// would take as long as all the rest.
const AUDITED_EVERY: u64 = 20;

/// Seeds that once failed. 2: somebody who had replied to one campaign was written to by another. 9:
/// somebody away was reminded on the day before, by their own clock.
const REGRESSIONS: [u64; 2] = [2, 9];

/// The small seeds of which every tick is.
const AUDITED_AT_EVERY_TICK: u64 = 6;
