//! One attempt's entries in the books: the mark before the final dot, and how it ended.

use std::time::Duration;

use tracing::{info, warn};
use warmfront_core::span::Millis;
use warmfront_mail::submit::{Halt, Progress, Stage};
use warmfront_store::{DOT_WITHIN_MS, Fate, Settlement, StoreError};

use crate::EngineError;
use crate::office::Office;

/// Writes down what became of a message, however long the database takes: it is the only one
/// who knows.
pub(crate) async fn settle(office: &Office, settlement: Settlement) -> Result<(), EngineError> {
    for _ in 0..SETTLE_TRIES {
        match office.store.settle(settlement.clone()).await {
            Ok(true) => return Ok(()),
            Ok(false) => {
                warn!(message = settlement.message, "settled by somebody else meanwhile");
                return Ok(());
            }
            Err(error) if error.is_transient() => {
                warn!(%error, "waiting to settle a message");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Locked.into())
}

/// Follows one submission: marks the dot, durably, before it leaves.
pub(crate) struct Marking<'a> {
    pub(crate) office: &'a Office,
    pub(crate) message: i64,
    pub(crate) epoch: i64,
}

impl Progress for Marking<'_> {
    async fn reached(&mut self, stage: Stage) -> Result<(), Halt> {
        let failpoint = &self.office.failpoint;
        match stage {
            Stage::Mail => failpoint.pass("after_mail").await,
            Stage::Rcpt => failpoint.pass("after_rcpt").await,
            Stage::BodyWritten => {
                failpoint.pass("before_dot_commit").await?;
                let now = self.office.clock.now();
                match self.office.store.mark_dot(self.message, self.epoch, now).await {
                    Ok(true) => {
                        failpoint.pass("after_dot_commit").await?;
                        self.trusts_its_lease_of(now)
                    }
                    Ok(false) => Err(Halt("the lease was lost before the final dot".to_owned())),
                    Err(error) => Err(Halt(format!("the dot could not be marked: {error}"))),
                }
            }
            Stage::DotWritten => failpoint.pass("after_dot").await,
        }
    }
}

impl Marking<'_> {
    /// Whoever was stopped for too long since it asked, or waited too long for the answer, may have
    /// lost its lease: another has settled the message by now, and the dot must not leave.
    fn trusts_its_lease_of(&self, asked_at: Millis) -> Result<(), Halt> {
        if self.office.clock.now() - asked_at < DOT_WITHIN_MS {
            return Ok(());
        }
        Err(Halt("too much time passed before the final dot to trust the lease".to_owned()))
    }
}

/// Tells the log.
pub(crate) fn tell(mailbox: i64, message: i64, fate: &Fate) {
    match fate {
        Fate::Accepted { .. } => info!(mailbox, message, "accepted"),
        Fate::Rejected { verdict, .. } => info!(mailbox, message, verdict, "rejected"),
        Fate::Deferred { .. } => info!(mailbox, message, "deferred"),
        Fate::NotSent { .. } => info!(mailbox, message, "surely not sent"),
        Fate::GivenUp { .. } => info!(mailbox, message, "given up"),
        Fate::InDoubt { .. } => warn!(mailbox, message, "in doubt"),
    }
}

/// How often a settlement is tried, a second apart, while the database is locked or full.
const SETTLE_TRIES: u32 = 600;
