//! A campaign folder as a whole: `campaign.toml`, `prospects.csv`, `steps/*.hbs`.

mod steps;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use warmfront_core::address::Address;
use warmfront_core::problem::{Problem, Severity};
use warmfront_core::sequence::Wait;
use warmfront_core::span::Millis;

use crate::manifest::{self, Manifest};
use crate::prospects::{self, Columns, FileReport, Row};
use crate::templates::{Footer, Mailbox, OPT_OUT, Renderer, StepSource};

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
    draft(dir, terms).finish(dir, terms.sender)
}

/// What could be read of a folder, and what is wrong with it.
struct Draft {
    slug: Option<String>,
    manifest: Option<Manifest>,
    columns: Option<Columns>,
    steps: Vec<Step>,
    problems: Vec<Problem>,
}

fn draft(dir: &Path, terms: &Terms<'_>) -> Draft {
    let mut problems = Vec::new();
    let slug = match slug(dir) {
        Ok(slug) => Some(slug),
        Err(problem) if dir.is_dir() => {
            problems.push(problem);
            None
        }
        // Of a folder that is not there nothing else is worth saying.
        Err(problem) => {
            let problems = vec![problem];
            return Draft {
                slug: None,
                manifest: None,
                columns: None,
                steps: Vec::new(),
                problems,
            };
        }
    };
    let sender = terms.sender;
    for (key, value) in
        [("legal_name", &sender.legal_name), ("postal_address", &sender.postal_address)]
    {
        if value.trim().is_empty() {
            let what = format!("`{key}` is missing in [sender]: no message leaves without it");
            problems.push(Problem::error("warmfront.toml", None, what));
        }
    }
    let (manifest, declared) = match fs::read_to_string(dir.join(MANIFEST)) {
        Ok(text) => match manifest::read(MANIFEST, &text, terms.person_gap) {
            Ok(manifest) => (Some(manifest.clone()), manifest.steps),
            Err(found) => {
                problems.extend(found);
                (None, manifest::steps_of(MANIFEST, &text))
            }
        },
        Err(error) => {
            problems.push(Problem::error(MANIFEST, None, format!("cannot be read: {error}")));
            (None, Vec::new())
        }
    };
    let columns = prospects::columns(&dir.join(PROSPECTS), terms.encoding)
        .map_err(|found| problems.extend(found))
        .ok();
    let steps = if declared.is_empty() {
        Vec::new()
    } else {
        steps::read(dir, &declared, columns.as_ref(), &mut problems)
    };
    problems.sort();
    // A partial that calls itself is met on every turn.
    problems.dedup();
    Draft { slug, manifest, columns, steps, problems }
}

impl Draft {
    fn finish(self, dir: &Path, sender: &Sender) -> (Option<Campaign>, Vec<Problem>) {
        let Self { slug, manifest, columns, steps, problems } = self;
        let possible = !warmfront_core::problem::any_error(&problems);
        let campaign = slug.zip(manifest).zip(columns).filter(|_| possible).map(
            |((slug, manifest), columns)| Campaign {
                slug,
                dir: dir.to_owned(),
                footer: footer(sender, &manifest.opt_out),
                manifest,
                steps,
                columns,
            },
        );
        (campaign, problems)
    }

    /// What renders those steps that have no mistake: of the others everything is said already.
    fn renderer(&self, sender: &Sender) -> Option<Renderer> {
        let mistaken = |variant: &Variant| {
            let stem = variant.file.strip_suffix("hbs").unwrap_or(&variant.file);
            let of_it = self.problems.iter().filter(|problem| problem.file.starts_with(stem));
            of_it.into_iter().any(|problem| problem.severity != Severity::Warning)
        };
        let sound = self.steps.iter().filter(|step| !step.variants.iter().any(mistaken));
        let sources: Vec<StepSource> =
            sound.flat_map(|step| &step.variants).map(|variant| variant.source.clone()).collect();
        let opt_out = self.manifest.as_ref().map_or(OPT_OUT, |manifest| &manifest.opt_out);
        Renderer::from_sources(&sources, footer(sender, opt_out)).ok()
    }
}

fn footer(sender: &Sender, opt_out: &str) -> Footer {
    Footer {
        legal_name: sender.legal_name.trim().to_owned(),
        postal_address: sender.postal_address.trim().to_owned(),
        opt_out: opt_out.to_owned(),
    }
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

/// A row nobody can be written to by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its line in the list.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// What a list and its steps make of one another.
#[derive(Clone, Debug)]
pub struct Check {
    /// What the list holds.
    pub report: FileReport,
    /// The first rejected rows, at most [`DETAILS_MAX`].
    pub rejected: Vec<Rejected>,
    /// How many accepted people cannot be written to.
    pub blocked: u64,
    /// The first of them, at most [`DETAILS_MAX`].
    pub details: Vec<Blocked>,
    /// The countries of people without a zone, each with its first line, at most [`DETAILS_MAX`].
    pub countries: BTreeMap<String, usize>,
}

/// A folder with all that is wrong with it, its rows included as far as they can be judged.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The campaign, where nothing forbids it.
    pub campaign: Option<Campaign>,
    /// What is wrong with the folder.
    pub problems: Vec<Problem>,
    /// What its list and those steps that can be rendered make of one another.
    pub check: Option<Check>,
}

/// Reads a whole folder in constant memory: one mistake hides no other. `mailbox` stands for the one
/// each message will leave from.
#[must_use]
pub fn inspect(dir: &Path, terms: &Terms<'_>, mailbox: Mailbox<'_>) -> Inspection {
    let mut draft = draft(dir, terms);
    let mut check = None;
    if draft.columns.is_some()
        && let Some(renderer) = draft.renderer(terms.sender)
    {
        let slug = draft.slug.as_deref().unwrap_or_default();
        match render_all(&dir.join(PROSPECTS), terms.encoding, slug, &renderer, mailbox) {
            Ok(done) => check = Some(done),
            Err(found) => {
                draft.problems.extend(found);
                draft.problems.sort();
            }
        }
    }
    let (campaign, problems) = draft.finish(dir, terms.sender);
    Inspection { campaign, problems, check }
}

/// Renders every step of a campaign for every person of its list, in constant memory.
pub fn check(
    campaign: &Campaign,
    encoding: Option<&str>,
    mailbox: Mailbox<'_>,
) -> Result<Check, Vec<Problem>> {
    let renderer = campaign.renderer()?;
    render_all(&campaign.prospects(), encoding, &campaign.slug, &renderer, mailbox)
}

fn render_all(
    list: &Path,
    encoding: Option<&str>,
    slug: &str,
    renderer: &Renderer,
    mailbox: Mailbox<'_>,
) -> Result<Check, Vec<Problem>> {
    let (mut rejected, mut blocked, mut details) = (Vec::new(), 0, Vec::new());
    let mut countries = BTreeMap::new();
    let report = prospects::read(list, encoding, |row| match row {
        Row::Accepted { line, prospect } => {
            if let Some(why) = renderer.unwritable(slug, &prospect, mailbox) {
                blocked += 1;
                if details.len() < DETAILS_MAX {
                    let address = prospect.address.clone();
                    details.push(Blocked { line, address, why: why.to_string() });
                }
            }
            if prospect.timezone.is_empty() && countries.len() < DETAILS_MAX {
                countries.entry(prospect.country).or_insert(line);
            }
        }
        Row::Rejected { line, reason, .. } if rejected.len() < DETAILS_MAX => {
            rejected.push(Rejected { line, reason });
        }
        Row::Rejected { .. } | Row::Duplicate { .. } => {}
    })?;
    Ok(Check { report, rejected, blocked, details, countries })
}

/// The folder's name, which commands, books and addresses of pages will carry.
fn slug(dir: &Path) -> Result<String, Problem> {
    let shown = dir.display().to_string();
    if dir.is_file() {
        let what = "this is a file; give the campaign's folder. To import mended rows, move their \
                    file over the folder's prospects.csv and import the folder";
        return Err(Problem::error(shown, None, what));
    }
    let whole = dir.canonicalize().map_err(|_| Problem::error(&shown, None, "no such folder"))?;
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

/// How many rows of a kind [`check`] names.
pub const DETAILS_MAX: usize = 1_000;

const MANIFEST: &str = "campaign.toml";
const PROSPECTS: &str = "prospects.csv";
const SLUG_MAX: usize = 60;

#[cfg(test)]
mod tests;
