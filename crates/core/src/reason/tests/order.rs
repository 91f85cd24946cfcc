//! Which of several reasons is put first: the order as a table, and moments found minute by minute.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::worlds::{NOW, SEEDS, blocks, facts, first_free};
use crate::reason::*;
use crate::rng;

/// How long something lasts, from what is over first to what never is.
const A_MOMENT: u8 = 0;
const UNTIL: u8 = 1;
const A_READING: u8 = 2;
const OPERATOR: u8 = 3;
const FOR_EVER: u8 = 4;

/// How long each reason lasts. What lasts until some moment goes by that; of two that last as long
/// the one that stands here first comes first.
const LASTS: [(&str, u8); 25] = [
    ("books_outdated", OPERATOR),
    ("suppressed", FOR_EVER),
    ("enrolment_over", FOR_EVER),
    ("enrolment_over", OPERATOR),
    ("mailbox_unproven", OPERATOR),
    ("gave_up", FOR_EVER),
    ("campaign_not_running", OPERATOR),
    ("mailbox_paused", OPERATOR),
    ("mailbox_paused", UNTIL),
    ("mailbox_needs_login", OPERATOR),
    ("mailbox_disabled", OPERATOR),
    ("domain_fails", OPERATOR),
    ("another_thread", UNTIL),
    ("inbox_not_read", A_READING),
    ("hours_over", UNTIL),
    ("mailbox_day_full", UNTIL),
    ("domain_day_full", UNTIL),
    ("tenant_day_full", UNTIL),
    ("company_day_full", UNTIL),
    ("next_plan", UNTIL),
    ("person_gap", UNTIL),
    ("not_due", UNTIL),
    ("mailbox_gap", UNTIL),
    ("in_flight", A_MOMENT),
    ("not_held_by_a_daemon", A_MOMENT),
];

/// Whether a row of the table is the one for this world: an enrolment may wait or be over, a pause
/// have an end or none.
fn is_so(facts: &Facts, (word, lasts): (&str, u8)) -> bool {
    let Facts { person, mailbox, .. } = facts;
    match word {
        "enrolment_over" => {
            let waits = !person.erased && ["held", "blocked"].contains(&person.state.as_str());
            waits == (lasts == OPERATOR)
        }
        "mailbox_paused" => mailbox.paused_until.is_none() == (lasts == OPERATOR),
        _ => true,
    }
}

/// The words of those of a world that hold at `now` and are among `of`, the one that lasts longest
/// first.
fn in_order(facts: &Facts, of: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let holds = |(word, lasts): &(&'static str, u8)| {
        of(word) && is_so(facts, (word, *lasts)) && blocks(word, facts, NOW)
    };
    let mut rows: Vec<(&str, u8)> = LASTS.into_iter().filter(holds).collect();
    let until = |word| first_free(|at| blocks(word, facts, at));
    rows.sort_by_key(|&(word, lasts)| Reverse((lasts, until(word).filter(|_| lasts == UNTIL))));
    rows.into_iter().map(|(word, _)| word).collect()
}

#[test]
fn no_seed_finds_a_reason_put_before_one_that_lasts_longer() {
    let (mut several, mut firsts) = (0, BTreeSet::new());
    for seed in 0..10 * SEEDS {
        let facts = facts(&mut rng::stream(seed, &[4]));
        if facts.message.state != "planned" {
            continue;
        }
        let holds = holds(&facts, NOW);
        let words: Vec<&str> = holds.iter().map(Hold::as_str).collect();
        assert_eq!(words, in_order(&facts, |_| true), "seed {seed}: {facts:?}");
        assert_eq!(binding(&facts, NOW), holds.first().cloned(), "seed {seed}");
        several += u32::from(words.len() > 1);
        firsts.extend(words.first().copied());
    }
    assert!(several > 1_000, "too few worlds with several reasons: {several}");
    assert!(firsts.len() == 23, "each comes first somewhere: {firsts:?}");
}

#[test]
fn nor_one_of_a_whole_mailbox() {
    const OF_A_MAILBOX: [&str; 8] = [
        "mailbox_paused",
        "mailbox_needs_login",
        "mailbox_disabled",
        "mailbox_day_full",
        "domain_day_full",
        "tenant_day_full",
        "mailbox_gap",
        "in_flight",
    ];
    for seed in 0..10 * SEEDS {
        let mut facts = facts(&mut rng::stream(seed, &[5]));
        facts.message.planned_today = true;
        let holds = mailbox_holds(Books::Current, &facts.mailbox, facts.day_ends_at, NOW);
        let words: Vec<&str> = holds.iter().map(Hold::as_str).collect();
        let of_a_mailbox = |word: &str| OF_A_MAILBOX.contains(&word);
        assert_eq!(words, in_order(&facts, of_a_mailbox), "seed {seed}: {facts:?}");
    }
}
