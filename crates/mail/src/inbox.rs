//! The seam to what comes in.
//!
//! An inbox only reads: it deletes nothing and marks nothing. What an arrival means for an
//! enrolment is decided elsewhere.

use std::future::Future;

use warmfront_core::inbound::Inbound;
use warmfront_core::span::Millis;

use crate::submit::Trouble;

/// One mailbox, as a source of what came in.
pub trait Inbox: Send {
    /// What has arrived since the last read. An arrival may be told of twice, after a reconnect
    /// say: its key stays the same.
    fn read(&mut self, now: Millis) -> impl Future<Output = Result<Vec<Inbound>, Trouble>> + Send;
}

/// An inbox that nobody reads: it cannot be made, only not be there.
#[derive(Clone, Copy, Debug)]
pub enum NoInbox {}

impl Inbox for NoInbox {
    async fn read(&mut self, _now: Millis) -> Result<Vec<Inbound>, Trouble> {
        match *self {}
    }
}
