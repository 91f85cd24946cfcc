//! The seam to what goes out: one letter at a time, and at the end of each, what is known of it.
//!
//! The one thing the books need from a server is *which* of three ends a letter came to: answered,
//! surely not sent, or in doubt. Everything here is shaped so that they cannot be mixed up.
//! Retrying, counting and pausing are the caller's.

use std::fmt;
use std::future::Future;

use warmfront_core::address::Address;
use warmfront_core::answer::{Answer, Phase};
use warmfront_core::span::Millis;

/// A composed message and its envelope: one sender, one recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The envelope sender, which is the mailbox: providers insist.
    pub from: Address,
    /// The one recipient.
    pub to: Address,
    /// The whole message, RFC 5322, 7-bit, every line ended by CRLF.
    pub bytes: Vec<u8>,
}

/// Leaves the message out, and the addresses too: a letter may end up in a log.
impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({} octets)", self.bytes.len())
    }
}

/// How far a letter got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// MAIL was accepted.
    Mail,
    /// RCPT was accepted.
    Rcpt,
    /// The whole body is written and flushed, and not one byte of the final CRLF.CRLF.
    BodyWritten,
    /// The final dot is on the wire. Only an answer tells what became of the letter now.
    DotWritten,
}

/// The caller cannot go on, and says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Halt(pub String);

/// Who is told how far a letter got, and may stop it there.
pub trait Progress: Send {
    /// The letter reached a stage. Nothing further is sent until this is done: what must be
    /// durable before the dot is made durable at [`Stage::BodyWritten`].
    fn reached(&mut self, stage: Stage) -> impl Future<Output = Result<(), Halt>> + Send;
}

/// Why something could not be done. No secret is ever in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A server said no.
    #[error("{0}")]
    Refused(Answer),
    /// The connection failed, timed out, or carried something that is no answer.
    #[error("the connection was lost at {}: {why}", phase.as_str())]
    Lost {
        /// Where in the dialogue.
        phase: Phase,
        /// What happened.
        why: String,
    },
    /// Going on would be unsafe, or this configuration cannot work; an operator must look.
    #[error("{0}")]
    Unsafe(String),
    /// Somebody must log in first: there is no token to log in with.
    #[error("somebody must log in: {0}")]
    NeedsLogin(String),
    /// There is no token to log in with at the moment; nothing is wrong with the mailbox.
    #[error("there is no token to log in with: {0}")]
    NoToken(String),
    /// What the log-in takes is kept elsewhere, and is not to be had there. No server was asked.
    #[error("{0}")]
    NoSecret(String),
    /// The same, and whoever keeps it may give it out the next time.
    #[error("{0}")]
    SecretAway(String),
    /// The caller could not go on.
    #[error("stopped by the sender: {0}")]
    Halted(String),
}

impl Trouble {
    /// The server's no, where that is what it is.
    pub fn into_answer(self) -> Result<Answer, Self> {
        match self {
            Self::Refused(answer) => Ok(answer),
            trouble @ (Self::Lost { .. }
            | Self::Unsafe(_)
            | Self::NeedsLogin(_)
            | Self::NoToken(_)
            | Self::NoSecret(_)
            | Self::SecretAway(_)
            | Self::Halted(_)) => Err(trouble),
        }
    }
}

/// How a letter ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered, for good or ill; the answer's phase says what to.
    Answered(Answer),
    /// Surely not sent, and no server refused the letter.
    NotSent(Trouble),
    /// Lost between the dot and the answer: perhaps taken, perhaps not.
    InDoubt {
        /// What happened.
        why: String,
    },
}

/// One mailbox, as a way out.
///
/// A future dropped half-way costs the connection, never the truth: what had not reached
/// [`Stage::BodyWritten`] was surely not sent.
pub trait Submit: Send {
    /// Whether a letter could leave without connecting first. Logging in costs the server's
    /// patience, so nobody does it for a letter that may not leave.
    fn is_open(&self, now: Millis) -> bool;

    /// Opens a connection and logs in, or makes sure of the one there is. Called before a message
    /// is claimed, so that an unreachable server costs no attempt.
    fn ready(&mut self, now: Millis) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Hands one letter over.
    fn submit<P: Progress>(
        &mut self,
        letter: &Letter,
        now: Millis,
        progress: &mut P,
    ) -> impl Future<Output = Outcome> + Send;

    /// Takes leave. Best effort: it waits for 2 seconds at most, and its failing changes nothing.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}
