//! Step templates: what they may say, and how they become a message for one person.
//!
//! A value that is missing or empty blocks that person's message, never leaves a hole in it; a
//! template says what to do instead with `{{default first_name "there"}}` or `{{#if company}}`. All
//! values are plain texts: those of the list, the sender's mailbox, and the three lines of the
//! [`Footer`], which is appended to every message whose template does not place them itself.
//!
//! Subject and text are rendered as they are, the HTML twin with every value escaped. Templates are
//! bounded in size, depth and output, and can reach nothing but their values. A [`Renderer`] is made
//! of [`StepSource`]s alone, so that it can be made again from what the store keeps.

mod compile;
mod footer;
mod honest;
mod lint;
mod proof;
mod renderer;
mod scan;
pub(crate) mod step_file;
mod words;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use warmfront_core::address::Address;
use warmfront_core::problem::Severity;

pub(crate) use self::compile::Compiles;
pub use self::footer::{Footer, OPT_OUT};
pub use self::renderer::Renderer;

/// One variant of one step, as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSource {
    /// From 1.
    pub position: u32,
    /// `a` where the step has only one.
    pub variant: String,
    /// The subject's template; without one the step replies in thread.
    pub subject: Option<String>,
    /// The text's template.
    pub text: String,
    /// The template of its HTML twin.
    pub html: Option<String>,
}

impl StepSource {
    /// A stable fingerprint of what it says, in hexadecimal: the same text, the same revision.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.subject.as_ref(), Some(&self.text), self.html.as_ref()] {
            // The length before each part, or text moved between parts would hash the same.
            hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            hash.update(part.map_or("", String::as_str));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The mailbox a message leaves from, as far as templates see it.
#[derive(Clone, Copy, Debug)]
pub struct Mailbox<'a> {
    /// `{{sender_name}}`.
    pub name: &'a str,
    /// `{{sender_address}}`.
    pub address: &'a Address,
}

/// A message's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// None where the step replies in thread.
    pub subject: Option<String>,
    /// The text, its lines ended by line feeds.
    pub text: String,
    /// The HTML twin.
    pub html: Option<String>,
}

/// A part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The subject line.
    Subject,
    /// The text.
    Text,
    /// The HTML twin.
    Html,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "HTML",
        })
    }
}

/// Why a person gets no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {position} ({variant}), {part}{}: {what}", .line.map_or_else(String::new, |line| format!(" line {line}")))]
pub struct RenderProblem {
    /// The step.
    pub position: u32,
    /// Its variant.
    pub variant: String,
    /// Which part of it.
    pub part: Part,
    /// The line within that part, from 1.
    pub line: Option<usize>,
    /// The value that is missing, where one is.
    pub variable: Option<String>,
    /// What is wrong and what to do.
    pub what: String,
}

/// Something wrong with a template, at a line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) line: usize,
    pub(crate) severity: Severity,
    pub(crate) what: String,
}

impl Flaw {
    fn error(line: usize, what: impl Into<String>) -> Self {
        Self { line, severity: Severity::Error, what: what.into() }
    }
}

/// Which of `count` variants a person gets: a pure function of who, which step and which campaign,
/// so that a second run, another worker or another machine agrees.
#[must_use]
pub fn variant_index(campaign: &str, position: u32, to: &Address, count: usize) -> usize {
    let mut hash = Sha256::new();
    hash.update(campaign.as_bytes());
    hash.update([0]);
    hash.update(position.to_be_bytes());
    hash.update(to.as_str().as_bytes());
    let digest = hash.finalize();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let count = count.max(1) as u64;
    usize::try_from(number % count).unwrap_or(0)
}

/// The names every template knows besides the columns: the mailbox and the footer.
pub(crate) const SENDER_NAMES: [&str; 5] = [
    "sender_name",
    "sender_address",
    footer::LEGAL_NAME,
    footer::POSTAL_ADDRESS,
    footer::OPT_OUT_NAME,
];

#[cfg(test)]
mod tests;
