//! What comes at the wrong moment: answers shortly before a follow-up is due, and an engine's end before
//! the books know what a server said.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::rng;
use warmfront_core::span::{DAY, MINUTE, Millis, SECOND};
use warmfront_store::LedgerLine;

use super::books::ledger;
use super::play::Play;

/// What a play remembers of what it did at the wrong moment.
#[derive(Debug, Default)]
pub(super) struct Untimely {
    looked_on: Option<Millis>,
    /// Follow-ups that were thought of, by row.
    seen: BTreeSet<i64>,
    /// Follow-ups that were answered shortly before they were due.
    answered: BTreeSet<i64>,
    /// Letters that something came of while the books had them on their way.
    early: u64,
}

impl Play {
    /// Has people answer shortly before a follow-up is due that a plan has for the day that begins.
    pub(super) async fn answer_in_haste(&mut self) {
        let today = (self.now - self.start) / DAY;
        if self.scenario.in_haste == 0 || self.untimely.looked_on.replace(today) == Some(today) {
            return;
        }
        let lines = ledger(&self.store).await;
        let accepted = lines.iter().filter(|line| line.state == "accepted");
        let accepted: BTreeMap<_, _> = accepted.map(|line| (place(line), line)).collect();
        for line in lines.iter().filter(|line| line.state == "planned" && line.step > 1) {
            let is_today = self.now < line.due_at && line.due_at < self.now + DAY;
            if !is_today || !self.untimely.seen.insert(line.id) {
                continue;
            }
            let about = [IN_HASTE, line.due_at.unsigned_abs()];
            let mut luck = rng::stream(self.scenario.seed, &about);
            let before = BEFORE[luck.random_range(0..BEFORE.len())];
            let (campaign, rcpt, step) = place(line);
            if luck.random_range(0..100) < self.scenario.in_haste
                && let Some(earlier) = accepted.get(&(campaign, rcpt, step - 1))
                && let Some(id) = &earlier.message_id
                && self.world.react(id, Kind::Reply, line.due_at - before)
            {
                self.untimely.answered.insert(line.id);
            }
        }
    }

    /// What an engine heard that broke before it was written down, nobody heard. It takes until
    /// `until` before another goes on.
    pub(super) async fn forget_the_unsettled(&mut self, until: Millis) {
        let lines = ledger(&self.store).await;
        for line in lines.iter().filter(|line| line.state == "sending") {
            let id = line.message_id.as_deref().unwrap_or_default();
            let attempts = &mut self.log.open().attempts;
            let last = attempts.iter_mut().rfind(|attempt| attempt.letter.message_id == id);
            if let Some(attempt) = last {
                attempt.end = None;
                self.world.unsay_refusal(&attempt.to);
            }
            let Some(letter) = self.world.letter(id) else { continue };
            let comes = |inbound: &Inbound| {
                inbound.names.contains(&letter.final_id) && inbound.received_at <= until
            };
            let comes = self.world.arrivals().iter().any(|arrival| comes(&arrival.inbound));
            self.untimely.early += u64::from(comes);
        }
    }

    /// How often which untimely thing happened: follow-ups that were answered shortly before and
    /// stayed unsent, those that left all the same, and letters that something came of while they were
    /// on their way.
    pub async fn untimely(&self) -> [(&'static str, u64); 3] {
        let lines = ledger(&self.store).await;
        let answered = lines.iter().filter(|line| self.untimely.answered.contains(&line.id));
        let left = |state: &str| ["accepted", "bounced", "in_doubt"].contains(&state);
        let (left, stayed): (Vec<_>, Vec<_>) = answered.partition(|line| left(&line.state));
        [
            ("answered in time", stayed.len() as u64),
            ("answered too late", left.len() as u64),
            ("answered on its way", self.untimely.early),
        ]
    }
}

fn place(line: &LedgerLine) -> (&str, Option<&str>, u32) {
    (&line.campaign, line.rcpt.as_deref(), line.step)
}

/// How long before: mostly too late for a reading that is not due for its own sake.
const BEFORE: [Millis; 5] = [SECOND, SECOND, SECOND, 5 * MINUTE, 20 * MINUTE];

/// Tells this stream of chance from those of other purposes.
const IN_HASTE: u64 = 0x6861_7374_6500;
