//! What is wrong with an operator's file, said so that it can be mended: where, what, what to do.
//!
//! Loading never stops at the first problem: a person mends a file once, not once per line.

use std::fmt;

/// Whether a problem forbids going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is loaded until it is mended.
    Error,
    /// The same, because a safety rule says no.
    Refusal,
    /// Loaded, and worth knowing.
    Warning,
}

/// One thing wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Problem {
    /// The file as the operator would name it.
    pub file: String,
    /// Its line, from 1, where one line is to blame.
    pub line: Option<usize>,
    /// Whether it forbids going on.
    pub severity: Severity,
    /// What is wrong and what to do, one sentence or two.
    pub what: String,
}

impl Problem {
    /// A problem that forbids going on.
    pub fn error(file: impl Into<String>, line: Option<usize>, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, severity: Severity::Error, what: what.into() }
    }

    /// A problem of a file that is right, and asks for what a safety rule forbids.
    pub fn refusal(file: impl Into<String>, line: Option<usize>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Refusal, ..Self::error(file, line, what) }
    }

    /// A problem that is only said.
    pub fn warning(file: impl Into<String>, line: Option<usize>, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, severity: Severity::Warning, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match self.severity {
            Severity::Error | Severity::Refusal => write!(f, ": {}", self.what),
            Severity::Warning => write!(f, ": warning: {}", self.what),
        }
    }
}

/// Whether any of them forbids going on.
#[must_use]
pub fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|p| p.severity != Severity::Warning)
}

/// The known word nearest to a misspelt one, if any is near enough to have been meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(word.len()).div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where() {
        let problem = Problem::error("prospects.csv", Some(14), "`emial` is no column");
        assert_eq!(problem.to_string(), "prospects.csv:14: `emial` is no column");
        let warning = Problem::warning("campaign.toml", None, "no holidays");
        assert_eq!(warning.to_string(), "campaign.toml: warning: no holidays");
    }

    #[test]
    fn the_nearest_word_is_one_that_could_have_been_meant() {
        assert_eq!(nearest("emial", ["email", "title"]), Some("email"));
        assert_eq!(nearest("warmpu", ["warmup", "window"]), Some("warmup"));
        assert_eq!(nearest("zzz", ["email", "title"]), None);
    }
}
