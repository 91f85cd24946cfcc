//! The file of rejected rows: what could not be imported, why, and ready to be mended.

use std::io::Write;

use super::heading::{Column, Columns, REJECTED_BECAUSE};

/// Writes `rejected.csv`: a first column, `rejected_because`, and the list's own.
///
/// Once mended, the file can be imported as it is: reading ignores that column. It comes first, so
/// that a row of the wrong length never carries its reason under a column of the list. Such a row
/// stays rejected until somebody has put it right.
///
/// A spreadsheet runs cells that begin with `=`, `+`, `-`, `@`, a tab or a return, so such cells get
/// an apostrophe before them; reading a file with that column takes it off again.
pub struct Rejects<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> Rejects<W> {
    /// Begins the file with the heading of the list the rows come from.
    pub fn begin(mut out: W, columns: &Columns) -> Result<Self, csv::Error> {
        // Without the mark Excel takes UTF-8 for the machine's old code page.
        out.write_all("\u{feff}".as_bytes())?;
        let mut out = csv::WriterBuilder::new().flexible(true).from_writer(out);
        let kept = columns.written.iter().zip(&columns.kinds);
        let heading: Vec<&str> = kept
            .filter(|(_, kind)| **kind != Column::Because)
            .map(|(name, _)| name.as_str())
            .collect();
        let heading = std::iter::once(REJECTED_BECAUSE).chain(heading);
        out.write_record(heading.map(harmless))?;
        Ok(Self { out })
    }

    /// Adds one row.
    pub fn add(&mut self, record: &[String], reason: &str) -> Result<(), csv::Error> {
        self.out.write_field(harmless(reason))?;
        for field in record {
            self.out.write_field(harmless(field))?;
        }
        self.out.write_record(None::<&[u8]>)
    }

    /// Writes out what is still held back, and gives the sink back.
    pub fn finish(self) -> std::io::Result<W> {
        self.out.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// Whether a spreadsheet would run it.
pub(super) fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

fn harmless(cell: &str) -> String {
    // One that only looks protected gets another apostrophe, or it would come back without its own.
    let risky = is_formula(cell.trim_start_matches('\''));
    if risky { format!("'{cell}") } else { cell.to_owned() }
}
