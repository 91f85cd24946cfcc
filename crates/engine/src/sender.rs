//! The sender: leases the mailboxes that have work and gives each a lane.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;
use warmfront_core::health::PauseReason;
use warmfront_core::span::{Millis, SECOND};
use warmfront_mail::submit::Submit;

use crate::EngineError;
use crate::lane::Lane;
use crate::office::{Office, Ways};

/// The sender of one process.
#[derive(Debug)]
pub struct Sender<O, I> {
    office: Office,
    ways: Ways<O, I>,
    /// Mailboxes that have a lane at present.
    busy: BTreeSet<i64>,
    /// Mailboxes whose lane is over, and when they may have another.
    resting: BTreeMap<i64, Millis>,
    renewed_at: Option<Millis>,
}

impl<O: Submit, I> Sender<O, I> {
    /// A sender with no lane yet.
    #[must_use]
    pub fn new(office: Office, ways: Ways<O, I>) -> Self {
        let (busy, resting) = (BTreeSet::new(), BTreeMap::new());
        Self { office, ways, busy, resting, renewed_at: None }
    }

    /// Leases what is due by `now`; gives new lanes, and says when to come back.
    pub async fn tick(&mut self, now: Millis) -> Result<(Vec<Lane<O>>, Millis), EngineError> {
        self.renew(now).await?;
        let day = self.office.day(now).to_string();
        self.resting.retain(|_, until| *until > now);
        let rested = self.resting.values().min().copied();
        let store = self.office.store.clone();
        let mut lanes = Vec::new();
        let mut wake = rested.unwrap_or(Millis::MAX).min(now + self.office.poll);
        for mailbox in store.mailboxes_with_orphans(now).await? {
            lanes.extend(self.recruit(mailbox, now).await?);
        }
        for (mailbox, due_at) in store.mailboxes_with_work(&day, now).await? {
            if self.busy.contains(&mailbox) {
                // Its lane knows when to go on.
            } else if due_at > now {
                wake = wake.min(due_at);
            } else {
                lanes.extend(self.recruit(mailbox, now).await?);
            }
        }
        if self.busy.is_empty() {
            Ok((lanes, wake))
        } else {
            Ok((lanes, wake.min(now + self.office.lease_ttl / 2)))
        }
    }

    /// A lane has come to its end at `now`. Its mailbox rests a little, whatever the end was, so that
    /// nothing the lane could not do is tried again without a pause.
    pub fn dismiss(&mut self, mailbox: i64, now: Millis) {
        self.busy.remove(&mailbox);
        self.resting.insert(mailbox, now + RESTS_FOR);
    }

    async fn renew(&mut self, now: Millis) -> Result<(), EngineError> {
        let fresh = self.renewed_at.is_some_and(|at| now - at < self.office.lease_ttl / 2);
        if !self.busy.is_empty() && !fresh {
            let (office, busy) = (&self.office, self.busy.iter().copied());
            office.store.renew_all(&office.owner, busy, now, office.lease_ttl).await?;
            self.renewed_at = Some(now);
        }
        Ok(())
    }

    async fn recruit(&mut self, mailbox: i64, now: Millis) -> Result<Option<Lane<O>>, EngineError> {
        if self.busy.contains(&mailbox) || self.resting.contains_key(&mailbox) {
            return Ok(None);
        }
        let store = &self.office.store;
        let Some(lease) =
            store.lease(mailbox, &self.office.owner, now, self.office.lease_ttl).await?
        else {
            return Ok(None);
        };
        let address = store.mailbox_address(mailbox).await?;
        let fleet = &self.office.fleet.mailboxes;
        let Some(config) = address.and_then(|address| fleet.get(address.as_str())) else {
            store.release(lease).await?;
            return Ok(None);
        };
        match (self.ways.out)(config) {
            Ok(out) => {
                self.busy.insert(mailbox);
                Ok(Some(Lane::new(self.office.clone(), config.clone(), lease, out)))
            }
            Err(why) => {
                warn!(mailbox, why, "paused: it has no way out");
                store.stop_mailbox(mailbox, PauseReason::Configuration, &why, now).await?;
                store.release(lease).await?;
                Ok(None)
            }
        }
    }
}

/// How long a mailbox is left alone after its lane.
const RESTS_FOR: Millis = 5 * SECOND;
