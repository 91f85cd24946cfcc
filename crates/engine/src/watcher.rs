//! The watcher: reads every inbox often enough that no follow-up leaves after a reply.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};
use warmfront_core::span::{HOUR, MINUTE, Millis};
use warmfront_mail::inbox::Inbox;
use warmfront_store::{Consequence, FRESH_MS};

use crate::EngineError;
use crate::office::{Office, Ways};

/// The watcher of one process.
#[derive(Debug)]
pub struct Watcher<O, I> {
    office: Office,
    ways: Ways<O, I>,
    inboxes: BTreeMap<i64, Watched<I>>,
}

#[derive(Debug)]
struct Watched<I> {
    /// None: nobody reads it, and its follow-ups stay at home.
    inbox: Option<I>,
    read_at: Option<Millis>,
}

impl<O, I: Inbox> Watcher<O, I> {
    /// A watcher that has read nothing yet.
    #[must_use]
    pub fn new(office: Office, ways: Ways<O, I>) -> Self {
        Self { office, ways, inboxes: BTreeMap::new() }
    }

    /// Reads every inbox that is due by `now`; says when to come back.
    pub async fn tick(&mut self, now: Millis) -> Result<Millis, EngineError> {
        self.look_for_new_mailboxes().await?;
        let day = self.office.day(now).to_string();
        let soon = now + FRESH_MS;
        let store = &self.office.store;
        let waiting: BTreeSet<i64> =
            store.mailboxes_awaiting_follow_ups(&day, soon).await?.into_iter().collect();
        let mut wake = now + OFTEN;
        let mut readings = Vec::new();
        for (&mailbox, watched) in &mut self.inboxes {
            let Some(inbox) = &mut watched.inbox else { continue };
            let every = if waiting.contains(&mailbox) { OFTEN } else { SELDOM };
            if watched.read_at.is_some_and(|at| now - at < every) {
                continue;
            }
            match inbox.read(now).await {
                Ok(arrivals) => readings.push((mailbox, arrivals)),
                Err(trouble) => {
                    warn!(mailbox, %trouble, "the inbox cannot be read");
                    wake = wake.min(now + MINUTE);
                }
            }
        }
        if readings.is_empty() {
            return Ok(wake);
        }
        let led_to = store.record_readings(&readings, now).await?;
        for (mailbox, _) in &readings {
            if let Some(watched) = self.inboxes.get_mut(mailbox) {
                watched.read_at = Some(now);
            }
        }
        let ended = led_to.iter().filter(|c| **c == Consequence::Ended).count();
        if ended > 0 {
            info!(inboxes = readings.len(), arrived = led_to.len(), ended, "inboxes read");
        }
        Ok(wake)
    }

    async fn look_for_new_mailboxes(&mut self) -> Result<(), EngineError> {
        for row in self.office.store.mailboxes().await? {
            if let Some(config) = self.office.fleet.mailboxes.get(row.address.as_str()) {
                let ways = &self.ways;
                self.inboxes
                    .entry(row.id)
                    .or_insert_with(|| Watched { inbox: (ways.inbox)(config), read_at: None });
            }
        }
        Ok(())
    }
}

/// How often an inbox is read while a follow-up of its mailbox is near: well within the quarter of
/// an hour after which a reading proves nothing.
const OFTEN: Millis = 10 * MINUTE;

/// How often it is read otherwise.
const SELDOM: Millis = HOUR;
