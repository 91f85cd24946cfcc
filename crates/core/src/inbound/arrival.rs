//! The facts of an arrival: what its octets say, and nothing decided yet.

use crate::address::Address;
use crate::answer::Enhanced;
use crate::span::Millis;

/// One arrival as it was read, bounded in every field by whoever read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// What tells it from any other: see [`super::Inbound::key`].
    pub key: String,
    /// When the server took it.
    pub received_at: Millis,
    /// When it was written, as its `Date` says.
    pub written_at: Option<Millis>,
    /// Its own Message-ID.
    pub message_id: Option<String>,
    /// The first address of its `From`.
    pub from: Option<Address>,
    /// The addresses of its `To` and `Delivered-To`.
    pub to: Vec<Address>,
    /// Its subject, decoded.
    pub subject: String,
    /// What it answers: the ids of `In-Reply-To`, then of `References`, the last first.
    pub refers_to: Vec<String>,
    /// The header fields by which machines are known.
    pub marks: Marks,
    /// What a delivery report says of each recipient; empty for whatever is no such report.
    pub failures: Vec<Failure>,
    /// What a feedback report says.
    pub feedback: Option<Feedback>,
    /// The message that a report returns, or its header.
    pub returned: Returned,
    /// What its writer wrote themselves: neither what they quote nor their signature.
    pub text: String,
}

/// Header fields by which machines are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The keyword of `Auto-Submitted` (RFC 3834, section 5), in lower case.
    pub auto_submitted: Option<String>,
    /// A responder's own field: `X-Autoreply`, `X-Autorespond`, `Precedence: auto_reply`, Exchange's
    /// rules, Apple's vacation.
    pub is_responder: bool,
    /// It was sent with the null return path: nobody is to answer (RFC 5321, section 4.5.5).
    pub is_from_nobody: bool,
    /// It was sent to many: `List-Id`, `List-Unsubscribe`, `Precedence: bulk` or `list`.
    pub is_bulk: bool,
}

/// What a delivery report says of one recipient (RFC 3464, section 2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// `Original-Recipient`, as we wrote it, then `Final-Recipient`, where they are addresses.
    pub recipients: Vec<Address>,
    /// `Action`.
    pub action: Option<Action>,
    /// `Status`.
    pub status: Option<Enhanced>,
    /// `Diagnostic-Code`, or the words around the recipient where there is no such field.
    pub diagnostic: String,
    /// What the part for people says behind the recipient: servers often quote the session there
    /// alone.
    pub prose: String,
}

/// RFC 3464, section 2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It could not be delivered.
    Failed,
    /// It could not be delivered yet.
    Delayed,
    /// Delivered, relayed or expanded: all is well.
    Done,
}

/// What a feedback report says (RFC 5965).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// `Feedback-Type`, in lower case.
    pub kind: String,
    /// `Original-Rcpt-To`.
    pub recipients: Vec<Address>,
}

/// The message that a report returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// Its Message-IDs: its own, and what a provider called it before.
    pub names: Vec<String>,
    /// Whom it went to.
    pub to: Vec<Address>,
}

impl Arrival {
    /// Every Message-ID it names, the likeliest to be ours first; at most [`NAMES_MAX`].
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.returned.names.iter().chain(&self.refers_to) {
            if names.len() < NAMES_MAX && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// What it says of the recipient we wrote to. Our messages have one; of several blamed, that is
    /// whom the returned message went to.
    pub(super) fn failure(&self) -> Option<&Failure> {
        let is_ours = |failure: &&Failure| {
            failure.recipients.iter().any(|address| self.returned.to.contains(address))
        };
        let has_failed = |failure: &&Failure| failure.action == Some(Action::Failed);
        let mut failures = self.failures.iter();
        self.failures
            .iter()
            .find(is_ours)
            .or_else(|| self.failures.iter().find(has_failed))
            .or_else(|| failures.next())
    }
}

/// How many of the Message-IDs that an arrival names are looked up.
pub const NAMES_MAX: usize = 64;
