//! What happened, counted; and what should never have, in full.

use std::collections::BTreeMap;

use warmfront_core::address::Address;
use warmfront_core::inbound::Kind;
use warmfront_core::span::Millis;

use crate::refusal::Refusal;

/// The counts of a world, and the violations it saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<Event, u64>,
    /// What should never happen, in the order it did.
    pub violations: Vec<Violation>,
}

/// Something that happened.
///
/// [`crate::World::held`] holds what was `Accepted`, `LostAfterDotKept` or `AbandonedKept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A connection was opened and logged in.
    Connected,
    /// No connection came about.
    Unreachable,
    /// A server said no.
    Refused(Refusal),
    /// The connection was lost before the dot.
    LostBeforeDot,
    /// The sender stopped before the dot, and said so.
    Halted,
    /// The sender vanished before the dot.
    AbandonedBeforeDot,
    /// A letter was taken, and the sender was told.
    Accepted,
    /// The connection was lost after the dot; the server had the letter.
    LostAfterDotKept,
    /// The connection was lost after the dot, and the letter with it.
    LostAfterDotLost,
    /// The sender vanished between dot and answer; the server had the letter.
    AbandonedKept,
    /// The sender vanished between dot and answer; the server had no letter, or refused it.
    AbandonedLost,
    /// An inbox was read.
    InboxRead,
    /// An inbox could not be read.
    InboxUnreachable,
    /// A person replied, or will.
    Replied,
    /// A machine answered, or will.
    AutoReplied,
    /// A hard bounce was sent, or will be.
    Bounced,
    /// A soft bounce was sent, or will be.
    SoftBounced,
    /// A server reported that it still tries, or will.
    Delayed,
    /// A server reported that it refused the sender, or will.
    Blocked,
    /// A person complained, or will.
    Complained,
    /// A person opted out, or will.
    OptedOut,
    /// Something that is none of our business arrived, or will.
    Unrelated,
}

/// Something a provider or a person should never see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// More letters in a minute than the provider allows.
    PerMinute {
        /// Whose.
        mailbox: Address,
        /// When.
        at: Millis,
    },
    /// More letters in 24 hours than the provider allows.
    PerDay {
        /// Whose.
        mailbox: Address,
        /// When.
        at: Millis,
    },
    /// More connections at once than the provider allows.
    Connections {
        /// Whose.
        mailbox: Address,
        /// When.
        at: Millis,
    },
    /// A letter whose headers or envelope name another sender than the mailbox it came from, or
    /// another recipient than the one it went to.
    Misaddressed {
        /// The mailbox.
        mailbox: Address,
        /// The recipient of the envelope.
        to: Address,
        /// When.
        at: Millis,
    },
    /// The same Message-ID was taken twice.
    SameMessage {
        /// Which.
        message_id: String,
        /// By whom, the second time.
        to: Address,
        /// When, the second time.
        at: Millis,
    },
    /// A person got the same place of a thread twice: the same subject in answer to the same.
    SameStep {
        /// Who.
        to: Address,
        /// The subject.
        subject: String,
        /// When, the second time.
        at: Millis,
    },
    /// A person got two letters too close together.
    TooSoon {
        /// Who.
        to: Address,
        /// When the first was taken.
        before: Millis,
        /// When the second was taken.
        at: Millis,
    },
    /// A person was written to who had said no, or whose address was known to be dead.
    AfterNo {
        /// Who.
        to: Address,
        /// What had come back: a `Kind` as it is written in the books.
        no: &'static str,
        /// Since when it was known or could have been read.
        since: Millis,
        /// When he or she was written to.
        at: Millis,
    },
}

impl Tally {
    /// How often something happened.
    #[must_use]
    pub fn of(&self, event: Event) -> u64 {
        self.counts.get(&event).copied().unwrap_or(0)
    }

    /// Everything that happened at all, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Event, u64)> {
        self.counts.iter().map(|(&event, &count)| (event, count))
    }

    pub(crate) fn count(&mut self, event: Event) {
        *self.counts.entry(event).or_default() += 1;
    }
}

impl From<Kind> for Event {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Reply => Self::Replied,
            Kind::AutoReply => Self::AutoReplied,
            Kind::HardBounce => Self::Bounced,
            Kind::SoftBounce => Self::SoftBounced,
            Kind::Complaint => Self::Complained,
            Kind::Unsubscribe => Self::OptedOut,
            Kind::Delayed => Self::Delayed,
            Kind::SenderBlock => Self::Blocked,
            Kind::Suspicious | Kind::Unrelated => Self::Unrelated,
        }
    }
}
