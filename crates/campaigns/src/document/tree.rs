//! The parsed file as an owned tree whose nodes know their lines.

use std::collections::BTreeMap;

use jiff::civil::Date;
use toml::de::{DeTable, DeValue};
use warmfront_core::problem::Problem;

use super::Located;

/// A table: the line it begins on and what it holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) line: usize,
    pub(super) entries: BTreeMap<String, Located<Node>>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Date(Date),
    List(Vec<Located<Node>>),
    Table(Table),
    Other(&'static str),
}

/// Parses TOML; a file with a syntax error is one problem.
pub(super) fn parse(file: &str, text: &str) -> Result<Table, Problem> {
    if text.len() > FILE_MAX {
        return Err(Problem::error(
            file,
            None,
            "the file is larger than 4 MiB; is it the right one?",
        ));
    }
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(root) => Ok(table(root.get_ref(), 1, &lines)),
        Err(error) => {
            let at = error.span().map(|span| lines.place(text, span.start));
            let (line, column) = at.unzip();
            let column = column.map(|c| format!(" (column {c})")).unwrap_or_default();
            let what = error.message().trim_end().replace('\n', "; ");
            Err(Problem::error(file, line, format!("this is not TOML: {what}{column}")))
        }
    }
}

fn table(from: &DeTable<'_>, line: usize, lines: &Lines) -> Table {
    let entries = from.iter().map(|(key, value)| {
        // The key's line, not the value's: a value may begin lines further down.
        let line = lines.line(key.span().start);
        (key.get_ref().to_string(), Located { value: node(value.get_ref(), line, lines), line })
    });
    Table { line, entries: entries.collect() }
}

fn node(from: &DeValue<'_>, line: usize, lines: &Lines) -> Node {
    match from {
        DeValue::String(text) => Node::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Node::Other("a number that is too large"), Node::Integer),
        DeValue::Float(_) => Node::Other("a fraction"),
        DeValue::Boolean(value) => Node::Boolean(*value),
        DeValue::Datetime(moment) => match (moment.date, moment.time) {
            (Some(_), None) => {
                moment.to_string().parse().map_or(Node::Other("a day no calendar has"), Node::Date)
            }
            _ => Node::Other("a time of day"),
        },
        DeValue::Array(items) => {
            let item = |item: &toml::Spanned<DeValue<'_>>| {
                let line = lines.line(item.span().start);
                Located { value: node(item.get_ref(), line, lines), line }
            };
            Node::List(items.iter().map(item).collect())
        }
        DeValue::Table(inner) => Node::Table(table(inner, line, lines)),
    }
}

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|begins| *begins <= offset)
    }

    /// Line and column, both from 1; columns are characters.
    fn place(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let begins = self.0[line - 1];
        (line, text.get(begins..offset).map_or(1, |before| before.chars().count() + 1))
    }
}

/// A thousand mailboxes written out take a tenth of this.
const FILE_MAX: usize = 4 << 20;
