//! How a command ends: 0 done, 1 it failed, 2 wrong use, 3 refused by a safety rule.

use std::io::Write as _;
use std::process::ExitCode;

use warmfront_core::problem::{Problem, Severity};
use warmfront_engine::EngineError;
use warmfront_engine::import::ImportError;
use warmfront_store::StoreError;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It failed.
    Failed(anyhow::Error),
    /// Files have problems, each said by itself.
    Problems(Vec<Problem>),
    /// It was asked for something that makes no sense.
    Usage(String),
    /// A safety rule says no.
    Refused(String),
    /// Everything is said already.
    Said,
}

/// What a command comes to.
pub(crate) type Done = Result<(), Failure>;

impl Failure {
    /// Something went wrong.
    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(error.into())
    }

    /// Tells the person, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let mut err = anstream::stderr().lock();
        // Nobody is there to be told where stderr is gone.
        match self {
            Self::Failed(error) => {
                let _ = writeln!(err, "error: {error:#}");
                ExitCode::from(1)
            }
            Self::Problems(problems) => {
                for problem in &problems {
                    let _ = writeln!(err, "{problem}");
                }
                // Where a file has mistakes too, mending them comes first.
                let only_rules = problems.iter().all(|p| p.severity != Severity::Error);
                ExitCode::from(if only_rules { 3 } else { 1 })
            }
            Self::Usage(what) => {
                let _ = writeln!(err, "error: {what}");
                ExitCode::from(2)
            }
            Self::Refused(what) => {
                let _ = writeln!(err, "refused: {what}");
                ExitCode::from(3)
            }
            Self::Said => ExitCode::from(1),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::InUse { .. }
            | StoreError::TooOld { .. }
            | StoreError::Forgetful { .. }
            | StoreError::WrongClock { .. }
            | StoreError::Restored { .. }
            | StoreError::Watermark { .. }
            | StoreError::StepAwaited { .. } => Self::Refused(error.to_string()),
            other => Self::failed(other),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::ClockSetBack { .. } => Self::Refused(error.to_string()),
            other => Self::failed(other),
        }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::List(problems) => Self::Problems(problems),
            ImportError::Engine(error) => error.into(),
        }
    }
}
