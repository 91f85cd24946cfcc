//! A mailbox that is watched: when it is read next, and what is known of its troubles.

use tracing::{info, warn};
use warmfront_core::reading::Reading;
use warmfront_core::span::{HOUR, MINUTE, Millis, SECOND};
use warmfront_mail::inbox::{Inbox, Unreadable};
use warmfront_store::ReadingLease;

use super::OFTEN;
use super::errand::Reader;

/// One mailbox, as its watcher has it.
pub(super) struct Watched<I> {
    pub(super) reader: Reader<I>,
    pub(super) read_at: Option<Millis>,
    /// The lease of a reading that goes on.
    pub(super) lease: Option<ReadingLease>,
    /// Whether this process has looked at it, however lately somebody else had.
    pub(super) is_known: bool,
    /// Whether something is known to have come.
    pub(super) has_news: bool,
    /// After a failure nobody tries before that.
    pub(super) not_before: Millis,
    /// Failures in a row.
    failures: u32,
    /// What was last told of why it cannot be read.
    told: Option<String>,
}

impl<I: Inbox> Watched<I> {
    /// One that was never read.
    pub(super) fn new(reader: Reader<I>) -> Self {
        Self {
            reader,
            read_at: None,
            lease: None,
            is_known: false,
            has_news: false,
            not_before: Millis::MIN,
            failures: 0,
            told: None,
        }
    }

    /// What a reading that the books have means for the next one.
    pub(super) fn judge(
        &mut self,
        lease: ReadingLease,
        begun_at: Millis,
        read: &Result<Reading, Unreadable>,
        now: Millis,
    ) {
        let mailbox = lease.mailbox;
        self.is_known = true;
        let trouble = match read {
            Ok(reading) => {
                for place in &reading.passed {
                    let (folder, uid) = (&place.folder, place.uid);
                    warn!(mailbox, folder, uid, "the server cannot show a message; it is passed");
                }
                reading.trouble.clone()
            }
            Err(unreadable) => Some(unreadable.to_string()),
        };
        let got_on = matches!(read, Ok(r) if !r.arrivals.is_empty() || !r.sent.is_empty());
        self.failures = match &trouble {
            None => 0,
            Some(_) if got_on => 1,
            Some(_) => self.failures.saturating_add(1),
        };
        self.not_before = match read {
            _ if trouble.is_none() => Millis::MIN,
            Err(Unreadable::NeedsLogin(_)) => now + UNTIL_LOGGED_IN,
            Err(unreadable) if unreadable.needs_an_operator() => now + UNTIL_MENDED,
            _ => now + (AGAIN << (self.failures - 1).min(DOUBLINGS)).min(OFTEN),
        };
        if trouble != self.told {
            match &trouble {
                Some(trouble) => warn!(mailbox, trouble, "the mailbox cannot be read"),
                None => info!(mailbox, "the mailbox can be read again"),
            }
            self.told = trouble;
        }
        let Ok(reading) = read else { return };
        if reading.is_whole {
            self.read_at = self.read_at.max(Some(begun_at));
        }
        self.lease = reading.has_more.then_some(lease);
    }

    /// What it means that the books do not have a reading.
    pub(super) fn rest(&mut self, lease: Option<ReadingLease>, now: Millis) {
        self.not_before = now + AGAIN;
        self.lease = lease;
    }

    /// Whether it could not be read the last time.
    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// Whether nothing is left to be read, so that its server may tell of what comes.
    pub(super) fn may_wait_for_news(&self, read: &Result<Reading, Unreadable>) -> bool {
        let is_all = |read: &Reading| read.is_whole && !read.has_more && read.trouble.is_none();
        self.not_before == Millis::MIN && read.as_ref().is_ok_and(is_all)
    }
}

/// Failures are tried again after 30 seconds, 1 minute, 2 …, up to [`OFTEN`].
pub(super) const AGAIN: Millis = 30 * SECOND;
const DOUBLINGS: u32 = 6;

/// Whether somebody has logged in meanwhile the books are asked, and no server.
const UNTIL_LOGGED_IN: Millis = MINUTE;

/// A refused log-in is not repeated sooner: servers shut out whoever insists.
const UNTIL_MENDED: Millis = HOUR;
