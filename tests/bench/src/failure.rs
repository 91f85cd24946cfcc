//! Why a figure is missing.

/// A row is told with this in place of its figures, never left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// A peer could not be had; says what to type.
    #[error("{0}")]
    Missing(String),
    /// It did not come to its end in time.
    #[error("{what} was stopped after {seconds} s")]
    TooSlow { what: String, seconds: u64 },
    /// Something went wrong while measuring.
    #[error("{0}")]
    Broken(String),
}

impl Failure {
    /// Something that went wrong with `what`.
    pub(crate) fn of(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Broken(format!("{what}: {error}"))
    }
}
