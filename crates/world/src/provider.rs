//! What a provider allows the mailboxes it carries.

/// A provider's limits and habits. Without limits by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// The most letters of one mailbox in any minute.
    pub per_minute: Option<u32>,
    /// The most letters of one mailbox in any 24 hours.
    pub per_day: Option<u32>,
    /// The most connections of one mailbox at once.
    pub connections: Option<u32>,
    /// Whether it puts a Message-ID of its own in the place of ours and tells it in the answer to
    /// the dot, as Outlook.com does.
    pub rewrites_ids: bool,
}
