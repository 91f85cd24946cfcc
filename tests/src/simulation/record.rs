//! What went through the seams, in the order it did.

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::civil::Date;
use warmfront_core::address::Address;
use warmfront_core::inbound::Kind;
use warmfront_core::span::Millis;

use super::letter::Reading;

/// One attempt to hand a letter over.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The mailbox.
    pub mailbox: Address,
    /// The recipient of the envelope.
    pub to: Address,
    /// When.
    pub at: Millis,
    /// What the letter says of itself.
    pub letter: Reading,
    /// Whether the engine allowed the final dot.
    pub dot: Dot,
    /// How it ended; `None` while it is under way, and for ever if the engine vanished.
    pub end: Option<End>,
}

impl Attempt {
    /// Whether a server saw so much of it that it counts on every budget.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self.end {
            Some(End::Answered(_) | End::InDoubt) => true,
            Some(End::NotSent) => false,
            None => self.dot == Dot::Allowed,
        }
    }

    /// Whether the server hung up on it, and `next` is the same letter at that very moment.
    #[must_use]
    pub fn is_hung_up_on(&self, next: &Self) -> bool {
        let same_letter = self.letter.message_id == next.letter.message_id;
        same_letter && self.at == next.at && self.end == Some(End::Answered(421))
    }

    /// Whether the engine was asked for the dot and withheld it: the books may say that it left, if
    /// the lease was lost meanwhile and another engine had to settle the message.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.end == Some(End::NotSent) && self.dot == Dot::Asked
    }

    /// Whether the engine vanished while it was asked for the dot: the books may say that it left,
    /// and it did not.
    #[must_use]
    pub fn may_count(&self) -> bool {
        self.end.is_none() && self.dot == Dot::Asked
    }
}

/// How far the final dot got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dot {
    /// Nobody spoke of it.
    Unasked,
    /// The engine was asked, and has not said yes.
    Asked,
    /// The engine said yes: from then on the letter may be with the server.
    Allowed,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this reply code.
    Answered(u16),
    /// Before the dot, and no server refused it.
    NotSent,
    /// Between the dot and its answer.
    InDoubt,
}

/// Something that came in, at the moment the engine was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it is about.
    pub about: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The day from which somebody away is back.
    pub back_on: Option<Date>,
    /// When.
    pub at: Millis,
}

/// Everything.
#[derive(Debug, Default)]
pub struct Record {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// Each reading of an inbox that came about: whose, and when.
    pub readings: Vec<(Address, Millis)>,
    /// What the readings told.
    pub told: Vec<Told>,
}

/// The record, as the seams and the oracle share it.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Record>>);

impl Log {
    /// Opens the record.
    pub fn open(&self) -> MutexGuard<'_, Record> {
        self.0.lock().expect("nothing panics while it holds the record")
    }
}
