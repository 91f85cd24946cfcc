//! The seam to what comes in.
//!
//! An inbox only reads: it deletes nothing, marks nothing and moves nothing. It keeps no place of
//! its own either: the books say how far each folder was read, and take what a reading found
//! together with how far it got. What an arrival means for an enrolment is decided elsewhere.

use std::future::Future;
use std::time::Duration;

use warmfront_core::reading::{Bookmarks, Reading};
use warmfront_core::span::Millis;

use crate::submit::Trouble;

/// Why an inbox cannot be read. No secret is ever in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The server knows us not, or our password not. Whoever insists is shut out.
    #[error("the server refused the log-in: {0}")]
    LogIn(String),
    /// The server said no to something else.
    #[error("the server refused {what}: {said}")]
    Refused {
        /// The command.
        what: String,
        /// Its answer.
        said: String,
    },
    /// The connection failed, timed out, or carried something that is no answer.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// Going on would be unsafe, or this configuration cannot work; an operator must look.
    #[error("{0}")]
    Unsafe(String),
    /// Somebody must log in first: there is no token to log in with.
    #[error("somebody must log in: {0}")]
    NeedsLogin(String),
    /// What the log-in takes is kept elsewhere, and was not to be had there. No server was asked.
    #[error("{0}")]
    NoSecret(String),
}

impl Unreadable {
    /// Whether it stays so until somebody mends something. Of a log-in that is missing the books
    /// tell when it is there, and to look there costs no server anything.
    #[must_use]
    pub fn needs_an_operator(&self) -> bool {
        matches!(self, Self::LogIn(_) | Self::Unsafe(_))
    }
}

impl From<Trouble> for Unreadable {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unsafe(why) => Self::Unsafe(why),
            Trouble::NeedsLogin(why) => Self::NeedsLogin(why),
            Trouble::NoSecret(why) | Trouble::SecretAway(why) => Self::NoSecret(why),
            Trouble::Lost { why, .. } => Self::Lost(why),
            Trouble::Refused(_) | Trouble::NoToken(_) | Trouble::Halted(_) => {
                Self::Lost(trouble.to_string())
            }
        }
    }
}

/// One mailbox, as a source of what came in.
///
/// A future dropped half-way costs the connection and nothing else.
pub trait Inbox: Send {
    /// What has arrived since the bookmarks, and what went out; a part of it where there is much. An
    /// arrival may be told of twice: its key stays the same.
    fn read(
        &mut self,
        bookmarks: &Bookmarks,
        now: Millis,
    ) -> impl Future<Output = Result<Reading, Unreadable>> + Send;

    /// Whether there is a connection, over which a server could tell of news.
    fn is_open(&self) -> bool;

    /// Waits for news, for that long at most. `false` says nothing: the time is over, or this server
    /// does not tell of news.
    fn news(&mut self, within: Duration) -> impl Future<Output = bool> + Send;

    /// Takes leave until the next reading. Best effort, like a letter's.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}
