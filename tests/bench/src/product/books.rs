//! The books from outside: with the database's own shell, as anybody may look.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::failure::Failure;
use crate::peers;
use crate::process;

/// Asks a SQLite file one question; the answer's columns are set apart by `|`.
pub(crate) fn ask(file: &Path, question: &str) -> Result<String, Failure> {
    let mut command = Command::new(peers::sqlite3()?);
    command.arg(file).arg(question);
    Ok(process::run("sqlite3", &mut command, ASK_MAX)?.done("sqlite3")?.out.trim().to_owned())
}

/// What was accepted, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) count: f64,
    /// From the first claim to the last settlement.
    pub(crate) seconds: f64,
}

/// What the books say of messages accepted; of all of them, or of those settled between the `from`th and
/// the `to`th.
pub(crate) fn sent(file: &Path, part: Option<(usize, usize)>) -> Result<Sent, Failure> {
    let question = match part {
        None => "SELECT count(*), max(settled_at) - min(sending_since) FROM messages \
                 WHERE state = 'accepted'"
            .to_owned(),
        Some((from, to)) => format!(
            "SELECT count(*) - 1, max(settled_at) - min(settled_at) FROM (SELECT settled_at \
             FROM messages WHERE state = 'accepted' ORDER BY settled_at LIMIT {} OFFSET {from})",
            to - from
        ),
    };
    let answer = ask(file, &question)?;
    let (count, millis) = answer.split_once('|').unwrap_or_default();
    let number = |text: &str| text.parse::<f64>().unwrap_or_default();
    let sent = Sent { count: number(count), seconds: number(millis) / 1_000.0 };
    if sent.count < 1.0 || sent.seconds <= 0.0 {
        return Err(Failure::Broken(format!("nothing was sent: the books say {answer}")));
    }
    Ok(sent)
}

/// Counts the commits of a SQLite file in WAL mode, exactly and without touching it: every commit adds
/// one to the field iChange of the index beside the file (sqlite.org/walformat.html, section 2.1).
#[derive(Debug)]
pub(crate) struct CommitCount {
    index: PathBuf,
    before: u32,
    /// Somebody who has the file open: the index lives as long as anybody does.
    reader: Child,
}

impl CommitCount {
    /// From now on.
    pub(crate) fn begin(file: &Path) -> Result<Self, Failure> {
        let broken = |error: std::io::Error| Failure::of("the count of commits", error);
        let mut shell = Command::new(peers::sqlite3()?);
        shell.arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut reader = shell.spawn().map_err(broken)?;
        let mut line = String::new();
        if let (Some(asked), Some(answer)) = (&mut reader.stdin, &mut reader.stdout) {
            asked.write_all(b"SELECT count(*) FROM sqlite_schema;\n").map_err(broken)?;
            BufReader::new(answer).read_line(&mut line).map_err(broken)?;
        }
        let mut index = file.as_os_str().to_owned();
        index.push("-shm");
        let mut count = Self { index: index.into(), before: 0, reader };
        count.before = count.now()?;
        Ok(count)
    }

    /// How many there were since.
    pub(crate) fn end(mut self) -> Result<u32, Failure> {
        let count = self.now()?.wrapping_sub(self.before);
        drop(self.reader.stdin.take());
        let _ = self.reader.wait();
        Ok(count)
    }

    fn now(&self) -> Result<u32, Failure> {
        let mut bytes = [0; 4];
        let read = File::open(&self.index).and_then(|f| f.read_exact_at(&mut bytes, ICHANGE_AT));
        read.map_err(|error| Failure::of("the WAL's index", error))?;
        Ok(u32::from_ne_bytes(bytes))
    }
}

/// In the byte order of the machine.
const ICHANGE_AT: u64 = 8;

const ASK_MAX: u64 = 120;
