//! A table with a heading row, each row read as a document of its own.

use std::collections::BTreeMap;

use warmfront_core::problem::Problem;

use super::tree::{Node, Table};
use super::{Document, Located, Writing};

/// Reads a small CSV file (`mailboxes.csv`): every row becomes a [`Document`] whose keys are the
/// columns. A column `smtp.host` is the key `host` of the table `smtp`; an empty cell is an absent
/// key; numbers, `true`, `false` and lists are read from the cell's text when they are asked for.
pub fn rows(file: &str, text: &str) -> Result<Vec<Document>, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let refused = |error: &csv::Error| {
        let line = error.position().map(|at| usize::try_from(at.line()).unwrap_or(usize::MAX));
        Problem::error(file, line, format!("this row cannot be read: {error}"))
    };
    let columns = reader.headers().map_err(|error| refused(&error))?.clone();
    let names: Vec<&str> = columns.iter().collect();
    if let Some(twice) = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)) {
        return Err(Problem::error(
            file,
            Some(1),
            format!("the column `{}` is there twice", twice.1),
        ));
    }
    let mut documents = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| refused(&error))?;
        let line =
            record.position().map_or(1, |at| usize::try_from(at.line()).unwrap_or(usize::MAX));
        let mut table = Table { line, entries: BTreeMap::new() };
        for (column, cell) in names.iter().zip(&record).filter(|(_, cell)| !cell.is_empty()) {
            place(&mut table, column, cell).map_err(|()| clash(file, column, &names))?;
        }
        documents.push(Document { file: file.to_owned(), table, writing: Writing::Cells });
    }
    Ok(documents)
}

/// Puts a cell where its dotted column says. Fails where a value stands in the way of a table.
fn place(table: &mut Table, column: &str, cell: &str) -> Result<(), ()> {
    let line = table.line;
    let Some((outer, inner)) = column.split_once('.') else {
        let node = Located { value: Node::Text(cell.to_owned()), line };
        return table.entries.insert(column.to_owned(), node).map_or(Ok(()), |_| Err(()));
    };
    let fresh = || Located { value: Node::Table(Table { line, ..Table::default() }), line };
    match &mut table.entries.entry(outer.to_owned()).or_insert_with(fresh).value {
        Node::Table(table) => place(table, inner, cell),
        _ => Err(()),
    }
}

/// Names the column that stands in the way: the same path, cut off or longer.
fn clash(file: &str, column: &str, columns: &[&str]) -> Problem {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
    };
    let stands_in_the_way = |other: &&&str| within(column, other) || within(other, column);
    let other = columns.iter().find(stands_in_the_way).copied().unwrap_or(column);
    let what =
        format!("the columns `{column}` and `{other}` both give a value; leave one of them out");
    Problem::error(file, Some(1), what)
}
