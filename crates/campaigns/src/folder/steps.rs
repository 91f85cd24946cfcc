//! Finding the files of each step, and reading them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use warmfront_core::problem::{Problem, nearest};

use super::{Step, Variant};
use crate::manifest::StepManifest;
use crate::prospects::Columns;
use crate::templates::{Compiles, Flaw, Part, SENDER_NAMES, StepSource, step_file};

/// Reads all steps. Without columns (the list has problems of its own) names are not checked.
pub(super) fn read(
    dir: &Path,
    steps: &[StepManifest],
    columns: Option<&Columns>,
    problems: &mut Vec<Problem>,
) -> Vec<Step> {
    let mut read = BTreeSet::new();
    let found = steps
        .iter()
        .zip(1..)
        .map(|(step, position)| {
            let files = files(dir, step, problems);
            let variants = files.iter().filter_map(|file| {
                read.extend([Some(file.text.clone()), file.html.clone()].into_iter().flatten());
                variant(dir, file, position, columns, problems)
            });
            Step { position, wait: step.wait, variants: variants.collect() }
        })
        .collect();
    unused(dir, steps, &read, problems);
    found
}

/// The files of one variant, by their paths within the folder.
struct Files {
    variant: String,
    text: String,
    html: Option<String>,
}

/// `1-intro.hbs` is that file, or its variants `1-intro.a.hbs`, `1-intro.b.hbs`; the HTML twin of
/// either has `.html` before its `.hbs`.
fn files(dir: &Path, step: &StepManifest, problems: &mut Vec<Problem>) -> Vec<Files> {
    let (folder, name) = step.template.rsplit_once('/').unwrap_or(("", &step.template));
    let stem = name.strip_suffix(".hbs").unwrap_or(name);
    let present = templates_in(&dir.join(folder));
    let path =
        |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let twin = |stem: &str| Some(format!("{stem}.html.hbs")).filter(|twin| present.contains(twin));
    let variants: Vec<&str> = present
        .iter()
        .filter_map(|file| file.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(".hbs"))
        .filter(|variant| !variant.contains('.') && *variant != "html")
        .collect();
    let mut refuse =
        |what: String| problems.push(Problem::error("campaign.toml", Some(step.line), what));
    if let Some(odd) = variants.iter().find(|variant| !is_variant_name(variant)) {
        refuse(format!(
            "`{}`: a variant's name is lower-case letters and digits, such as `a`",
            path(&format!("{stem}.{odd}.hbs"))
        ));
    }
    match (present.contains(name), variants.as_slice()) {
        (true, []) => vec![Files {
            variant: "a".to_owned(),
            text: path(name),
            html: twin(stem).map(|twin| path(&twin)),
        }],
        (true, [first, ..]) => {
            refuse(format!(
                "both `{}` and its variant `{stem}.{first}.hbs` are there; keep the one or the others",
                step.template
            ));
            Vec::new()
        }
        (false, []) => {
            let hint = nearest(name, present.iter().map(String::as_str))
                .map_or_else(String::new, |near| format!("; did you mean `{}`?", path(near)));
            refuse(format!("there is no `{}`{hint}", step.template));
            Vec::new()
        }
        (false, variants) => {
            let files = variants.iter().map(|variant| Files {
                variant: (*variant).to_owned(),
                text: path(&format!("{stem}.{variant}.hbs")),
                html: twin(&format!("{stem}.{variant}")).map(|twin| path(&twin)),
            });
            files.collect()
        }
    }
}

fn variant(
    dir: &Path,
    files: &Files,
    position: u32,
    columns: Option<&Columns>,
    problems: &mut Vec<Problem>,
) -> Option<Variant> {
    let text = content(dir, &files.text, step_file::parse, problems);
    let html = files.html.as_ref().map(|html| content(dir, html, step_file::parse_html, problems));
    let (text, html) = (text?, html.map_or(Some(None), |html| html.map(Some))?);
    let subject_line = text.subject.as_ref().map_or(1, |(line, _)| *line);
    let source = StepSource {
        position,
        variant: files.variant.clone(),
        subject: text.subject.map(|(_, subject)| subject),
        text: text.text,
        html,
    };
    let mut report = |(part, flaw): (Part, Flaw)| {
        let (file, before) = match part {
            Part::Subject => (Some(&files.text), subject_line - 1),
            Part::Text => (Some(&files.text), text.text_line - 1),
            Part::Html => (files.html.as_ref(), 0),
        };
        problems.push(Problem {
            file: file.cloned().unwrap_or_default(),
            line: Some(flaw.line + before),
            severity: flaw.severity,
            what: flaw.what,
        });
    };
    match Compiles::of(&source) {
        Err(flaws) => flaws.into_iter().for_each(&mut report),
        Ok(compiled) => {
            if let Some(columns) = columns {
                let known: Vec<&str> = columns.names().chain(SENDER_NAMES).collect();
                compiled.unknown(&known).into_iter().for_each(&mut report);
            }
        }
    }
    if position == 1 && source.subject.is_none() {
        let what =
            "the first step needs a subject: begin the file with `Subject: …` and a blank line";
        problems.push(Problem::error(&files.text, Some(1), what));
    }
    let hash = source.content_hash();
    Some(Variant { file: files.text.clone(), text_line: text.text_line, source, hash })
}

/// Reads a file of the folder, unless it is a link to somewhere else.
fn content<T>(
    dir: &Path,
    file: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, Vec<Flaw>>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let path = dir.join(file);
    let stays = path
        .canonicalize()
        .and_then(|path| Ok(path.starts_with(dir.canonicalize()?)))
        .unwrap_or(false);
    if !stays {
        let what = "leads out of the campaign's folder; copy the file into it";
        problems.push(Problem::error(file, None, what));
        return None;
    }
    let read = fs::metadata(&path).and_then(|known| {
        if known.len() > FILE_MAX { Ok(None) } else { fs::read(&path).map(Some) }
    });
    match read {
        Ok(Some(bytes)) => match parse(&bytes) {
            Ok(parsed) => return Some(parsed),
            Err(flaws) => problems.extend(flaws.into_iter().map(|flaw| Problem {
                file: file.to_owned(),
                line: Some(flaw.line),
                severity: flaw.severity,
                what: flaw.what,
            })),
        },
        Ok(None) => {
            problems.push(Problem::error(file, None, "is larger than 64 KiB; that is no letter"));
        }
        Err(error) => problems.push(Problem::error(file, None, format!("cannot be read: {error}"))),
    }
    None
}

/// Templates beside those that are used: written in vain, or an HTML file without its text.
fn unused(
    dir: &Path,
    steps: &[StepManifest],
    read: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) {
    let folders: BTreeSet<&str> = steps
        .iter()
        .filter_map(|step| step.template.rsplit_once('/'))
        .map(|(folder, _)| folder)
        .collect();
    for folder in folders {
        for name in templates_in(&dir.join(folder)) {
            let file = format!("{folder}/{name}");
            if !read.contains(&file) {
                let what = "no [[step]] uses this file";
                problems.push(Problem::warning(file, None, what));
            }
        }
    }
}

fn templates_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".hbs") && !name.starts_with('.')).collect()
}

fn is_variant_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=20).contains(&name.len()) && name.chars().all(allowed)
}

const FILE_MAX: u64 = 64 << 10;
