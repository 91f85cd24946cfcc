//! From text to records, in constant memory.
//!
//! Written by hand because a list that cannot be trusted must be refused, not repaired: an
//! unterminated quote or a field beyond every limit is an end, with its line. Lines are
//! physical lines, as an editor counts them.

use std::io::Read;

use super::decode::{Decoder, Fault, cure};

/// One record: its fields lie in one text, so that reading a million of them allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: String,
    ends: Vec<usize>,
    /// The line it begins on.
    pub(super) line: usize,
    /// The number of the first field that goes on behind its closing quote.
    pub(super) torn: Option<usize>,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.text[begin..*end])
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.torn = None;
    }

    fn field_len(&self) -> usize {
        self.text.len() - self.ends.last().copied().unwrap_or(0)
    }
}

/// Why a file is refused as a whole, and the line to blame.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) line: Option<usize>,
    pub(super) what: String,
}

/// The records of a source, one after the other.
pub(super) struct Records<R> {
    source: Decoder<R>,
    piece: String,
    at: usize,
    /// How much text came before this piece.
    passed: usize,
    /// The line the next byte stands on.
    line: usize,
    /// Whether the last byte was a carriage return: a line feed then belongs to it.
    after_return: bool,
    delimiter: u8,
    /// How many NULs were read.
    nuls: usize,
}

/// Where in a field the reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing but blanks so far.
    Start,
    Plain,
    /// In quotes that were opened on that line.
    Quoted(usize),
    /// Behind a quote that may have been the closing one.
    Closed(usize),
}

impl<R: Read> Records<R> {
    /// Decodes as much as holds the heading and decides by it how the columns are parted.
    pub(super) fn open(source: R, encoding: Option<&str>) -> Result<Self, Refusal> {
        let source = Decoder::open(source, encoding)
            .map_err(|fault| Refusal { line: None, what: fault.to_string() })?;
        let mut records = Self {
            source,
            piece: String::new(),
            at: 0,
            passed: 0,
            line: 1,
            after_return: false,
            delimiter: b',',
            nuls: 0,
        };
        let head = records.head()?;
        match excel_mark(head) {
            Some((delimiter, length)) => {
                let after_return = head[..length].ends_with('\r');
                records = Self { delimiter, at: length, line: 2, after_return, ..records };
            }
            None => records.delimiter = commonest(head),
        }
        Ok(records)
    }

    pub(super) fn delimiter(&self) -> char {
        char::from(self.delimiter)
    }

    pub(super) fn encoding(&self) -> &'static str {
        self.source.encoding().name()
    }

    /// A table whose bytes are NUL for the most part, or in its heading, is no text of one byte a
    /// letter.
    pub(super) fn refuse_nuls(&self, heading: &Record) -> Result<(), Refusal> {
        let total = self.passed + self.at;
        if heading.text.contains('\0') || self.nuls > total / 4 {
            return Err(Refusal { line: Some(heading.line.max(1)), what: NUL.to_owned() });
        }
        Ok(())
    }

    /// Reads the next record that is not an empty line into `record`; `false` at the end.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool, Refusal> {
        loop {
            record.clear();
            record.line = self.line;
            if !self.record(record)? {
                return Ok(false);
            }
            if record.len() > 1 || !record.text.trim().is_empty() {
                return Ok(true);
            }
        }
    }

    fn record(&mut self, record: &mut Record) -> Result<bool, Refusal> {
        let mut place = Place::Start;
        let begun = self.passed + self.at;
        while let Some(byte) = self.peek()? {
            self.within_limits(record, place, begun)?;
            if byte == b'\n' && std::mem::take(&mut self.after_return) {
                // The second half of a CRLF: it ends nothing, but belongs to a quoted field.
                if let Place::Quoted(_) = place {
                    record.text.push('\n');
                }
                self.at += 1;
                continue;
            }
            self.after_return = byte == b'\r';
            match self.take(byte, place, record)? {
                Some(next) => place = next,
                None => return Ok(true),
            }
        }
        self.end_of_file(record, place)
    }

    /// Takes the next byte, or a run of bytes that mean nothing by themselves, and says where that
    /// leads; nowhere, where the record is complete.
    fn take(
        &mut self,
        byte: u8,
        place: Place,
        record: &mut Record,
    ) -> Result<Option<Place>, Refusal> {
        let delimiter = self.delimiter;
        let next = match (place, byte) {
            // One that strayed in spoils its field; whoever judges the row says so.
            (Place::Start | Place::Plain | Place::Quoted(_), 0) => {
                self.nuls += 1;
                record.text.push('\0');
                if place == Place::Start { Place::Plain } else { place }
            }
            (Place::Quoted(opened), b'"') => Place::Closed(opened),
            (Place::Quoted(_), b'\r' | b'\n') => {
                record.text.push(char::from(byte));
                self.line += 1;
                place
            }
            (Place::Quoted(_), _) => {
                self.copy(record, |byte| matches!(byte, b'"' | b'\r' | b'\n' | 0));
                return Ok(Some(place));
            }
            (Place::Closed(opened), b'"') => {
                record.text.push('"');
                Place::Quoted(opened)
            }
            (_, b'\r' | b'\n') => {
                record.ends.push(record.text.len());
                self.line += 1;
                self.at += 1;
                return Ok(None);
            }
            (_, byte) if byte == delimiter => {
                record.ends.push(record.text.len());
                Place::Start
            }
            (Place::Closed(_), b' ' | b'\t') => place,
            (Place::Closed(opened), _) => {
                self.torn(record, opened)?;
                return Ok(Some(Place::Plain));
            }
            (Place::Start, b'"') => {
                // Blanks before the opening quote are no part of the field.
                record.text.truncate(record.ends.last().copied().unwrap_or(0));
                Place::Quoted(self.line)
            }
            (Place::Start, b' ' | b'\t') => {
                record.text.push(char::from(byte));
                place
            }
            (Place::Start | Place::Plain, _) => {
                self.copy(record, |byte| byte == delimiter || matches!(byte, b'\r' | b'\n' | 0));
                return Ok(Some(Place::Plain));
            }
        };
        self.at += 1;
        Ok(Some(next))
    }

    fn end_of_file(&self, record: &mut Record, place: Place) -> Result<bool, Refusal> {
        if let Place::Quoted(opened) = place {
            let what = "a quote is opened here and never closed, so nobody can say where the row \
                        ends; close it, and import again"
                .to_owned();
            return Err(Refusal { line: Some(opened), what });
        }
        let anything = place != Place::Start || !record.ends.is_empty() || record.field_len() > 0;
        if anything {
            record.ends.push(record.text.len());
        }
        Ok(anything)
    }

    /// A field went on behind its closing quote. Within one line that tears one row; over several
    /// lines the quote has swallowed other people's rows, and the file is refused.
    fn torn(&self, record: &mut Record, opened: usize) -> Result<(), Refusal> {
        if self.line > opened {
            let what = format!(
                "a quote is opened here and closed only in line {}, in the middle of a field; it \
                 takes the rows between for one",
                self.line
            );
            return Err(Refusal { line: Some(opened), what });
        }
        record.torn.get_or_insert(record.ends.len() + 1);
        Ok(())
    }

    /// Copies up to the first byte that `ends` the run.
    fn copy(&mut self, record: &mut Record, ends: impl Fn(u8) -> bool) {
        let rest = &self.piece[self.at..];
        let length = rest.bytes().position(ends).unwrap_or(rest.len());
        record.text.push_str(&rest[..length]);
        self.at += length;
    }

    fn within_limits(&self, record: &Record, place: Place, begun: usize) -> Result<(), Refusal> {
        let what = if record.field_len() > FIELD_MAX {
            "a field is longer than 64 KiB"
        } else if self.passed + self.at - begun > RECORD_MAX {
            "a row is longer than 1 MiB"
        } else {
            return Ok(());
        };
        let (line, what) = match place {
            Place::Quoted(opened) => {
                (opened, format!("{what}: the quote opened here is probably never closed"))
            }
            Place::Start | Place::Plain | Place::Closed(_) => {
                (record.line, format!("{what}; that is no list of people"))
            }
        };
        Err(Refusal { line: Some(line), what })
    }

    fn peek(&mut self) -> Result<Option<u8>, Refusal> {
        while self.at == self.piece.len() {
            self.passed += self.piece.len();
            self.piece.clear();
            self.at = 0;
            if !self.pull()? {
                return Ok(None);
            }
        }
        Ok(Some(self.piece.as_bytes()[self.at]))
    }

    /// The first line that says anything, as text.
    fn head(&mut self) -> Result<&str, Refusal> {
        let end = loop {
            let blank = self.piece.len() - self.piece.trim_start().len();
            let breaks = |byte: u8| matches!(byte, b'\r' | b'\n');
            let mut quoted = false;
            let mut bytes = self.piece.bytes().enumerate().skip(blank);
            let end = bytes.find(|&(_, byte)| {
                quoted ^= byte == b'"';
                breaks(byte) && !quoted
            });
            if let Some((end, _)) = end {
                break end + 1;
            }
            let long = self.piece.len() > RECORD_MAX;
            if long || !self.pull()? {
                // A quote that is never closed is reported where the records are read.
                let end = self.piece.bytes().skip(blank).position(breaks);
                if end.is_none() && long {
                    return Err(
                        self.refuse("the first line is longer than 1 MiB; that is no heading")
                    );
                }
                break end.map_or(self.piece.len(), |end| blank + end + 1);
            }
        };
        Ok(&self.piece[..end])
    }

    fn pull(&mut self) -> Result<bool, Refusal> {
        self.source.next(&mut self.piece).map_err(|fault| match fault {
            Fault::Malformed(encoding) => {
                let unread = &self.piece[self.at..];
                // A file of the old Macs has no line feeds.
                let ending = if unread.contains('\n') { '\n' } else { '\r' };
                let unread = unread.matches(ending).count();
                Refusal { line: Some(self.line + unread), what: cure(encoding) }
            }
            Fault::Source(_) | Fault::NoText(_) => self.refuse(&fault.to_string()),
        })
    }

    fn refuse(&self, what: &str) -> Refusal {
        Refusal { line: Some(self.line), what: what.to_owned() }
    }
}

/// Excel's own first line, `sep=;`: the delimiter it names, and its length with the line break.
fn excel_mark(head: &str) -> Option<(u8, usize)> {
    let line = head.trim_end_matches(['\r', '\n']);
    let mark = line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(line);
    let named = mark.get(..4).filter(|start| start.eq_ignore_ascii_case("sep="))?;
    let delimiter = *mark.as_bytes().get(named.len())?;
    (mark.len() == 5 && DELIMITERS.contains(&delimiter)).then_some((delimiter, head.len()))
}

/// The delimiter the heading uses most, outside quotes; a comma where it uses none.
fn commonest(head: &str) -> u8 {
    let count = |delimiter: u8| {
        let mut quoted = false;
        head.bytes()
            .filter(|&byte| {
                quoted ^= byte == b'"';
                byte == delimiter && !quoted
            })
            .count()
    };
    // The last of equals wins, hence the comma is asked last.
    DELIMITERS.into_iter().rev().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// A biography fits; a file without line breaks does not.
const FIELD_MAX: usize = 64 << 10;

/// What one row may hold in memory.
const RECORD_MAX: usize = 1 << 20;

const NUL: &str = "the file holds NUL bytes, which no text does; if it is UTF-16 without a mark, \
                   say `--encoding utf-16le`";
