//! Why a mailbox is paused: the word in the books, the sentence for people, and whether it ends by
//! itself. For how long is said beside the thresholds.

use std::fmt;

use crate::span::{Millis, length_text};

/// Why a mailbox is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseReason {
    /// Refusals of the sender reached a tenth of the day's allotment.
    SenderRejections {
        /// How many today.
        rejections: u32,
        /// Of how many allotted.
        allotted: u32,
    },
    /// Too many of the last messages bounced.
    HardBounces {
        /// How many.
        bounces: u32,
        /// Of how many.
        last: u32,
    },
    /// The bounce rate is above what any list of living addresses has.
    BounceRate {
        /// Hard bounces in the window.
        bounces: u32,
        /// Messages settled in the window.
        settled: u32,
        /// The window.
        within: Millis,
    },
    /// Called spam by a server.
    Spam,
    /// Called spam by a recipient.
    Complaint,
    /// The log-in was refused.
    Credentials,
    /// Its tokens are gone: a person must log in again.
    Login,
    /// Its sending domain is paused.
    Domain,
    /// Its tenant is paused.
    Tenant,
    /// Its provider takes no more today.
    Quota,
    /// Its provider takes no more of its tenant today.
    TenantQuota,
    /// Its server cannot be used safely, or refuses how it is configured.
    Configuration,
    /// Its provider has stopped it.
    Banned,
    /// Its provider has stopped its tenant.
    TenantStopped,
    /// The books are a restored copy, and what it sent since nothing shows.
    Restored,
    /// An operator said so.
    Operator,
}

impl PauseReason {
    /// The word in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SenderRejections { .. } => "sender_rejections",
            Self::HardBounces { .. } => "hard_bounces",
            Self::BounceRate { .. } => "bounce_rate",
            Self::Spam => "spam",
            Self::Complaint => "complaint",
            Self::Credentials => "credentials",
            Self::Login => "login",
            Self::Domain => "domain",
            Self::Tenant => "tenant",
            Self::Quota => "quota",
            Self::TenantQuota => "tenant_quota",
            Self::Configuration => "configuration",
            Self::Banned => "banned",
            Self::TenantStopped => "tenant_stopped",
            Self::Restored => "restored",
            Self::Operator => "operator",
        }
    }

    /// The reason of that word, its figures unknown.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::SenderRejections { rejections: 0, allotted: 0 },
            Self::HardBounces { bounces: 0, last: 0 },
            Self::BounceRate { bounces: 0, settled: 0, within: 0 },
            Self::Spam,
            Self::Complaint,
            Self::Credentials,
            Self::Login,
            Self::Domain,
            Self::Tenant,
            Self::Quota,
            Self::TenantQuota,
            Self::Configuration,
            Self::Banned,
            Self::TenantStopped,
            Self::Restored,
            Self::Operator,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == word)
    }

    /// Whether it is about how the mailbox is seen by servers, so that two of them in one domain
    /// speak against the domain.
    #[must_use]
    pub fn is_policy(self) -> bool {
        matches!(self, Self::SenderRejections { .. } | Self::Spam | Self::Complaint)
    }

    /// Whether it takes the place of a pause for `other`: what servers and people think of a mailbox
    /// is not lost behind a person's word, or a full quota.
    #[must_use]
    pub fn outweighs(self, other: Self) -> bool {
        self.repeats() && !other.repeats()
    }

    /// Whether it says only that a limit of the provider is reached, which is over in a day.
    #[must_use]
    pub fn is_quota(self) -> bool {
        matches!(self, Self::Quota | Self::TenantQuota)
    }

    /// Whether it makes the next pause longer. A full quota, and what waits for a person to mend it,
    /// say nothing of how the mailbox is seen.
    #[must_use]
    pub fn repeats(self) -> bool {
        self.ends_by_itself() && !self.is_quota()
    }

    /// Whether waiting mends it. A log-in, configuration, a provider's ban, a restored copy and an
    /// operator's word wait for a person.
    #[must_use]
    pub fn ends_by_itself(self) -> bool {
        !matches!(
            self,
            Self::Credentials
                | Self::Login
                | Self::Configuration
                | Self::Banned
                | Self::TenantStopped
                | Self::Restored
                | Self::Operator
        )
    }
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SenderRejections { rejections, allotted } => {
                write!(f, "the server refused the sender {rejections} times of {allotted} today")
            }
            Self::HardBounces { bounces, last } => {
                write!(f, "{bounces} of the last {last} messages bounced")
            }
            Self::BounceRate { bounces, settled, within } => {
                let within = length_text(*within);
                write!(f, "{bounces} of {settled} messages within {within} bounced")
            }
            Self::Spam => f.write_str("a server called its mail spam"),
            Self::Complaint => f.write_str("a recipient reported its mail as spam"),
            Self::Credentials => f.write_str("the server refused the log-in"),
            Self::Login => f.write_str("somebody must log in for it"),
            Self::Domain => f.write_str("its sending domain was refused"),
            Self::Tenant => f.write_str("its tenant was refused"),
            Self::Quota => f.write_str("its provider's sending limit is reached"),
            Self::TenantQuota => f.write_str("its tenant's sending limit is reached"),
            Self::Configuration => f.write_str("its server cannot be used as it is set up"),
            Self::Banned => f.write_str("its provider has stopped it"),
            Self::TenantStopped => f.write_str("its provider has stopped its tenant"),
            Self::Restored => f.write_str(
                "the books were restored, and nothing shows what it has sent since the copy was \
                 made",
            ),
            Self::Operator => f.write_str("paused by the operator"),
        }
    }
}
