//! What stops a loop.

use warmfront_store::StoreError;

/// A failure of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The books.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the books hold does not load with this version.
    #[error("campaign {slug} in the books does not load: {why}")]
    Campaign {
        /// The campaign.
        slug: String,
        /// Why.
        why: String,
    },
    /// The clock is behind the books.
    #[error(
        "the clock was set back: it is {behind} behind the latest entry of the books; set it right, nothing is sent until then"
    )]
    ClockSetBack {
        /// By how much.
        behind: String,
    },
    /// A loop came to an end that has none.
    #[error("the {0} broke; start the daemon again, and report what the log says")]
    Broken(&'static str),
    /// A campaign folder could not be read to its end.
    #[error("the prospect list could not be read to its end; nothing was imported")]
    ListBroken,
}

impl EngineError {
    /// Whether waiting may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::ClockSetBack { .. } => true,
            Self::Campaign { .. } | Self::ListBroken | Self::Broken(_) => false,
        }
    }
}
