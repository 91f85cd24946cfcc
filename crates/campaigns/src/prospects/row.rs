//! From a record to a person, or to the reasons why not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use warmfront_core::address::Address;
use warmfront_core::calendar;
use warmfront_core::text::is_out_of_line;

use super::heading::{Column, Columns, EMAIL, KNOWN};
use super::records::Record;
use super::seen::Seen;
use super::{Prospect, Row};

/// What reading a list remembers from row to row.
#[derive(Default)]
pub(super) struct Reading {
    seen: Seen,
    zones: BTreeMap<String, Result<String, String>>,
    countries: BTreeMap<String, bool>,
    /// How many rows name a country we do not know, and the first such line and name.
    pub(super) strangers: u64,
    pub(super) first_stranger: Option<(usize, String)>,
    /// Columns that hold a line break somewhere.
    pub(super) multiline: BTreeSet<String>,
}

impl Reading {
    /// Judges one record.
    pub(super) fn row(&mut self, columns: &Columns, record: &Record, delimiter: char) -> Row {
        let line = record.line;
        let (found, wanted) = (record.len(), columns.written.len());
        if let Some(field) = record.torn {
            let whole = record.fields().collect::<Vec<_>>().join(&delimiter.to_string());
            let reason = format!("field {field} goes on behind its closing quote");
            return uncountable(columns, line, vec![whole], reason);
        }
        if found != wanted {
            let reason = format!("has {found} fields, the header has {wanted}");
            // The reason of the last time is not the row's.
            let old_reason = usize::from(columns.kinds.first() == Some(&Column::Because));
            let fields = record.fields().skip(old_reason);
            let fields = fields.map(|field| columns.restored(field).to_owned()).collect();
            return uncountable(columns, line, fields, reason);
        }
        if record.fields().all(|field| field.trim().is_empty()) {
            return rejected(columns, record, "the row is empty".to_owned());
        }
        match self.prospect(columns, record) {
            Err(reasons) => rejected(columns, record, reasons.join("; ")),
            Ok(prospect) if !self.seen.insert(&prospect.address) => {
                Row::Duplicate { line, address: prospect.address }
            }
            Ok(prospect) => {
                self.note_country(line, &prospect.country);
                Row::Accepted { line, prospect }
            }
        }
    }

    fn prospect(&mut self, columns: &Columns, record: &Record) -> Result<Prospect, Vec<String>> {
        let mut reasons = Vec::new();
        let mut known: [String; KNOWN.len()] = Default::default();
        let mut attributes = BTreeMap::new();
        for (column, field) in columns.kinds.iter().zip(record.fields()) {
            let value = columns.restored(field).trim();
            match column {
                Column::Known(at) => {
                    // The address has its own words for this.
                    if *at != EMAIL {
                        reasons.extend(flaw(value, is_out_of_line).map(|f| named(KNOWN[*at], f)));
                    }
                    value.clone_into(&mut known[*at]);
                }
                Column::Attribute(name) if !value.is_empty() => {
                    let control = |c: char| c.is_control() && !matches!(c, '\r' | '\n' | '\t');
                    reasons.extend(flaw(value, control).map(|f| named(name, f)));
                    attributes.insert(name.clone(), self.lines(name, value));
                }
                // A spreadsheet gives the fields a long row has too many such columns.
                Column::Nameless if columns.is_returned() && !value.is_empty() => {
                    reasons.push(format!("`{value}` stands under a column without a name"));
                }
                Column::Attribute(_) | Column::Because | Column::Nameless => {}
            }
        }
        let [email, first_name, last_name, company, title, country, timezone] = known;
        let address = Address::parse(&email).map_err(|problem| reasons.push(problem.to_string()));
        let timezone = self.zone(timezone).map_err(|problem| reasons.push(problem));
        match (address, timezone) {
            (Ok(address), Ok(timezone)) if reasons.is_empty() => Ok(Prospect {
                address,
                first_name,
                last_name,
                company,
                title,
                country,
                timezone,
                attributes,
            }),
            _ => Err(reasons),
        }
    }

    /// A value with plain line breaks, and a note that its column has some.
    fn lines(&mut self, name: &str, value: &str) -> String {
        if !value.contains(['\r', '\n']) {
            return value.to_owned();
        }
        if !self.multiline.contains(name) {
            self.multiline.insert(name.to_owned());
        }
        value.replace("\r\n", "\n").replace('\r', "\n")
    }

    /// The zone by its proper name; an empty one stays empty.
    fn zone(&mut self, name: String) -> Result<String, String> {
        if name.is_empty() {
            return Ok(name);
        }
        if let Some(known) = self.zones.get(&name) {
            return known.clone();
        }
        if self.zones.len() == REMEMBERED_MAX {
            // Who names more zones than there are gets no more hints: each is a search through all.
            return TimeZone::get(&name)
                .map(|zone| proper_name(&zone, &name))
                .map_err(|_| format!("`{name}` is no time zone of the IANA database"));
        }
        let found = calendar::zone(&name).map(|zone| proper_name(&zone, &name));
        self.zones.insert(name, found.clone());
        found
    }

    /// An unknown country is kept, and counted: a window can still come from the campaign.
    fn note_country(&mut self, line: usize, name: &str) {
        if name.is_empty() {
            return;
        }
        let known = self.countries.get(name).copied().unwrap_or_else(|| {
            let known = calendar::country(name).is_some();
            if self.countries.len() < REMEMBERED_MAX {
                self.countries.insert(name.to_owned(), known);
            }
            known
        });
        if !known {
            self.strangers += 1;
            self.first_stranger.get_or_insert_with(|| (line, name.to_owned()));
        }
    }
}

/// A row whose fields are as many as the columns, and still nobody we can write to.
fn rejected(columns: &Columns, record: &Record, reason: String) -> Row {
    let fields = columns.kinds.iter().zip(record.fields());
    let data = fields.filter(|(kind, _)| **kind != Column::Because);
    let fields = data.map(|(_, field)| columns.restored(field).to_owned()).collect();
    Row::Rejected { line: record.line, reason: visible(reason), record: fields }
}

/// A reason that quotes a value, fit to be printed and to be kept: no database takes a NUL.
fn visible(reason: String) -> String {
    if !reason.contains(char::is_control) {
        return reason;
    }
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    reason.chars().map(escaped).collect()
}

/// A row nobody can say the fields of. Written out again it must not come by the right number of
/// them by accident, or it would be accepted without anybody having mended it.
fn uncountable(columns: &Columns, line: usize, mut record: Vec<String>, reason: String) -> Row {
    if record.len() == columns.data() {
        record.push(String::new());
    }
    Row::Rejected { line, reason, record }
}

/// What in a value must never reach a mail.
fn flaw(value: &str, control: impl Fn(char) -> bool + Copy) -> Option<&'static str> {
    if value.contains('\u{fffd}') {
        Some("holds `\u{fffd}`: an earlier conversion has damaged it")
    } else if value.contains('\0') {
        Some("holds a NUL byte")
    } else if value.contains(['\r', '\n']) && control('\n') {
        Some("holds a line break")
    } else if value.contains(control) {
        Some(if value.contains(|c: char| c.is_control() && control(c)) {
            "holds a control character"
        } else {
            "holds a character that breaks its line or turns its writing around"
        })
    } else {
        None
    }
}

fn proper_name(zone: &TimeZone, name: &str) -> String {
    zone.iana_name().unwrap_or(name).to_owned()
}

fn named(column: &str, flaw: &str) -> String {
    format!("`{column}` {flaw}")
}

/// How many zones or countries are remembered; the world has some hundreds of either.
const REMEMBERED_MAX: usize = 1_024;
