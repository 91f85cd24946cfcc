//! The sender: leases the mailboxes that have work and gives each a lane.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;
use warmfront_core::health::PauseReason;
use warmfront_core::span::{Millis, SECOND};
use warmfront_mail::submit::Submit;
use warmfront_store::{Company, Lease};

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
    /// Until when another daemon may be about to begin.
    alone_from: Millis,
    /// Since when others may take what is due.
    left_since: Option<Millis>,
}

impl<O: Submit, I> Sender<O, I> {
    /// A sender with no lane yet.
    #[must_use]
    pub fn new(office: Office, ways: Ways<O, I>) -> Self {
        Self {
            office,
            ways,
            busy: BTreeSet::new(),
            resting: BTreeMap::new(),
            renewed_at: None,
            alone_from: Millis::MIN,
            left_since: None,
        }
    }

    /// The same beginning at `now` along with others, who may not be known yet.
    #[must_use]
    pub(crate) fn among_others(self, now: Millis) -> Self {
        Self { alone_from: now + LEFT_FOR, ..self }
    }

    /// Leases what is due by `now`, [`RECRUITS_MAX`] at most; gives new lanes, and says when to come
    /// back.
    pub async fn tick(&mut self, now: Millis) -> Result<(Vec<Lane<O>>, Millis), EngineError> {
        self.renew(now).await?;
        let day = self.office.day(now).to_string();
        self.resting.retain(|_, until| *until > now);
        let rested = self.resting.values().min().copied();
        let mut wake = rested.unwrap_or(Millis::MAX).min(now + self.office.poll);
        let store = &self.office.store;
        let mut due: BTreeSet<i64> = store.mailboxes_with_orphans(now).await?.into_iter().collect();
        for (mailbox, due_at) in store.mailboxes_with_work(&day, now).await? {
            if due_at <= now {
                due.insert(mailbox);
            } else if !self.busy.contains(&mailbox) {
                wake = wake.min(due_at);
            }
        }
        due.retain(|mailbox| !self.busy.contains(mailbox) && !self.resting.contains_key(mailbox));
        let share = self.share(due.len(), now).await?;
        if share < due.len() {
            wake = wake.min(now + LEFT_FOR);
        }
        let mut due: Vec<i64> = due.into_iter().collect();
        // Daemons that look at one moment begin at different ends.
        let begins_at = place(&self.office.owner, due.len());
        due.rotate_left(begins_at);
        let first = &due[..share.min(RECRUITS_MAX)];
        let lanes = self.recruit(first, now).await?;
        if share > first.len() {
            wake = now;
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

    /// How many of so many that are due are ours to take. Where several daemons work each takes its
    /// share; what the others leave for a moment is anybody's.
    async fn share(&mut self, due: usize, now: Millis) -> Result<usize, EngineError> {
        if due == 0 {
            return Ok(0);
        }
        let Some(mut company) = self.office.store.company(now).await? else { return Ok(due) };
        company.workers = company.workers.max(1) + usize::from(now < self.alone_from);
        let share = share(&company, self.busy.len(), due);
        let left_since = *self.left_since.get_or_insert(now);
        if share < due && now - left_since < LEFT_FOR {
            return Ok(share);
        }
        self.left_since = None;
        Ok(due)
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

    /// Leases mailboxes and gives each a lane. Once they are leased nothing fails any more: for one
    /// that is in trouble the others would lose their lanes, and keep leases that nobody works by.
    async fn recruit(
        &mut self,
        mailboxes: &[i64],
        now: Millis,
    ) -> Result<Vec<Lane<O>>, EngineError> {
        let Office { store, owner, lease_ttl, .. } = &self.office;
        // A lease lasts from the moment it is asked for, however long the tick has taken by then.
        let asked_at = self.office.clock.now().max(now);
        let leased = store.lease_all(mailboxes, owner, asked_at, *lease_ttl).await?;
        let mut lanes = Vec::with_capacity(leased.len());
        for (lease, address) in leased {
            let mailbox = lease.mailbox;
            let config = self.office.fleet.mailboxes.get(address.as_str()).cloned();
            match config.map(|config| ((self.ways.out)(&config), config)) {
                Some((Ok(out), config)) => {
                    self.busy.insert(mailbox);
                    lanes.push(Lane::new(self.office.clone(), config, lease, out));
                }
                Some((Err(why), _)) => {
                    warn!(mailbox, why, "paused: it has no way out");
                    self.stop(mailbox, &why, now).await;
                    self.give_back(lease, now).await;
                }
                None => self.give_back(lease, now).await,
            }
        }
        Ok(lanes)
    }

    async fn stop(&self, mailbox: i64, why: &str, now: Millis) {
        let because = PauseReason::Configuration;
        if let Err(error) = self.office.store.stop_mailbox(mailbox, because, why, now).await {
            warn!(mailbox, %error, "it was not paused; that is tried again");
        }
    }

    /// A lease that no lane works by.
    async fn give_back(&mut self, lease: Lease, now: Millis) {
        self.resting.insert(lease.mailbox, now + RESTS_FOR);
        if let Err(error) = self.office.store.release(lease).await {
            warn!(mailbox = lease.mailbox, %error, "a lease was not given back");
        }
    }
}

/// What one of a company may take of what is due, that all may have as much: mailboxes that it is
/// busy with it has already.
fn share(company: &Company, busy: usize, due: usize) -> usize {
    // The books may have learnt of our leases after they counted.
    let all = company.leased.max(busy) + due;
    all.div_ceil(company.workers).saturating_sub(busy)
}

/// A place among so many, another for each name.
fn place(name: &str, of: usize) -> usize {
    let sum =
        name.bytes().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    sum.checked_rem(of).unwrap_or(0)
}

/// How long a mailbox is left alone after its lane.
const RESTS_FOR: Millis = 5 * SECOND;

/// How long mailboxes beyond a daemon's share are left to the others.
const LEFT_FOR: Millis = SECOND;

/// Mailboxes leased at once: by one statement, while nobody else writes. The lanes of these begin
/// before the others are leased.
const RECRUITS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_what_makes_all_alike() {
        // Daemons, mailboxes leased by all, busy here, due; ours to take.
        let rows = [
            (1, 0, 0, 8, 8),
            (2, 0, 0, 8, 4),
            (2, 4, 0, 4, 4),
            (2, 4, 4, 4, 0),
            // One more is one that somebody must take.
            (2, 0, 0, 9, 5),
            (3, 0, 0, 1, 1),
            (3, 6, 2, 3, 1),
            // Whoever has more than their share takes nothing, and gives nothing back.
            (2, 10, 10, 4, 0),
            (3, 9, 0, 3, 4),
            // The count is older than our last leases.
            (2, 0, 4, 4, 0),
        ];
        for (workers, leased, busy, due, want) in rows {
            let company = Company { workers, leased };
            assert_eq!(share(&company, busy, due), want, "{company:?}, {busy} busy, {due} due");
        }
    }
}
