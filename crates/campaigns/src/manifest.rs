//! `campaign.toml`: what a campaign is, apart from whom it goes to and what it says.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use jiff::civil::Date;
use warmfront_core::address::Address;
use warmfront_core::calendar::{self, Window};
use warmfront_core::problem::Problem;
use warmfront_core::sequence::Wait;
use warmfront_core::span::{self, Millis};
use warmfront_core::text::is_out_of_line;

use crate::document::{Document, Item, Located, Section};
use crate::templates::OPT_OUT;

/// A campaign's own settings, all of them possible.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// What people call it.
    pub name: String,
    /// The most messages a day, first steps and follow-ups together; at least 1.
    pub daily_target: u32,
    /// Which mailboxes may carry it; at least one pattern.
    pub mailboxes: Vec<MailboxPattern>,
    /// Where the list comes from, for whoever asks.
    pub list_source: String,
    /// The zone of people whose row and country tell none.
    pub timezone: Option<String>,
    /// Days on which nobody is written to.
    pub holidays: BTreeSet<Date>,
    /// When people may be written to; at least one window.
    pub windows: Vec<Window>,
    /// The steps in order; at least one.
    pub steps: Vec<StepManifest>,
    /// The sentence that says how to make it stop.
    pub opt_out: String,
    /// Whether everybody on the list has asked for it; country rules ask for evidence.
    pub opt_in: bool,
}

/// One `[[step]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepManifest {
    /// The step file within the folder, or the name its variants share.
    pub template: String,
    /// How long it waits for the step before it; only the first step has none.
    pub wait: Option<Wait>,
    /// Where it is declared.
    pub line: usize,
}

/// Which mailboxes are meant: an address in which `*` stands for anything, or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailboxPattern {
    /// `ann@example.com`, `*@example.com`; in lower case.
    Address(String),
    /// `tag:NAME`.
    Tag(String),
}

impl MailboxPattern {
    /// Parses one entry of `mailboxes`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(tag) = text.strip_prefix("tag:").map(str::trim) {
            return if tag.is_empty() {
                Err("`tag:` names no tag; write e.g. `tag:founders`".to_owned())
            } else {
                Ok(Self::Tag(tag.to_owned()))
            };
        }
        if text.matches('@').count() != 1 || text.contains(char::is_whitespace) {
            return Err(format!(
                "`{text}` is no mailbox; write an address, a pattern such as `*@example.com`, or \
                 `tag:NAME`"
            ));
        }
        Ok(Self::Address(text.to_lowercase()))
    }

    /// Whether it means the mailbox of that address and those tags.
    #[must_use]
    pub fn matches(&self, address: &Address, tags: &[String]) -> bool {
        match self {
            Self::Address(pattern) => matches_glob(pattern, address.as_str()),
            Self::Tag(tag) => tags.contains(tag),
        }
    }
}

/// Reads a manifest. A step that would come sooner than `person_gap` after the one before it could
/// never be sent on its day, and is refused.
pub fn read(file: &str, text: &str, person_gap: Millis) -> Result<Manifest, Vec<Problem>> {
    let document = Document::parse(file, text).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let manifest = manifest(document.root(), person_gap, &mut problems);
    problems.sort();
    manifest.filter(|_| problems.is_empty()).ok_or(problems)
}

/// The steps a manifest declares, as far as they can be made out, whatever else is wrong with it.
#[must_use]
pub fn steps_of(file: &str, text: &str) -> Vec<StepManifest> {
    // What is wrong with them has been said by [`read`].
    let document = Document::parse(file, text).ok();
    document.map_or_else(Vec::new, |document| steps(&mut document.root(), 0, &mut Vec::new()))
}

fn manifest(
    mut root: Section<'_>,
    person_gap: Millis,
    problems: &mut Vec<Problem>,
) -> Option<Manifest> {
    let name = root.parsed("name", one_line, problems);
    let name = root.required("name", name, problems);
    let daily_target = root.integer("daily_target", 1..=TARGET_MAX, problems);
    let daily_target = root.required("daily_target", daily_target, problems);
    let mailboxes = mailboxes(&mut root, problems);
    let list_source = root.parsed("list_source", one_line, problems);
    let list_source = root.required("list_source", list_source, problems);
    let zone = |text: &str| calendar::zone(text).map(|_| text.to_owned());
    let timezone = root.parsed("timezone", zone, problems);
    let holidays = holidays(&mut root, problems);
    let windows = windows(&mut root, problems);
    let opt_out = root.parsed("opt_out", opt_out, problems);
    let opt_in = root.boolean("opt_in", problems);
    let steps = steps(&mut root, person_gap, problems);
    root.finish(problems);
    Some(Manifest {
        name: name?.value,
        daily_target: daily_target?.value,
        mailboxes: mailboxes?,
        list_source: list_source?.value,
        timezone: timezone.map(|zone| zone.value),
        holidays,
        windows,
        steps,
        opt_out: opt_out.map_or_else(|| OPT_OUT.to_owned(), |opt_out| opt_out.value),
        opt_in: opt_in.is_some_and(|opt_in| opt_in.value),
    })
}

fn mailboxes(root: &mut Section<'_>, problems: &mut Vec<Problem>) -> Option<Vec<MailboxPattern>> {
    let entries = root.texts("mailboxes", problems);
    let entries = root.required("mailboxes", entries, problems)?;
    if entries.value.is_empty() {
        let what = "`mailboxes` is empty, so nobody could carry the campaign; name one, or `*@example.com`";
        problems.push(root.problem(entries.line, what));
    }
    let mut patterns = Vec::new();
    for entry in entries.value {
        match MailboxPattern::parse(&entry.value) {
            Ok(pattern) => patterns.push(pattern),
            Err(what) => problems.push(root.problem(entry.line, what)),
        }
    }
    Some(patterns)
}

fn holidays(root: &mut Section<'_>, problems: &mut Vec<Problem>) -> BTreeSet<Date> {
    let wanted = "a list of days, such as [\"2026-12-25\"]";
    let list = |item: Item<'_>| match item {
        Item::List(items) => Some(
            items.iter().map(|item| Located { value: day(&item.value), line: item.line }).collect(),
        ),
        _ => None,
    };
    let days: Vec<Located<Result<Date, String>>> =
        root.read("holidays", wanted, list, problems).map(|days| days.value).unwrap_or_default();
    let mut holidays = BTreeSet::new();
    for Located { value, line } in days {
        match value {
            Ok(day) => drop(holidays.insert(day)),
            Err(what) => problems.push(root.problem(line, what)),
        }
    }
    holidays
}

/// TOML has days of its own; most people will write a text.
fn day(item: &Item<'_>) -> Result<Date, String> {
    let problem =
        || format!("{} is no day; write year, month, day: \"2026-12-25\"", item.described());
    match item {
        Item::Date(day) => Ok(*day),
        Item::Text(text) => text.trim().parse().map_err(|_| problem()),
        _ => Err(problem()),
    }
}

fn windows(root: &mut Section<'_>, problems: &mut Vec<Problem>) -> Vec<Window> {
    let declared = root.has("window");
    let sections = root.sections("window", problems);
    if !declared || (sections.is_empty() && problems.is_empty()) {
        let what = "`window` is missing: say when people may be written to, e.g. \
                    window = { opens = \"0 0 9 * * Mon-Fri\", length = \"8h\" }";
        problems.push(root.problem(root.line(), what));
    }
    sections.into_iter().filter_map(|section| window(section, problems)).collect()
}

fn window(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Option<Window> {
    let opens = section.text("opens", problems);
    let opens = section.required("opens", opens, problems);
    let length = section.text("length", problems);
    let length = section.required("length", length, problems);
    let line = opens.as_ref().map_or(section.line(), |opens| opens.line);
    let parsed =
        opens.zip(length).map(|(opens, length)| Window::parse(&opens.value, &length.value));
    let window = parsed
        .and_then(|parsed| parsed.map_err(|what| problems.push(section.problem(line, what))).ok());
    section.finish(problems);
    window
}

fn steps(
    root: &mut Section<'_>,
    person_gap: Millis,
    problems: &mut Vec<Problem>,
) -> Vec<StepManifest> {
    let declared = root.has("step");
    let sections = root.sections("step", problems);
    if !declared {
        let what = "`step` is missing: a campaign has at least one [[step]] with a `template`";
        problems.push(root.problem(root.line(), what));
    } else if sections.len() > STEPS_MAX {
        let what = format!(
            "{} steps; {STEPS_MAX} is the most: nobody answers the eleventh",
            sections.len()
        );
        problems.push(root.problem(sections[STEPS_MAX].line(), what));
    }
    let numbered = sections.into_iter().enumerate();
    numbered.filter_map(|(at, section)| step(section, at == 0, person_gap, problems)).collect()
}

fn step(
    mut section: Section<'_>,
    first: bool,
    person_gap: Millis,
    problems: &mut Vec<Problem>,
) -> Option<StepManifest> {
    let template = section.parsed("template", inside, problems);
    let template = section.required("template", template, problems);
    let declared = section.has("wait");
    let wait = section.parsed("wait", Wait::parse, problems);
    let wrong = match &wait {
        Some(wait) if first => {
            Some((wait.line, "the first step waits for nothing; leave its `wait` out".to_owned()))
        }
        Some(wait) if wait.value.nominal() < person_gap => Some((
            wait.line,
            format!(
                "`wait = \"{}\"` is less than the {} that lie between two messages to one person; \
                 wait longer",
                wait.value,
                span::length_text(person_gap)
            ),
        )),
        None if !first && !declared => Some((
            section.line(),
            format!(
                "`wait` is missing{}: say how long after the step before, e.g. \"3d\"",
                section.place()
            ),
        )),
        Some(_) | None => None,
    };
    let line = section.line();
    problems.extend(wrong.map(|(line, what)| section.problem(line, what)));
    section.finish(problems);
    Some(StepManifest { template: template?.value, wait: wait.map(|wait| wait.value), line })
}

/// A path that stays within the folder and names a template.
fn inside(text: &str) -> Result<String, String> {
    let stays = Path::new(text).components().all(|part| matches!(part, Component::Normal(_)));
    if !stays || text.contains(['\\', '\0', ':']) || text.is_empty() {
        Err(format!("`{text}` leads out of the campaign's folder; write e.g. `steps/1-intro.hbs`"))
    } else if !text.ends_with(".hbs") {
        Err(format!("`{text}` is no template; its name ends in `.hbs`"))
    } else {
        Ok(text.to_owned())
    }
}

fn one_line(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("is empty; say it in a few words".to_owned())
    } else if text.contains(is_out_of_line) {
        Err("must be a single line without control characters".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn opt_out(text: &str) -> Result<String, String> {
    let text = one_line(text)?;
    if text.contains("{{") {
        return Err("is one sentence for everybody; it takes no values".to_owned());
    }
    Ok(text)
}

/// Whether a text fits a pattern in which `*` stands for any run of characters.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(between) = last.replace(part) {
            match rest.find(between) {
                Some(at) => rest = &rest[at + between.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

/// More than any fleet of mailboxes can honestly carry.
const TARGET_MAX: i64 = 1_000_000;

const STEPS_MAX: usize = 10;

#[cfg(test)]
mod tests;
