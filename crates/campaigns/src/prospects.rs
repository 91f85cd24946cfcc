//! Reading a prospect list.
//!
//! A file is read twice: the first time only to see that it can be trusted as a whole, so that
//! nothing is handed on of one that cannot. Then each row is accepted, rejected with its reasons, or
//! a duplicate of an earlier one; memory does not grow with the file, but for some 18 bytes per
//! person to know them again. What becomes of accepted rows, and whom we know already, is left to
//! the store.
//!
//! Line breaks are refused where a value goes into a mail's header or decides about a person, and
//! kept in other columns; a subject that would get one is refused when it is rendered.

mod decode;
mod heading;
mod records;
mod rejects;
mod row;
mod seen;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use warmfront_core::address::Address;
use warmfront_core::problem::Problem;

pub use self::heading::Columns;
use self::records::{Record, Records, Refusal};
pub use self::rejects::Rejects;
use self::row::Reading;
pub use self::table::{TableRow, table};

/// A person of a list. Empty texts stand for what the list does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// Whom to write to.
    pub address: Address,
    /// `first_name`.
    pub first_name: String,
    /// `last_name`.
    pub last_name: String,
    /// `company`.
    pub company: String,
    /// `title`.
    pub title: String,
    /// `country` as the list writes it; it may be none we know.
    pub country: String,
    /// `timezone` by its IANA name.
    pub timezone: String,
    /// Every other column that has a value, by its name in templates.
    pub attributes: BTreeMap<String, String>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A person.
    Accepted {
        /// Where.
        line: usize,
        /// Who.
        prospect: Prospect,
    },
    /// Nobody we can write to.
    Rejected {
        /// Where.
        line: usize,
        /// Why, all reasons at once.
        reason: String,
        /// The fields as they were, for [`Rejects`].
        record: Vec<String>,
    },
    /// Somebody this file has named before; the first row counts.
    Duplicate {
        /// Where.
        line: usize,
        /// Who.
        address: Address,
    },
}

/// What a file held.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// Its columns.
    pub columns: Columns,
    /// The name of its encoding.
    pub encoding: &'static str,
    /// What parts its columns.
    pub delimiter: char,
    /// Rows accepted.
    pub accepted: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// Rows that name somebody again.
    pub duplicates: u64,
    /// Columns that hold a line break somewhere and do not belong into a subject.
    pub multiline: BTreeSet<String>,
    /// What is only worth knowing.
    pub warnings: Vec<Problem>,
}

impl FileReport {
    /// All rows: the sum of what became of them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.accepted + self.rejected + self.duplicates
    }
}

/// Reads the list at `path`. The rows come only after the whole file was found sound; should the
/// file change in between, the answer is an error all the same, so import in one transaction.
pub fn read(
    path: &Path,
    encoding: Option<&str>,
    on_row: impl FnMut(Row),
) -> Result<FileReport, Vec<Problem>> {
    let name = name_of(path);
    let source = opened(path).map_err(|problem| vec![problem])?;
    read_from(&name, source, encoding, on_row)
}

/// Reads a list from anything that can be rewound; `file` is its name for messages.
pub fn read_from<S: Read + Seek>(
    file: &str,
    mut source: S,
    encoding: Option<&str>,
    mut on_row: impl FnMut(Row),
) -> Result<FileReport, Vec<Problem>> {
    let refused = |refusal: Refusal| vec![Problem::error(file, refusal.line, refusal.what)];
    let mut record = Record::default();
    let (mut records, ..) = begin(file, &mut source, encoding)?;
    let heading = Record::default();
    while records.next(&mut record).map_err(refused)? {}
    records.refuse_nuls(&heading).map_err(refused)?;
    source.rewind().map_err(|error| {
        vec![Problem::error(file, None, format!("it cannot be read twice: {error}"))]
    })?;
    let (mut records, columns, warnings) = begin(file, source, encoding)?;
    let mut report = FileReport {
        columns,
        encoding: records.encoding(),
        delimiter: records.delimiter(),
        accepted: 0,
        rejected: 0,
        duplicates: 0,
        multiline: BTreeSet::new(),
        warnings,
    };
    let mut reading = Reading::default();
    while records.next(&mut record).map_err(refused)? {
        let row = reading.row(&report.columns, &record, report.delimiter);
        match &row {
            Row::Accepted { .. } => report.accepted += 1,
            Row::Rejected { .. } => report.rejected += 1,
            Row::Duplicate { .. } => report.duplicates += 1,
        }
        on_row(row);
    }
    report.warnings.extend(strangers(file, &reading));
    report.multiline = reading.multiline;
    Ok(report)
}

/// Reads only the heading of the list at `path`.
pub fn columns(path: &Path, encoding: Option<&str>) -> Result<Columns, Vec<Problem>> {
    let name = name_of(path);
    let source = opened(path).map_err(|problem| vec![problem])?;
    begin(&name, source, encoding).map(|(_, columns, _)| columns)
}

/// Opens a list and reads its heading.
fn begin<R: Read>(
    file: &str,
    source: R,
    encoding: Option<&str>,
) -> Result<(Records<R>, Columns, Vec<Problem>), Vec<Problem>> {
    let refused = |refusal: Refusal| vec![Problem::error(file, refusal.line, refusal.what)];
    let mut records = Records::open(source, encoding).map_err(refused)?;
    let mut heading = Record::default();
    if !records.next(&mut heading).map_err(refused)? {
        let what = "the file is empty; its first line names the columns, at least `email`";
        return Err(vec![Problem::error(file, None, what)]);
    }
    records.refuse_nuls(&heading).map_err(refused)?;
    let (columns, warnings) = Columns::read(file, &heading)?;
    Ok((records, columns, warnings))
}

fn strangers(file: &str, reading: &Reading) -> Option<Problem> {
    let (line, name) = reading.first_stranger.as_ref()?;
    let what = format!(
        "{} of the accepted rows name a country we do not know, the first is `{name}`; without a \
         `timezone` they go by the campaign's zone",
        reading.strangers
    );
    Some(Problem::warning(file, Some(*line), what))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Opens a list. A pipe cannot be read twice, and to open one waits for whoever writes to it.
fn opened(path: &Path) -> Result<File, Problem> {
    let refused = |what: String| Problem::error(name_of(path), None, what);
    let known = path.metadata().map_err(|e| refused(format!("the list cannot be opened: {e}")))?;
    if !known.is_file() {
        return Err(refused("this is no file; the list is a file of its own".to_owned()));
    }
    File::open(path).map_err(|error| refused(format!("the list cannot be opened: {error}")))
}

#[cfg(test)]
mod zoo;
