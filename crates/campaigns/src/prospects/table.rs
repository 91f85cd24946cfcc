//! Other tables than prospect lists, decoded and parted the same way.
//!
//! What the columns mean, and whether a row is any good, is left to the caller.

use std::io::Read;

use warmfront_core::problem::Problem;

use super::records::{Record, Records, Refusal};

/// A row of any table, the heading too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// The line it begins on.
    pub line: usize,
    /// Its cells, without the blanks around them.
    pub cells: Vec<String>,
    /// The number of a cell that goes on behind its closing quote, from 1.
    pub torn: Option<usize>,
}

/// Reads a table that fits memory: UTF-8, UTF-16 by its mark, or what `encoding` names; its columns
/// parted by commas, semicolons or tabs.
pub fn table(
    file: &str,
    source: impl Read,
    encoding: Option<&str>,
) -> Result<Vec<TableRow>, Problem> {
    let refused = |refusal: Refusal| Problem::error(file, refusal.line, refusal.what);
    let mut records = Records::open(source, encoding).map_err(refused)?;
    let (mut heading, mut record) = (Record::default(), Record::default());
    let mut rows = Vec::new();
    while records.next(&mut record).map_err(refused)? {
        rows.push(TableRow {
            line: record.line,
            cells: record.fields().map(|cell| cell.trim().to_owned()).collect(),
            torn: record.torn,
        });
        if rows.len() == 1 {
            std::mem::swap(&mut heading, &mut record);
            records.refuse_nuls(&heading).map_err(refused)?;
        }
    }
    records.refuse_nuls(&heading).map_err(refused)?;
    Ok(rows)
}
