//! Whatever left or did not is explained, at any moment of a play: a planned message by what holds it,
//! a settled one by what became of it, and the record of what went through the seams agrees.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand::rngs::ChaCha12Rng;
use warmfront_core::inbound::Kind;
use warmfront_core::reason::{self, Past, Settled};
use warmfront_core::{calendar, rng};
use warmfront_store::{LedgerLine, MessageTrail};

use super::books::ledger;
use super::play::Play;
use super::record::{Dot, End};
use super::scenario::zone;

/// Asks why of a few messages in each state, drawn by seed and moment, and counts the reasons.
pub async fn prove_explained(play: &Play, reasons: &mut BTreeMap<String, u64>) {
    let mut by_state: BTreeMap<String, Vec<LedgerLine>> = BTreeMap::new();
    for line in ledger(&play.store).await {
        by_state.entry(line.state.clone()).or_default().push(line);
    }
    let mut luck = rng::stream(play.scenario.seed, &[EXPLAINED, play.now.unsigned_abs()]);
    for lines in by_state.values() {
        for _ in 0..ASKED {
            let word = explain(play, one_of(lines, &mut luck)).await;
            *reasons.entry(format!("why: {word}")).or_default() += 1;
        }
    }
}

fn one_of<'a>(lines: &'a [LedgerLine], luck: &mut ChaCha12Rng) -> &'a LedgerLine {
    &lines[luck.random_range(0..lines.len())]
}

/// The word of the reason that binds.
async fn explain(play: &Play, line: &LedgerLine) -> &'static str {
    let message = trail(play, line).await;
    match reason::settled(&message.past) {
        Some(settled) => {
            assert!(
                !["planned", "sending"].contains(&line.state.as_str()),
                "{settled:?}: {line:?}"
            );
            prove_settled(play, line, &message.past, &settled);
            settled.as_str()
        }
        None => {
            assert!(["planned", "sending"].contains(&line.state.as_str()), "no reason: {line:?}");
            let binding = reason::binding(&message.facts, play.now);
            let is_due = message.facts.message.planned_today && line.due_at <= play.now;
            assert!(binding.is_some() || is_due, "neither due nor held: {message:?}");
            binding.map_or("due", |hold| hold.as_str())
        }
    }
}

async fn trail(play: &Play, line: &LedgerLine) -> MessageTrail {
    let zone = zone(play.scenario.zone);
    let day = calendar::day_of(&zone, play.now);
    let today = calendar::day_span(&zone, day);
    let rcpt = line.rcpt.as_deref().expect("nobody is erased");
    let trails = play.store.trails(rcpt, &day.to_string(), today).await.expect("books");
    let mut enrolments = trails.enrolments.into_iter();
    let enrolment = enrolments.find(|trail| trail.campaign.slug == line.campaign);
    let mut messages = enrolment.expect("their enrolment").messages.into_iter();
    messages.find(|message| message.id == line.id).expect("their message")
}

/// The reason is what went through the seams.
fn prove_settled(play: &Play, line: &LedgerLine, past: &Past, settled: &Settled) {
    assert!(settled.since() <= play.now, "settled in the time to come: {settled:?}");
    let record = play.log.open();
    let id = line.message_id.as_deref().unwrap_or_default();
    let last = record.attempts.iter().rfind(|attempt| attempt.letter.message_id == id);
    let ended = last.and_then(|attempt| attempt.end);
    let told = |is: &dyn Fn(Kind) -> bool| {
        let about =
            |name: &String| play.world.letter(name).is_some_and(|held| held.message_id == id);
        record.told.iter().any(|told| is(told.kind) && told.about.as_ref().is_some_and(about))
    };
    let fits = match settled {
        Settled::Accepted { codes, .. } => {
            ended == Some(End::Answered(250)) && codes.starts_with("250")
        }
        Settled::Refused { said, .. } => {
            matches!(ended, Some(End::Answered(code @ 500..)) if said.starts_with(&code.to_string()))
        }
        Settled::GaveUp { attempts, .. } => {
            *attempts == past.attempts && ended != Some(End::Answered(250))
        }
        Settled::Bounced { .. } => told(&|kind| kind == Kind::HardBounce),
        Settled::Answered(_) | Settled::Reported(_) => told(&|_| true),
        Settled::Cancelled { .. } => ended != Some(End::Answered(250)),
        Settled::InDoubt { .. } => last.is_some_and(|attempt| attempt.dot != Dot::Unasked),
        // Nobody reads a Sent folder here, and no operator speaks.
        Settled::Copy(_) | Settled::Operator(_) => false,
    };
    assert!(fits, "{settled:?}, and the last attempt is {last:?}: {line:?}");
}

/// Messages asked about in each state.
const ASKED: u32 = 4;

/// Tells this stream of chance from those of other purposes.
const EXPLAINED: u64 = 0x7768_7900;
