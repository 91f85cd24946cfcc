//! What `ledger --json` prints.

use serde::Deserialize;

/// One message. A field more or less is an error: scripts read these.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerLine {
    /// The campaign's name.
    pub campaign: String,
    /// The prospect's address, unless it was erased.
    pub rcpt: Option<String>,
    /// Which step, from 1.
    pub step: u32,
    /// The mailbox it leaves from.
    pub mailbox: String,
    /// Where it stands.
    pub state: String,
    /// Its Message-ID, once it was claimed.
    pub message_id: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it may leave, RFC 3339 in UTC.
    pub due_at: String,
    /// When its fate was known.
    pub settled_at: Option<String>,
    /// Why it stands there.
    pub why: Option<String>,
}
