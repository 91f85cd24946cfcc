//! From bytes to text: UTF-8 and, by their marks, UTF-16; anything else only when it is named.
//!
//! A guessed encoding greets people as `JÃ¼rgen`, so nothing is guessed and nothing is replaced: the
//! first byte that does not fit ends the reading.

use std::io::{self, Read};

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Text out of a source, piece by piece.
pub(super) struct Decoder<R> {
    source: R,
    decoder: encoding_rs::Decoder,
    encoding: &'static Encoding,
    /// Bytes read and not yet decoded are `input[from..to]`.
    input: Vec<u8>,
    from: usize,
    to: usize,
    ended: bool,
    malformed: bool,
}

/// Why there is no next piece.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the file cannot be read: {0}")]
    Source(#[from] io::Error),
    #[error("{0}")]
    NoText(String),
    #[error("a byte does not fit the encoding {}", .0.name())]
    Malformed(&'static Encoding),
}

impl<R: Read> Decoder<R> {
    /// Looks at the first bytes; refuses what is no text at all.
    pub(super) fn open(mut source: R, label: Option<&str>) -> Result<Self, Fault> {
        let named = label.map(named).transpose().map_err(Fault::NoText)?;
        let mut input = vec![0; PIECE];
        let to = fill(&mut source, &mut input)?;
        if let Some(what) = disguised(&input[..to]) {
            return Err(Fault::NoText(what.to_owned()));
        }
        // A byte order mark is surer than what anybody says about the file.
        let (encoding, mark) =
            Encoding::for_bom(&input[..to]).unwrap_or((named.unwrap_or(UTF_8), 0));
        let decoder = encoding.new_decoder_without_bom_handling();
        let ended = to < input.len();
        Ok(Self { source, decoder, encoding, input, from: mark, to, ended, malformed: false })
    }

    pub(super) fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// Appends the next piece to `out`; `false` when there is no more. All text before a malformed
    /// byte is handed out first, so that the caller knows the line.
    pub(super) fn next(&mut self, out: &mut String) -> Result<bool, Fault> {
        if self.malformed {
            return Err(Fault::Malformed(self.encoding));
        }
        if self.from == self.to && !self.ended {
            self.from = 0;
            self.to = fill(&mut self.source, &mut self.input)?;
            self.ended = self.to < self.input.len();
        }
        let before = out.len();
        let bytes = &self.input[self.from..self.to];
        out.reserve(
            self.decoder
                .max_utf8_buffer_length_without_replacement(bytes.len())
                .unwrap_or(4 * PIECE),
        );
        let (result, read) =
            self.decoder.decode_to_string_without_replacement(bytes, out, self.ended);
        self.from += read;
        if let DecoderResult::Malformed(..) = result {
            self.malformed = true;
            if out.len() == before {
                return Err(Fault::Malformed(self.encoding));
            }
        }
        let done = self.ended && self.from == self.to && !self.malformed;
        if done {
            // A decoder that was told of the end must not be asked again.
            self.decoder = self.encoding.new_decoder_without_bom_handling();
        }
        Ok(out.len() > before || !done)
    }
}

/// What to do about a byte that does not fit, for the operator.
pub(super) fn cure(encoding: &'static Encoding) -> String {
    if encoding == UTF_8 {
        "this is not UTF-8; save the list as \"CSV UTF-8\", or say what it is, e.g. \
         `--encoding windows-1252`"
            .to_owned()
    } else if encoding == UTF_16LE || encoding == UTF_16BE {
        format!("this is not {}; the file is damaged or cut off", encoding.name())
    } else {
        format!("this is not {}; name the encoding the list was saved in", encoding.name())
    }
}

fn named(label: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label_no_replacement(label.as_bytes())
        .ok_or_else(|| format!("`{label}` is no known encoding; try `windows-1252` or `utf-16le`"))
}

/// Files that are no CSV whatever their name says, by their first bytes.
fn disguised(start: &[u8]) -> Option<&'static str> {
    const EXCEL: &str =
        "this is an Excel file, not a CSV; save it as \"CSV UTF-8\" and import that";
    let page = start.trim_ascii_start().get(..9).map(<[u8]>::to_ascii_lowercase);
    match start {
        [b'P', b'K', 3, 4, ..] | [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, ..] => {
            Some(EXCEL)
        }
        [0x1F, 0x8B, ..] => Some("this is a gzip file; unpack it and import the CSV within"),
        [b'%', b'P', b'D', b'F', ..] => Some("this is a PDF, not a CSV"),
        _ => page
            .filter(|page| page.starts_with(b"<!doctype") || page.starts_with(b"<html"))
            .map(|_| "this is a web page, not a CSV; export the list again"),
    }
}

/// Reads until the buffer is full or the source has ended.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// How many bytes are read at once.
const PIECE: usize = 64 << 10;
