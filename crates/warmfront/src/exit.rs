//! How a command ends: 0 done, 1 it failed, 2 wrong use, 3 refused by a safety rule.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;
use warmfront_core::problem::{Problem, Severity};
use warmfront_engine::EngineError;
use warmfront_engine::import::ImportError;
use warmfront_store::StoreError;

use crate::print;

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
    /// Everything is said already; this is the exit code.
    Said(u8),
}

/// What a command comes to.
pub(crate) type Done = Result<(), Failure>;

impl Failure {
    /// Something went wrong.
    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(error.into())
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            // Where a file has mistakes too, mending them comes first.
            Self::Problems(problems) => code_of(problems),
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Said(code) => *code,
        }
    }

    /// What to tell, a line each: on stderr for people, as JSON on stdout where that was asked for.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let code = self.code();
        // Nobody is there to be told where stderr is gone.
        let mut err = anstream::stderr().lock();
        let (errors, warnings) = match self {
            Self::Failed(error) => (vec![format!("error: {error:#}")], Vec::new()),
            Self::Usage(what) => (vec![format!("error: {what}")], Vec::new()),
            Self::Refused(what) => (vec![format!("refused: {what}")], Vec::new()),
            Self::Problems(problems) => {
                let (warnings, errors): (Vec<_>, Vec<_>) =
                    problems.iter().partition(|p| p.severity == Severity::Warning);
                let told = |problems: Vec<&Problem>| {
                    problems.into_iter().map(ToString::to_string).collect::<Vec<_>>()
                };
                (told(errors), told(warnings))
            }
            Self::Said(_) => return ExitCode::from(code),
        };
        for line in warnings.iter().chain(&errors) {
            let _ = writeln!(err, "{line}");
        }
        drop(err);
        if json {
            let bare = |line: &String| {
                let bare = line.strip_prefix("error: ").or(line.strip_prefix("refused: "));
                bare.unwrap_or(line).to_owned()
            };
            print::say_json(&json!({
                "ok": false,
                "errors": errors.iter().map(bare).collect::<Vec<_>>(),
                "warnings": warnings,
                "exit": code,
            }));
        }
        ExitCode::from(code)
    }
}

/// 3 where only safety rules are in the way.
pub(crate) fn code_of(problems: &[Problem]) -> u8 {
    if problems.iter().all(|p| p.severity != Severity::Error) { 3 } else { 1 }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::InUse { .. }
            | StoreError::TooOld { .. }
            | StoreError::Forgetful { .. }
            | StoreError::WrongClock { .. }
            | StoreError::Restored { .. }
            | StoreError::Outdated { .. }
            | StoreError::Replaced { .. }
            | StoreError::Watermark { .. }
            | StoreError::Gone { .. }
            | StoreError::Arriving { .. }
            | StoreError::Occupied { .. }
            | StoreError::AnotherKey
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
