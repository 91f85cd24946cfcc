//! What every loop works with.

use std::fmt;
use std::sync::{Arc, RwLock};

use jiff::civil::Date;
use warmfront_core::calendar;
use warmfront_core::span::{MINUTE, Millis, SECOND};
use warmfront_mail::dns::Dns;
use warmfront_store::{Store, Watermark};

use crate::clock::Clock;
use crate::failpoint::Failpoint;
use crate::fleet::{Fleet, Mailbox};
use crate::roster::Roster;

/// One process at work on one set of books.
#[derive(Clone, Debug)]
pub struct Office {
    /// The books.
    pub store: Store,
    /// The fleet as configured.
    pub fleet: Arc<Fleet>,
    /// What time it is.
    pub clock: Clock,
    /// Where a test ends the engine.
    pub failpoint: Failpoint,
    /// How the DNS is asked; nothing where nobody asks it.
    pub dns: Option<Dns>,
    /// What tells a restored backup; nothing for books that end with the process.
    pub watermark: Option<Watermark>,
    /// Names this process among all that may hold leases.
    pub owner: String,
    /// How often the loops look for what other programs changed.
    pub poll: Millis,
    /// How long a lease lasts: a crashed worker's mailboxes rest no longer than this. Renewed when
    /// half of it is over.
    pub lease_ttl: Millis,
    roster: Arc<RwLock<Arc<Roster>>>,
}

impl Office {
    /// An office with no campaign loaded yet.
    #[must_use]
    pub fn new(store: Store, fleet: Arc<Fleet>, clock: Clock, owner: String) -> Self {
        Self {
            store,
            fleet,
            clock,
            failpoint: Failpoint::default(),
            dns: None,
            watermark: None,
            owner,
            poll: POLL,
            lease_ttl: LEASE_TTL,
            roster: Arc::default(),
        }
    }

    /// The campaigns as last loaded.
    #[must_use]
    pub fn roster(&self) -> Arc<Roster> {
        let held = self.roster.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// Puts newly loaded campaigns in place of the old.
    pub fn hang_up(&self, roster: Roster) {
        let mut held = self.roster.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *held = Arc::new(roster);
    }

    /// The counting day of a moment.
    #[must_use]
    pub fn day(&self, moment: Millis) -> Date {
        calendar::day_of(&self.fleet.timezone, moment)
    }
}

/// Where ways out and in come from: real servers, or a simulated world.
pub struct Ways<O, I> {
    /// A mailbox's way out, or why it has none (certificates that are missing, say).
    pub out: Opens<Result<O, String>>,
    /// A mailbox's inbox, if anybody reads it.
    pub inbox: Opens<Option<I>>,
}

/// Makes something for a mailbox. It asks nobody for anything: all mailboxes would wait for an answer.
pub type Opens<T> = Arc<dyn Fn(&Mailbox) -> T + Send + Sync>;

impl<O, I> Clone for Ways<O, I> {
    fn clone(&self) -> Self {
        Self { out: Arc::clone(&self.out), inbox: Arc::clone(&self.inbox) }
    }
}

impl<O, I> fmt::Debug for Ways<O, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ways")
    }
}

/// How often a daemon looks for what other programs changed in its books.
const POLL: Millis = 5 * SECOND;

/// How long a lease lasts, unless told otherwise.
const LEASE_TTL: Millis = MINUTE;
