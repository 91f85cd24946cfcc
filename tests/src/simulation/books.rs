//! The end of a play: the books against what the world holds, row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::ToSpan as _;
use warmfront_store::{LedgerLine, Store};
use warmfront_world::Held;

use super::play::Play;
use super::record::{Attempt, Dot, End};
use super::scenario::Scenario;

/// Proves that the books and the world tell the same story, or panics with what does not fit.
pub async fn prove(play: &Play) {
    let lines = ledger(&play.store).await;
    let held = play.world.held();
    let record = std::mem::take(&mut play.log.open().attempts);
    prove_held(&lines, &held);
    prove_threads(&play.scenario, &lines, &held, &record);
    prove_attempts(&lines, &record);
    prove_rows(play).await;
    prove_plans(play).await;
}

/// The ledger as text, without what the operating system's chance put in.
pub async fn ledger_text(store: &Store) -> String {
    let mut text = String::new();
    for line in ledger(store).await {
        let LedgerLine { campaign, rcpt, step, mailbox, state, attempts, due_at, .. } = &line;
        let rcpt = rcpt.as_deref().unwrap_or("-");
        let _ = writeln!(
            text,
            "{campaign} {rcpt} {step} {mailbox} {state} {attempts} {due_at} {:?} {:?}",
            line.settled_at, line.why
        );
    }
    text
}

/// Every line of the ledger.
pub(super) async fn ledger(store: &Store) -> Vec<LedgerLine> {
    let mut lines: Vec<LedgerLine> = Vec::new();
    loop {
        let after = lines.last().map_or(0, |line| line.id);
        let page = store.ledger(None, after, 5_000).await.expect("books");
        if page.is_empty() {
            return lines;
        }
        lines.extend(page);
    }
}

/// The world holds what the books call accepted, nothing twice, and else only what is in doubt.
fn prove_held(lines: &[LedgerLine], held: &[Held]) {
    let by_id: BTreeMap<&str, &LedgerLine> =
        lines.iter().filter_map(|line| Some((line.message_id.as_deref()?, line))).collect();
    let mut there = BTreeSet::new();
    let mut steps = BTreeSet::new();
    for letter in held {
        assert!(there.insert(letter.message_id.as_str()), "held twice: {letter:?}");
        let line = by_id.get(letter.message_id.as_str());
        let line = line.unwrap_or_else(|| panic!("held, and not in the books: {letter:?}"));
        assert_eq!(line.rcpt.as_deref(), Some(letter.to.as_str()), "{line:?}");
        assert_eq!(line.mailbox, letter.from.as_str(), "{line:?}");
        let step = (&line.campaign, &letter.to, line.step);
        assert!(steps.insert(step), "a step held twice: {letter:?}");
        let may_be = ["accepted", "bounced", "in_doubt"].contains(&line.state.as_str());
        assert!(may_be, "held, and the books say otherwise: {line:?}");
    }
    for line in lines.iter().filter(|line| ["accepted", "bounced"].contains(&line.state.as_str())) {
        let id = line.message_id.as_deref().expect("an accepted message has an id");
        assert!(there.contains(id), "accepted, and nobody has it: {line:?}");
    }
}

/// A follow-up answers the letter before it, by the id that one arrived with where a server told it.
fn prove_threads(scenario: &Scenario, lines: &[LedgerLine], held: &[Held], attempts: &[Attempt]) {
    let answered = attempts.iter().filter(|attempt| attempt.end == Some(End::Answered(250)));
    let answered: BTreeSet<&str> = answered.map(|one| one.letter.message_id.as_str()).collect();
    let place = |line: &LedgerLine| (line.campaign.clone(), line.rcpt.clone(), line.step);
    let places: BTreeMap<&str, _> =
        lines.iter().filter_map(|line| Some((line.message_id.as_deref()?, place(line)))).collect();
    let letters: BTreeMap<_, &Held> =
        held.iter().map(|letter| (&places[letter.message_id.as_str()], letter)).collect();
    for ((campaign, rcpt, step), letter) in &letters {
        let script = scenario.campaign(campaign).expect("a campaign of ours");
        let mut thread = Vec::new();
        if !script.steps[*step as usize - 1].own_subject {
            for earlier in 1..*step {
                let before = letters.get(&(campaign.clone(), rcpt.clone(), earlier));
                let before = before.unwrap_or_else(|| panic!("answers nothing: {letter:?}"));
                assert_eq!(before.from, letter.from, "another mailbox: {letter:?}");
                thread.push(before.message_id.clone());
                if answered.contains(before.message_id.as_str()) {
                    thread.push(before.final_id.clone());
                    thread.dedup();
                }
            }
        }
        assert_eq!(letter.in_reply_to.as_ref(), thread.last(), "{letter:?}");
        assert_eq!(letter.references, thread, "{letter:?}");
    }
}

/// Every attempt is of a message in the books, and is counted there if a server may have seen it.
/// A doubt is a message whose dot was marked.
fn prove_attempts(lines: &[LedgerLine], attempts: &[Attempt]) {
    // At least and at most.
    let mut counted: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let (mut dots, mut withheld) = (BTreeSet::new(), BTreeSet::new());
    for attempt in attempts {
        let id = attempt.letter.message_id.as_str();
        let (least, most) = counted.entry(id).or_default();
        *least += u32::from(attempt.counts());
        *most += u32::from(attempt.counts() || attempt.may_count());
        if attempt.dot != Dot::Unasked {
            dots.insert(id);
        }
        if attempt.is_withheld() {
            withheld.insert(id);
        }
    }
    for line in lines {
        let id = line.message_id.as_deref().unwrap_or_default();
        let doubtful = line.state == "in_doubt";
        let (least, most) = counted.remove(id).unwrap_or_default();
        let most = most + u32::from(doubtful && withheld.contains(id));
        assert!((least..=most).contains(&line.attempts), "{least} to {most} attempts: {line:?}");
        assert!(line.state != "sending", "left in flight: {line:?}");
        assert!(!doubtful || dots.contains(id), "in doubt without a dot: {line:?}");
    }
    assert!(counted.is_empty(), "tried, and not in the books: {counted:?}");
}

/// Every row of every list is in one named state.
pub async fn prove_rows(play: &Play) {
    let audit = play.store.audit().await.expect("books");
    assert!(audit.imbalances.is_empty(), "{:?}", audit.imbalances);
    for (slug, rows, accepted, rejected, duplicates, enrolments) in audit.campaigns {
        let script = play.scenario.campaign(&slug).expect("a campaign of ours");
        let people = script.people.len() as u64;
        assert_eq!((accepted, enrolments), (people, people), "{slug}");
        assert_eq!(rejected, script.bad_rows.len() as u64, "{slug}");
        assert_eq!(duplicates, script.twice as u64, "{slug}");
        assert_eq!(rows, accepted + rejected + duplicates, "{slug}");
        let row = play.store.campaign(&slug).await.expect("books").expect("a campaign");
        let status = play.store.campaign_status(row).await.expect("books");
        assert_eq!(status.enrolments.values().sum::<u64>(), people, "{slug}: {status:?}");
    }
}

/// No plan wants more than its campaign does.
async fn prove_plans(play: &Play) {
    let mut targets = BTreeMap::new();
    for campaign in &play.scenario.campaigns {
        let row = play.store.campaign(&campaign.slug).await.expect("books").expect("a campaign");
        targets.insert(row.id, campaign.daily_target);
    }
    for number in 0..play.scenario.days {
        let day = play.scenario.first_day + i64::from(number).days();
        let plan = play.store.saved_plan(&day.to_string()).await.expect("books");
        // What a later revision plans may be what an earlier one had to give back.
        for (campaign, planned) in
            plan.into_iter().filter(|p| p.revisions == 1).flat_map(|p| p.campaigns)
        {
            assert!(planned <= targets[&campaign], "{day}: {planned} planned");
        }
    }
}
