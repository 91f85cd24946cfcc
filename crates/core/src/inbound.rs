//! What came in, as far as its structure tells.

use crate::address::Address;
use crate::span::Millis;

/// One arrival in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// What tells this arrival from any other of the mailbox, for ever: reading it twice counts
    /// once.
    pub key: String,
    /// When the server took it.
    pub received_at: Millis,
    /// Whom it comes from, as its `From` line says.
    pub from: Option<Address>,
    /// The RFC 5322 Message-ID of ours that it names, if it names one.
    pub about: Option<String>,
    /// What it is.
    pub kind: Kind,
}

/// What an arrival is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person answered. Doubt counts as a reply.
    Reply,
    /// A machine answered (RFC 3834): no reply, no refusal.
    AutoReply,
    /// A report that delivery failed for good (RFC 3464, `Action: failed`, class 5).
    HardBounce {
        /// The address it failed for.
        recipient: Address,
    },
    /// A report that delivery failed, but not for good.
    SoftBounce,
    /// A feedback report (RFC 5965): the recipient called it spam.
    Complaint,
    /// The person asks not to be written to.
    Unsubscribe,
    /// None of our business.
    Unrelated,
}

impl Kind {
    /// The kind as it is written in the books.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::AutoReply => "auto_reply",
            Self::HardBounce { .. } => "hard_bounce",
            Self::SoftBounce => "soft_bounce",
            Self::Complaint => "complaint",
            Self::Unsubscribe => "unsubscribe",
            Self::Unrelated => "unrelated",
        }
    }
}
