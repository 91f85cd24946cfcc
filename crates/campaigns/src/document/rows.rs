//! A table with a heading row, each row read as a document of its own.

use std::collections::BTreeMap;

use warmfront_core::problem::Problem;

use super::tree::{Node, Table};
use super::{Document, Located, Writing};
use crate::prospects::{TableRow, table};

/// Reads a small CSV file (`mailboxes.csv`): every row becomes a [`Document`] whose keys are the
/// columns. A column `smtp.host` is the key `host` of the table `smtp`; an empty cell is an absent
/// key; numbers, `true`, `false` and lists are read from the cell's text when they are asked for.
///
/// The problems are those of rows that cannot be told apart; the other rows are read all the same.
pub fn rows(file: &str, bytes: &[u8]) -> (Vec<Document>, Vec<Problem>) {
    let mut rows = match table(file, bytes, None) {
        Ok(rows) => rows.into_iter(),
        Err(problem) => return (Vec::new(), vec![problem]),
    };
    let Some(heading) = rows.next() else {
        let what = "the file is empty; its first line names the columns, at least `address`";
        return (Vec::new(), vec![Problem::error(file, None, what)]);
    };
    let names: Vec<&str> = heading.cells.iter().map(String::as_str).collect();
    if let Some(what) = heading_flaw(&names) {
        return (Vec::new(), vec![Problem::error(file, Some(heading.line), what)]);
    }
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for row in rows {
        match entries(&row, &names) {
            Ok(table) => documents.push(Document {
                file: file.to_owned(),
                table,
                writing: Writing::Cells { heading: heading.line },
            }),
            Err(what) => problems.push(Problem::error(file, Some(row.line), what)),
        }
    }
    (documents, problems)
}

/// Why no row can be read under these names.
fn heading_flaw(names: &[&str]) -> Option<String> {
    if let Some((_, twice)) = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name))
    {
        return Some(match *twice {
            "" => "two columns have no name; name them or leave them out".to_owned(),
            name => format!("the column `{name}` is there twice"),
        });
    }
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
    };
    let pairs = names.iter().flat_map(|inner| names.iter().map(move |outer| (inner, outer)));
    pairs.into_iter().find(|(inner, outer)| within(inner, outer)).map(|(inner, outer)| {
        format!("the columns `{inner}` and `{outer}` both give a value; leave one of them out")
    })
}

fn entries(row: &TableRow, names: &[&str]) -> Result<Table, String> {
    let (found, wanted) = (row.cells.len(), names.len());
    if let Some(cell) = row.torn {
        return Err(format!("cell {cell} goes on behind its closing quote"));
    }
    if found != wanted {
        let cells = if found == 1 { "cell" } else { "cells" };
        return Err(format!("has {found} {cells}, the heading has {wanted}"));
    }
    let mut table = Table { line: row.line, entries: BTreeMap::new() };
    let cells = names.iter().zip(&row.cells).filter(|(_, cell)| !cell.is_empty());
    cells.for_each(|(column, cell)| place(&mut table, column, cell));
    Ok(table)
}

/// Puts a cell where its dotted column says; no two columns name the same place.
fn place(table: &mut Table, column: &str, cell: &str) {
    let line = table.line;
    let Some((outer, inner)) = column.split_once('.') else {
        let node = Located { value: Node::Text(cell.to_owned()), line };
        table.entries.insert(column.to_owned(), node);
        return;
    };
    let fresh = || Located { value: Node::Table(Table { line, ..Table::default() }), line };
    let known = table.entries.entry(outer.to_owned()).or_insert_with(fresh);
    if let Node::Table(table) = &mut known.value {
        place(table, inner, cell);
    }
}
