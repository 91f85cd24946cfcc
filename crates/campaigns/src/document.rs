//! Reading a TOML file so that all its problems are found in one run, each with its line.
//!
//! A [`Document`] is parsed text; a [`Section`] is one of its tables and remembers which keys were
//! asked for, so that [`Section::finish`] can name every key nobody knows. A missing or wrong value
//! is put on the list of problems and reading goes on. What the values mean is left to the caller.

mod rows;
mod tree;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use warmfront_core::problem::{Problem, nearest};

pub use self::rows::rows;
use self::tree::{Node, Table};

/// A file that could be parsed.
#[derive(Clone, Debug)]
pub struct Document {
    file: String,
    table: Table,
    writing: Writing,
}

/// A value and the line it stands on, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// What was read.
    pub value: T,
    /// Where.
    pub line: usize,
}

impl<T> Located<T> {
    /// The same place with something made of its value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: make(self.value), line: self.line }
    }
}

/// One table of a document, and which of its keys were asked for.
#[derive(Debug)]
pub struct Section<'a> {
    file: &'a str,
    table: &'a Table,
    writing: Writing,
    path: String,
    asked: BTreeSet<String>,
}

/// A value of any kind, for keys that take more than one.
#[derive(Debug)]
pub enum Item<'a> {
    /// A text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// A day without a time.
    Date(Date),
    /// A list, each item with its line.
    List(Vec<Located<Item<'a>>>),
    /// A table.
    Section(Section<'a>),
    /// What no key takes (a float, a time of day), by its name.
    Other(&'static str),
}

/// Whether values carry a type (TOML) or are cells whose text is read as what is wanted (CSV).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Typed,
    Cells {
        /// The line its columns are named on.
        heading: usize,
    },
}

impl Document {
    /// Parses a TOML file; `file` is its name as the operator would write it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problem> {
        let table = tree::parse(file, text.strip_prefix('\u{feff}').unwrap_or(text))?;
        Ok(Self { file: file.to_owned(), table, writing: Writing::Typed })
    }

    /// Its outermost table.
    #[must_use]
    pub fn root(&self) -> Section<'_> {
        Section::new(&self.file, &self.table, self.writing, String::new())
    }
}

impl<'a> Section<'a> {
    fn new(file: &'a str, table: &'a Table, writing: Writing, path: String) -> Self {
        Self { file, table, writing, path, asked: BTreeSet::new() }
    }

    /// The line it begins on.
    #[must_use]
    pub fn line(&self) -> usize {
        self.table.line
    }

    /// Its name for messages: ` in [defaults]`, ` in mailbox[2].smtp`; empty for the outermost.
    #[must_use]
    pub fn place(&self) -> String {
        match self.path.as_str() {
            "" => String::new(),
            path if path.contains('[') => format!(" in {path}"),
            path => format!(" in [{path}]"),
        }
    }

    /// A problem of this file, for what only the caller can see.
    #[must_use]
    pub fn problem(&self, line: usize, what: impl Into<String>) -> Problem {
        Problem::error(self.file, Some(line), what)
    }

    /// Whether the key is there. Does not count as asking for it.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.entries.contains_key(key)
    }

    /// All its keys with their lines, for tables whose keys are names (`[tenant.NAME]`).
    pub fn keys(&self) -> impl Iterator<Item = Located<&'a str>> + use<'a> {
        self.table
            .entries
            .iter()
            .map(|(key, node)| Located { value: key.as_str(), line: node.line })
    }

    /// The value of a key, whatever its kind.
    pub fn value(&mut self, key: &str) -> Option<Located<Item<'a>>> {
        self.asked.insert(key.to_owned());
        let table = self.table;
        let node = table.entries.get(key)?;
        Some(self.item(node, &self.path_of(key)))
    }

    /// Reads a key by `read`, which gives nothing for kinds it does not take; `wanted` says which
    /// it takes.
    pub fn read<T>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(Item<'a>) -> Option<T>,
        problems: &mut Vec<Problem>,
    ) -> Option<Located<T>> {
        let Located { value, line } = self.value(key)?;
        let found = value.described();
        let read = read(value);
        if read.is_none() {
            let place = self.place();
            problems
                .push(self.problem(line, format!("`{key}`{place} must be {wanted}, not {found}")));
        }
        read.map(|value| Located { value, line })
    }

    /// A text.
    pub fn text(&mut self, key: &str, problems: &mut Vec<Problem>) -> Option<Located<String>> {
        self.read(key, "a text in quotes", |item| item.text().map(str::to_owned), problems)
    }

    /// A text that `parse` understands; its complaint becomes the problem.
    pub fn parsed<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        problems: &mut Vec<Problem>,
    ) -> Option<Located<T>> {
        let text = self.text(key, problems)?;
        match parse(&text.value) {
            Ok(value) => Some(Located { value, line: text.line }),
            Err(why) => {
                problems.push(self.problem(text.line, format!("`{key}`{}: {why}", self.place())));
                None
            }
        }
    }

    /// A whole number within `range`.
    pub fn integer<T: TryFrom<i64>>(
        &mut self,
        key: &str,
        range: RangeInclusive<i64>,
        problems: &mut Vec<Problem>,
    ) -> Option<Located<T>> {
        let cells = matches!(self.writing, Writing::Cells { .. });
        let wanted = match (*range.start(), *range.end()) {
            (start, i64::MAX) => format!("a whole number of at least {start}"),
            (start, end) => format!("a whole number from {start} to {end}"),
        };
        let number = |item: Item<'_>| match item {
            Item::Integer(number) => Some(number),
            Item::Text(text) if cells => text.parse().ok(),
            _ => None,
        };
        let within = |number: &i64| range.contains(number);
        let read = |item: Item<'_>| {
            number(item).filter(within).and_then(|number| T::try_from(number).ok())
        };
        self.read(key, &wanted, read, problems)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &str, problems: &mut Vec<Problem>) -> Option<Located<bool>> {
        let cells = matches!(self.writing, Writing::Cells { .. });
        let read = |item: Item<'_>| match item {
            Item::Boolean(value) => Some(value),
            Item::Text("true") if cells => Some(true),
            Item::Text("false") if cells => Some(false),
            _ => None,
        };
        self.read(key, "true or false", read, problems)
    }

    /// A list of texts. In a cell they are parted by semicolons, commas or blanks.
    pub fn texts(
        &mut self,
        key: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Located<Vec<Located<String>>>> {
        let cells = matches!(self.writing, Writing::Cells { .. });
        let line = self.table.line;
        let parts = |text: &str| {
            let parts = text.split([';', ',', ' ']).filter(|part| !part.is_empty());
            parts.map(|part| Located { value: part.to_owned(), line }).collect()
        };
        let read = |item: Item<'_>| match item {
            Item::Text(text) if cells => Some(parts(text)),
            Item::List(items) => items
                .into_iter()
                .map(|item| Some(Located { value: item.value.text()?.to_owned(), line: item.line }))
                .collect(),
            _ => None,
        };
        self.read(key, "a list of texts, such as [\"a\", \"b\"]", read, problems)
    }

    /// A table. Its own [`Section::finish`] must be called too.
    pub fn section(&mut self, key: &str, problems: &mut Vec<Problem>) -> Option<Section<'a>> {
        let read = |item: Item<'a>| match item {
            Item::Section(section) => Some(section),
            _ => None,
        };
        self.read(key, "a table", read, problems).map(|located| located.value)
    }

    /// An array of tables (`[[step]]`), none where the key is absent. A single table counts as one.
    pub fn sections(&mut self, key: &str, problems: &mut Vec<Problem>) -> Vec<Section<'a>> {
        let read = |item: Item<'a>| match item {
            Item::Section(section) => Some(vec![section]),
            Item::List(items) => items
                .into_iter()
                .map(|item| match item.value {
                    Item::Section(section) => Some(section),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        let wanted = format!("a table, or several as [[{key}]]");
        self.read(key, &wanted, read, problems).map(|located| located.value).unwrap_or_default()
    }

    /// Passes a value on, and says that the key is missing where it is. A value that was there but
    /// wrong has been reported already.
    pub fn required<T>(
        &self,
        key: &str,
        value: Option<T>,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        if value.is_none() && !self.has(key) {
            let what = format!("`{key}` is missing{}", self.place());
            problems.push(self.problem(self.line(), what));
        }
        value
    }

    /// Names every key that was never asked for, and the known one nearest to it.
    pub fn finish(self, problems: &mut Vec<Problem>) {
        for key in self.keys().filter(|key| !self.asked.contains(key.value)) {
            let known = self.asked.iter().map(String::as_str);
            let hint = match nearest(key.value, known.clone()) {
                Some(near) if matches!(self.writing, Writing::Cells { .. }) => {
                    format!("did you mean `{}`?", self.path_of(near))
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", known.collect::<Vec<_>>().join(", ")),
            };
            let problem = match self.writing {
                Writing::Typed => {
                    let what = format!("unknown key `{}`{}; {hint}", key.value, self.place());
                    self.problem(key.line, what)
                }
                // Every row would say the same of a column.
                Writing::Cells { heading } => {
                    let what = format!("unknown column `{}`; {hint}", self.path_of(key.value));
                    self.problem(heading, what)
                }
            };
            problems.push(problem);
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn item(&self, located: &'a Located<Node>, path: &str) -> Located<Item<'a>> {
        let value = match &located.value {
            Node::Text(text) => Item::Text(text),
            Node::Integer(number) => Item::Integer(*number),
            Node::Boolean(value) => Item::Boolean(*value),
            Node::Date(day) => Item::Date(*day),
            Node::Other(kind) => Item::Other(kind),
            Node::Table(table) => {
                Item::Section(Section::new(self.file, table, self.writing, path.to_owned()))
            }
            Node::List(nodes) => {
                let numbered = nodes.iter().zip(1..);
                Item::List(
                    numbered.map(|(node, n)| self.item(node, &format!("{path}[{n}]"))).collect(),
                )
            }
        };
        Located { value, line: located.line }
    }
}

impl<'a> Item<'a> {
    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages: `the text "fifty"`, `a table`.
    #[must_use]
    pub fn described(&self) -> String {
        match self {
            Self::Text(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
            Self::Text(_) => "a text".to_owned(),
            Self::Integer(number) => format!("the number {number}"),
            Self::Boolean(value) => value.to_string(),
            Self::Date(day) => format!("the day {day}"),
            Self::List(_) => "a list".to_owned(),
            Self::Section(_) => "a table".to_owned(),
            Self::Other(kind) => (*kind).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
