//! A campaign folder as a whole: `campaign.toml`, `prospects.csv`, `steps/*.hbs`.

mod steps;

use std::fs;
use std::path::{Path, PathBuf};

use warmfront_core::address::Address;
use warmfront_core::problem::Problem;
use warmfront_core::sequence::Wait;
use warmfront_core::span::Millis;

use crate::manifest::{self, Manifest};
use crate::prospects::{self, Columns, FileReport, Row};
use crate::templates::{Footer, Mailbox, Renderer, StepSource};

/// Who writes, from `warmfront.toml`; a campaign does not load without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The name in law.
    pub legal_name: String,
    /// Where letters reach the sender.
    pub postal_address: String,
}

/// What loading a folder is told from outside.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Who writes.
    pub sender: &'a Sender,
    /// The least time between two messages to one person.
    pub person_gap: Millis,
    /// The list's encoding, where it is neither UTF-8 nor marked.
    pub encoding: Option<&'a str>,
}

/// A campaign that can be imported.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name in commands and books: the folder's.
    pub slug: String,
    /// The folder.
    pub dir: PathBuf,
    /// Its settings.
    pub manifest: Manifest,
    /// Its steps, from the first.
    pub steps: Vec<Step>,
    /// The columns of its list.
    pub columns: Columns,
    /// What ends every message.
    pub footer: Footer,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// From 1.
    pub position: u32,
    /// How long it waits for the step before it.
    pub wait: Option<Wait>,
    /// Its variants by name, at least one.
    pub variants: Vec<Variant>,
}

/// One variant of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The file, as the manifest would name it.
    pub file: String,
    /// The line its text begins on.
    pub text_line: usize,
    /// What it says.
    pub source: StepSource,
    /// [`StepSource::content_hash`].
    pub hash: String,
}

impl Campaign {
    /// All variants of all steps as plain data, for the store and for [`Renderer::from_sources`].
    #[must_use]
    pub fn sources(&self) -> Vec<StepSource> {
        let variants = self.steps.iter().flat_map(|step| &step.variants);
        variants.map(|variant| variant.source.clone()).collect()
    }

    /// Where its list is.
    #[must_use]
    pub fn prospects(&self) -> PathBuf {
        self.dir.join(PROSPECTS)
    }

    /// What renders its steps.
    pub fn renderer(&self) -> Result<Renderer, Vec<Problem>> {
        Renderer::from_sources(&self.sources(), self.footer.clone())
    }
}

/// Reads a folder: the campaign, where nothing forbids it, and every problem of its manifest, steps
/// and list heading. The rows of the list are read by [`prospects::read`].
#[must_use]
pub fn load(dir: &Path, terms: &Terms<'_>) -> (Option<Campaign>, Vec<Problem>) {
    let mut problems = Vec::new();
    let slug = slug(dir).map_err(|problem| problems.push(problem)).ok();
    let sender = terms.sender;
    for (key, value) in
        [("legal_name", &sender.legal_name), ("postal_address", &sender.postal_address)]
    {
        if value.trim().is_empty() {
            let what = format!("`{key}` is missing in [sender]: no message leaves without it");
            problems.push(Problem::error("warmfront.toml", None, what));
        }
    }
    let manifest = fs::read_to_string(dir.join(MANIFEST))
        .map_err(|error| vec![Problem::error(MANIFEST, None, format!("cannot be read: {error}"))])
        .and_then(|text| manifest::read(MANIFEST, &text, terms.person_gap));
    let manifest = manifest.map_err(|found| problems.extend(found)).ok();
    let columns = prospects::columns(&dir.join(PROSPECTS), terms.encoding)
        .map_err(|found| problems.extend(found))
        .ok();
    let steps = manifest
        .as_ref()
        .map(|manifest| steps::read(dir, &manifest.steps, columns.as_ref(), &mut problems));
    problems.sort();
    let possible = !warmfront_core::problem::any_error(&problems);
    let campaign = slug.zip(manifest).zip(steps).zip(columns).filter(|_| possible).map(
        |(((slug, manifest), steps), columns)| Campaign {
            slug,
            dir: dir.to_owned(),
            footer: Footer {
                legal_name: sender.legal_name.trim().to_owned(),
                postal_address: sender.postal_address.trim().to_owned(),
                opt_out: manifest.opt_out.clone(),
            },
            manifest,
            steps,
            columns,
        },
    );
    (campaign, problems)
}

/// A step that cannot be written to a person of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The person's line in the list.
    pub line: usize,
    /// The person.
    pub address: Address,
    /// Which step, and why; the first of them.
    pub why: String,
}

/// What a list and its steps make of one another.
#[derive(Clone, Debug)]
pub struct Check {
    /// What the list holds.
    pub report: FileReport,
    /// How many accepted people cannot be written to.
    pub blocked: u64,
    /// The first of them, at most [`DETAILS_MAX`].
    pub details: Vec<Blocked>,
}

/// Renders every step for every person of the list, in constant memory. `mailbox` stands for the one
/// each message will leave from.
pub fn check(
    campaign: &Campaign,
    encoding: Option<&str>,
    mailbox: Mailbox<'_>,
) -> Result<Check, Vec<Problem>> {
    let renderer = campaign.renderer()?;
    let (mut blocked, mut details) = (0, Vec::new());
    let report = prospects::read(&campaign.prospects(), encoding, |row| {
        let Row::Accepted { line, prospect } = row else { return };
        if let Some(why) = renderer.unwritable(&campaign.slug, &prospect, mailbox) {
            blocked += 1;
            if details.len() < DETAILS_MAX {
                details.push(Blocked { line, address: prospect.address, why: why.to_string() });
            }
        }
    })?;
    Ok(Check { report, blocked, details })
}

/// The folder's name, which commands, books and addresses of pages will carry.
fn slug(dir: &Path) -> Result<String, Problem> {
    let shown = dir.display().to_string();
    let whole = dir
        .canonicalize()
        .map_err(|error| Problem::error(&shown, None, format!("no such folder: {error}")))?;
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > SLUG_MAX || !name.chars().all(allowed) {
        let what = format!(
            "the folder's name becomes the campaign's: `{name}` must be lower-case letters, digits, \
             `-` and `_`, at most {SLUG_MAX}"
        );
        return Err(Problem::error(shown, None, what));
    }
    Ok(name)
}

/// How many blocked people [`check`] names.
pub const DETAILS_MAX: usize = 1_000;

const MANIFEST: &str = "campaign.toml";
const PROSPECTS: &str = "prospects.csv";
const SLUG_MAX: usize = 60;

#[cfg(test)]
mod tests;
