//! The heading of a list: what its columns are called and which of them we know.

use warmfront_core::problem::{Problem, nearest};

use super::records::Record;
use crate::templates::SENDER_NAMES;

/// The columns of a list, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// As the file writes them.
    pub(super) written: Vec<String>,
    /// What each holds.
    pub(super) kinds: Vec<Column>,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// One of [`KNOWN`], by its place there.
    Known(usize),
    /// A template variable of that name.
    Attribute(String),
    /// Why rows were rejected when this file was written: not data.
    Because,
    /// A column without a name.
    Nameless,
}

impl Columns {
    /// The names templates may use, known ones and others.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().filter_map(|kind| match kind {
            Column::Known(known) => Some(KNOWN[*known]),
            Column::Attribute(name) => Some(name.as_str()),
            Column::Because | Column::Nameless => None,
        })
    }

    /// How many columns hold data.
    pub(super) fn data(&self) -> usize {
        self.kinds.iter().filter(|kind| **kind != Column::Because).count()
    }

    /// A cell as it was before [`Rejects`](super::Rejects) made it harmless in a spreadsheet. Only a
    /// file of rejected rows on its way back has such cells.
    pub(super) fn restored<'a>(&self, cell: &'a str) -> &'a str {
        let protected = cell
            .strip_prefix('\'')
            .filter(|rest| super::rejects::is_formula(rest.trim_start_matches('\'')));
        match protected {
            Some(bare) if self.is_returned() => bare,
            _ => cell,
        }
    }

    /// Whether this is a file of rejected rows on its way back.
    pub(super) fn is_returned(&self) -> bool {
        self.kinds.contains(&Column::Because)
    }

    /// Reads the heading; the second list holds what is only worth knowing.
    pub(super) fn read(file: &str, heading: &Record) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let line = Some(heading.line);
        let written: Vec<String> = heading.fields().map(|name| name.trim().to_owned()).collect();
        if written.len() > COLUMNS_MAX {
            let what = format!("{} columns; 200 is the most a list may have", written.len());
            return Err(vec![Problem::error(file, line, what)]);
        }
        if written.iter().any(|name| name.contains('@')) {
            let what = "the first line is a person, not a heading; put the column names, at least \
                        `email`, into the first line";
            return Err(vec![Problem::error(file, line, what)]);
        }
        let kinds: Vec<Column> = written.iter().map(|name| kind(name)).collect();
        let mut problems = twice(file, line, &kinds, &written);
        if heading.torn.is_some() {
            let what =
                "a column name goes on behind its closing quote; write it in one pair of quotes";
            problems.push(Problem::error(file, line, what));
        }
        let columns = Self { written, kinds };
        if !columns.kinds.contains(&Column::Known(EMAIL)) {
            problems.push(Problem::error(file, line, columns.no_email()));
        }
        if problems.is_empty() {
            let warnings = columns.warnings(file, line);
            Ok((columns, warnings))
        } else {
            Err(problems)
        }
    }

    fn no_email(&self) -> String {
        let names: Vec<String> = self.written.iter().map(|name| normal(name)).collect();
        let near = nearest("email", names.iter().map(String::as_str));
        let meant = names
            .iter()
            .position(|name| name.contains("mail"))
            .or_else(|| names.iter().position(|name| Some(name.as_str()) == near));
        match meant {
            Some(at) if !self.written[at].contains('|') => format!(
                "there is no column `email`; column {} is `{}`: rename it to `email`",
                at + 1,
                self.written[at]
            ),
            _ if self.written.iter().any(|name| name.contains('|')) => {
                "there is no column `email`; columns are parted by commas, semicolons or tabs, not \
                 by `|`"
                    .to_owned()
            }
            _ => format!(
                "there is no column `email`, the one a list must have; found {}",
                self.written.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
        }
    }

    fn warnings(&self, file: &str, line: Option<usize>) -> Vec<Problem> {
        let numbered = self.kinds.iter().zip(1..);
        numbered
            .filter_map(|(kind, number)| match kind {
                Column::Nameless => Some(format!("column {number} has no name and is left out")),
                Column::Attribute(name) if SENDER_NAMES.contains(&name.as_str()) => Some(format!(
                    "column {number}, `{name}`, is hidden by the value templates have under that \
                     name; rename it if they should use it"
                )),
                Column::Known(_) | Column::Attribute(_) | Column::Because => None,
            })
            .map(|what| Problem::warning(file, line, what))
            .collect()
    }
}

fn twice(file: &str, line: Option<usize>, kinds: &[Column], written: &[String]) -> Vec<Problem> {
    let named = |kind: &Column| *kind != Column::Nameless;
    kinds
        .iter()
        .enumerate()
        .filter(|(_, kind)| named(kind))
        .filter_map(|(at, kind)| {
            let first = kinds[..at].iter().position(|earlier| earlier == kind)?;
            let what = format!(
                "columns {} (`{}`) and {} (`{}`) have the same name; keep one of them",
                first + 1,
                written[first],
                at + 1,
                written[at]
            );
            Some(Problem::error(file, line, what))
        })
        .collect()
}

fn kind(written: &str) -> Column {
    let name = normal(written);
    // `First Name` and `firstname` are `first_name`; `E-mail` is not taken for `email` in silence.
    let squeezed = |text: &str| -> String {
        text.chars()
            .filter(|c| !c.is_whitespace() && *c != '_')
            .flat_map(char::to_lowercase)
            .collect()
    };
    let known =
        KNOWN.iter().position(|known| *known == name || squeezed(known) == squeezed(written));
    match (known, name.as_str()) {
        (Some(known), _) => Column::Known(known),
        (None, "") => Column::Nameless,
        (None, REJECTED_BECAUSE) => Column::Because,
        (None, _) => Column::Attribute(name),
    }
}

/// The name a template uses: letters and digits in lower case, everything between them `_`.
fn normal(written: &str) -> String {
    let words = written.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// The columns that mean something to Warmfront itself.
pub(super) const KNOWN: [&str; 7] =
    ["email", "first_name", "last_name", "company", "title", "country", "timezone"];
pub(super) const EMAIL: usize = 0;

/// The column in which rejected rows say why.
pub(super) const REJECTED_BECAUSE: &str = "rejected_because";

const COLUMNS_MAX: usize = 200;
