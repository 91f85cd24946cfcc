//! What a sink remembers.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::WIRE_MAX;

/// A message that was taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Accepted {
    /// The envelope recipient.
    pub rcpt: String,
    /// The envelope sender.
    pub from: String,
    /// Its Message-ID, angle brackets included.
    pub message_id: Option<String>,
    /// Who was logged in.
    pub user: Option<String>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Its size, dots undoubled.
    pub size: usize,
    /// Which connection brought it, from 1.
    pub connection: u64,
    /// Its place among the messages of that connection, from 1.
    pub nth: u64,
    /// The message, dots undoubled.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which connection brought it, from 1.
    pub connection: u64,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The line, without its CRLF.
    pub text: String,
}

#[derive(Default)]
pub(super) struct Record {
    pub(super) accepted: Vec<Accepted>,
    pub(super) lines: Vec<Line>,
    pub(super) wire: Vec<u8>,
    pub(super) unfinished: Vec<u8>,
    journal: Option<File>,
}

impl Record {
    pub(super) fn new(journal: Option<&Path>) -> Self {
        let open = |path| File::options().create(true).append(true).open(path);
        let journal = journal.map(|path| open(path).expect("a journal that can be written"));
        Self { journal, ..Self::default() }
    }

    /// Keeps a message, in the journal first.
    pub(super) fn accept(&mut self, message: Accepted) {
        if let Some(journal) = &mut self.journal {
            let mut line = serde_json::to_vec(&message).expect("a record is plain data");
            line.push(b'\n');
            journal.write_all(&line).expect("a journal that can be written");
        }
        self.accepted.push(message);
    }

    pub(super) fn overhear(&mut self, bytes: &[u8]) {
        let room = WIRE_MAX.saturating_sub(self.wire.len());
        self.wire.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// The Message-ID in a message's header, folded or not.
pub(super) fn message_id(message: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let header = text.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
    header.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("message-id").then(|| value.trim().to_owned())
    })
}
