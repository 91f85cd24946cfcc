//! A message that is claimed: handed over, settled, and where the mailbox need not rest in between,
//! the next one claimed by the commit that settles it.

use std::sync::Arc;

use tracing::warn;
use warmfront_core::answer::Answer;
use warmfront_core::span::{Millis, SECOND};
use warmfront_mail::submit::{Outcome, Submit, Trouble};
use warmfront_store::{Claim, DueMessage, Fate, Settlement, StoreError};

use super::{Lane, Next};
use crate::EngineError;
use crate::attempt::{Marking, settle, tell};
use crate::judge::{Attempt, Judgement, is_redone, is_unknown, jitter, judge, redone_at_most};
use crate::letter::{Composed, write_letter};
use crate::roster::Campaign;

/// A message that is being sent, or is about to be claimed.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) campaign: Arc<Campaign>,
    pub(super) due: DueMessage,
    pub(super) composed: Composed,
    pub(super) at: Millis,
}

impl<O: Submit> Lane<O> {
    /// What the books are asked before it leaves.
    pub(super) fn claim(&self, claimed: &Claimed) -> Claim {
        let Claimed { due, composed, at, .. } = claimed;
        Claim {
            message: due.id,
            epoch: self.lease.epoch,
            now: *at,
            day: self.day.clone(),
            rfc_message_id: composed.rfc_message_id.clone(),
            unsubscribe_token: composed.unsubscribe_token.clone(),
            revision: composed.revision,
            subject: composed.subject.clone(),
        }
    }

    /// Hands over what was claimed, and settles it.
    pub(super) async fn hand_over_and_settle(
        &mut self,
        claimed: Claimed,
    ) -> Result<Next, EngineError> {
        let failpoint = self.office.failpoint.clone();
        // Written now, so that nothing stands between an answer and the books.
        let next = self.write_next().await;
        let outcome = match failpoint.pass("after_claim").await {
            Ok(()) => self.hand_over(&claimed).await,
            Err(halt) => Outcome::NotSent(Trouble::Halted(halt.0)),
        };
        let outcome = match outcome {
            Outcome::Answered(answer) if answer.code / 100 == 2 => {
                let passed = failpoint.pass("after_250").await;
                passed.map_or_else(
                    |halt| Outcome::InDoubt { why: halt.0 },
                    |()| Outcome::Answered(answer),
                )
            }
            other => other,
        };
        let settlement = self.settlement(&claimed, &outcome);
        if let Err(halt) = failpoint.pass("before_settle").await {
            // As after a crash: the row stays as it is, and the next lease settles it.
            return Err(StoreError::Inconsistent(halt.0).into());
        }
        self.settle_and_claim_next(settlement, next).await?;
        let _ = failpoint.pass("after_settle").await;
        if let Some(next) = &self.claimed {
            return Ok(Next::At(next.at));
        }
        let rested = claimed.at + self.mailbox.spacing();
        let next = if self.queue.is_empty() && self.held.is_empty() { self.next_due } else { None };
        Ok(Next::At(next.map_or(rested, |due| due.max(rested))))
    }

    /// Settles, and claims the next one in the same commit if it can leave at once. The scribe keeps
    /// the order, and while the settlement is not written the books refuse the claim: a mailbox has
    /// one message in flight.
    async fn settle_and_claim_next(
        &mut self,
        settlement: Settlement,
        next: Option<Claimed>,
    ) -> Result<(), EngineError> {
        let Some(next) = next.and_then(|next| self.at_once(next)) else {
            return settle(&self.office, settlement).await;
        };
        let claim = self.office.store.claim(self.claim(&next));
        let (settled, claimed) = tokio::join!(biased; settle(&self.office, settlement), claim);
        match claimed {
            Ok(true) => self.claimed = Some(next),
            // A tick by itself finds out why.
            Ok(false) | Err(_) => self.queue.push_front(next.due),
        }
        settled
    }

    /// The next message of the queue, written and ready to be claimed, where neither a gap nor its hours
    /// keep it back. All others are for a tick by itself.
    async fn write_next(&mut self) -> Option<Claimed> {
        let at = self.office.clock.now();
        if self.mailbox.spacing() > 0 {
            return None;
        }
        let due = self.queue.front()?;
        let campaign = Arc::clone(self.office.roster().get(due.campaign_id)?);
        if at >= due.closes_at || self.next_open(&campaign, due, at)?.start() > at {
            return None;
        }
        let letter = write_letter(&self.office, &self.mailbox, &campaign, due, at).await;
        let (composed, due) = (letter.ok()?, self.queue.pop_front()?);
        Some(Claimed { campaign, due, composed, at })
    }

    /// What was written, if it may leave over the present connection and its date is still true. If not,
    /// it goes back to the queue.
    fn at_once(&mut self, next: Claimed) -> Option<Claimed> {
        let now = self.office.clock.now();
        let is_true = now - next.at < SECOND && now < next.due.closes_at;
        if is_true && self.out.is_open(now) {
            return Some(Claimed { at: now, ..next });
        }
        self.queue.push_front(next.due);
        None
    }

    /// Gives back what is claimed and was not handed over. Should that fail, whoever next leases the
    /// mailbox does it.
    pub(super) async fn give_back(&mut self) {
        let Some(claimed) = self.claimed.take() else { return };
        let stopped = Trouble::Halted("stopped before it was handed over".to_owned());
        let settlement = self.settlement(&claimed, &Outcome::NotSent(stopped));
        if let Err(error) = self.office.store.settle(settlement).await {
            warn!(message = claimed.due.id, %error, "a claim was not given back");
        }
    }

    /// Hands a letter over, again on a new connection where the answer was about the old one.
    async fn hand_over(&mut self, claimed: &Claimed) -> Outcome {
        let Claimed { due, composed, at: claimed_at, .. } = claimed;
        let claimed_at = *claimed_at;
        let mut again = redone_at_most(due.first_attempt_at, claimed_at);
        let mut now = claimed_at;
        loop {
            let mut marking =
                Marking { office: &self.office, message: due.id, epoch: self.lease.epoch };
            let outcome = self.out.submit(&composed.letter, now, &mut marking).await;
            now = self.office.clock.now().max(claimed_at);
            // Whoever slept meanwhile may have lost the lease, and another has sent the letter.
            let is_soon = now - claimed_at < REDO_SOON;
            if again == 0 || !is_soon || !is_redone(&outcome, &self.mailbox.provider) {
                return outcome;
            }
            again -= 1;
            self.out.close().await;
        }
    }

    fn settlement(&self, claimed: &Claimed, outcome: &Outcome) -> Settlement {
        let Claimed { campaign, due, at: claimed_at, .. } = claimed;
        let now = self.office.clock.now().max(*claimed_at);
        let provider = &self.mailbox.provider;
        let attempt = Attempt {
            provider,
            earlier: due.attempts,
            first_at: due.first_attempt_at.unwrap_or(*claimed_at),
            now,
            jitter: jitter(due.id, due.attempts),
            next: campaign.next_step(due.position, now, &due.zone),
        };
        let Judgement { mut fate, blow } = judge(outcome, &attempt);
        if let Fate::Deferred { retry_at, closes_at, .. }
        | Fate::NotSent { retry_at, closes_at, .. } = &mut fate
            && let Some(hours) = self.next_open(campaign, due, *retry_at)
        {
            (*retry_at, *closes_at) = (hours.start(), Some(hours.end()));
        }
        let answer = match outcome {
            Outcome::Answered(answer) => Some(answer),
            Outcome::NotSent(_) | Outcome::InDoubt { .. } => None,
        };
        tell(self.lease.mailbox, due.id, &fate);
        let unknown = answer.filter(|answer| is_unknown(answer, provider));
        if let Some(Answer { code, .. }) = unknown {
            warn!(mailbox = self.lease.mailbox, message = due.id, code, "no rule knows an answer");
        }
        Settlement {
            message: due.id,
            epoch: self.lease.epoch,
            now,
            fate,
            blow,
            smtp_code: answer.map(|answer| answer.code),
            enhanced_status: answer.and_then(|a| a.enhanced).map(|code| code.to_string()),
            unknown: unknown.cloned(),
        }
    }
}

/// So soon after its claim a letter may be done again: well within what a lease lasts.
const REDO_SOON: Millis = 20 * SECOND;
