//! Those who read mailboxes, and what they bring back.

use warmfront_core::reading::Reading;
use warmfront_core::span::Millis;
use warmfront_mail::inbox::{Inbox, Unreadable};
use warmfront_store::{Read, ReadingLease};

/// Who reads a mailbox.
pub(super) enum Reader<I> {
    /// Nobody reads it, and its follow-ups stay at home.
    Nobody,
    Here(I),
    Away,
}

impl<I: Inbox> Reader<I> {
    /// Whether he is here with an open connection.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Here(inbox) if inbox.is_open())
    }
}

/// Somebody back from an errand.
pub(super) struct Back<I> {
    pub(super) mailbox: i64,
    pub(super) inbox: I,
    pub(super) with: Brought,
}

/// What he brings.
pub(super) enum Brought {
    Reading { lease: ReadingLease, begun_at: Millis, read: Result<Reading, Unreadable> },
    News(bool),
}

impl<I> Back<I> {
    /// What the books are told of a reading. Of one that failed, why.
    pub(super) fn read(&self) -> Option<Read> {
        let Brought::Reading { lease, begun_at, read } = &self.with else { return None };
        let reading = match read {
            Ok(reading) => reading.clone(),
            Err(unreadable) => {
                Reading { trouble: Some(unreadable.to_string()), ..Reading::default() }
            }
        };
        Some(Read { lease: *lease, begun_at: *begun_at, reading })
    }
}
