//! The real program in a folder of its own: command in, text out.

mod daemon;
mod ledger;
mod program;
mod scene;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

pub use daemon::Daemon;
pub use ledger::LedgerLine;
pub use program::program;
pub use scene::{Fleet, PASSWORD, SENDER, Scene};

/// A folder with a configuration, campaigns and books, and the secrets they refer to.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    secrets: BTreeMap<String, String>,
}

/// What a command said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Its answer.
    pub out: String,
    /// What it said beside its answer.
    pub err: String,
}

impl Installation {
    /// An empty folder.
    ///
    /// # Panics
    ///
    /// If the machine has no room for it, like everything here: no test can go on then.
    #[must_use]
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, secrets: BTreeMap::new() }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, with the folders it lies in.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let file = self.file(name);
        std::fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }

    /// Puts a secret into the environment of every command to come.
    pub fn secret(&mut self, variable: &str, value: &str) {
        self.secrets.insert(variable.to_owned(), value.to_owned());
    }

    /// Leaves every secret out of the commands to come.
    pub fn forget_secrets(&mut self) {
        self.secrets.clear();
    }

    /// A command in the folder, not started.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        self.command_by(&[], words)
    }

    /// The same, started by another program that is given it as its last words.
    #[must_use]
    pub fn command_by(&self, starter: &[&str], words: &[&str]) -> Command {
        let ours = program().as_os_str();
        let mut all = starter.iter().map(OsStr::new).chain([ours]);
        let mut command = Command::new(all.next().unwrap_or(ours));
        command.args(all);
        for ours in ["WARMFRONT_CONFIG", "WARMFRONT_FAILPOINT", "RUST_LOG", "COLUMNS"] {
            command.env_remove(ours);
        }
        command.args(words).current_dir(self.path()).envs(&self.secrets).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    #[must_use]
    pub fn run(&self, words: &[&str]) -> Answer {
        Answer::from(self.command(words).output().expect("the program starts"))
    }

    /// Starts a command; what it says can be read when it has ended.
    #[must_use]
    pub fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// Every message in the books.
    #[must_use]
    #[track_caller]
    pub fn ledger(&self) -> Vec<LedgerLine> {
        let read = |line| serde_json::from_str(line).expect("a line of the ledger's shape");
        self.run(&["ledger", "--json"]).done().out.lines().map(read).collect()
    }

    /// The present moment by the clock of the file system, in unix milliseconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.write("now", "");
        let written = self.file("now").metadata().and_then(|file| file.modified());
        let since = written.expect("files have a moment").duration_since(UNIX_EPOCH);
        i64::try_from(since.expect("after 1970").as_millis()).expect("before 292 million AD")
    }

    /// A zone in which the day has hours to go: a test must not see two counting days.
    #[must_use]
    pub fn zone_by_day(&self) -> String {
        let hour = self.now() / 3_600_000 % 24;
        // POSIX signs: `Etc/GMT-5` is five hours ahead of UTC.
        let ahead = 11 - hour;
        if ahead == 0 { "UTC".to_owned() } else { format!("Etc/GMT{:+}", -ahead) }
    }
}

impl Answer {
    /// The answer of a command that did what it was asked.
    #[track_caller]
    #[must_use]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The answer of a command that ended with `code` and said why, each of `words` somewhere.
    #[track_caller]
    pub fn said(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.err.contains(word), "nothing about {word:?}: {self}");
        }
        self
    }

    /// The answer as one JSON value.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The answer as lines of JSON.
    #[track_caller]
    #[must_use]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let read = |line| serde_json::from_str(line).expect("a line of JSON");
        self.out.lines().map(read).collect()
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("people read UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n{}\n{}", self.code, self.out, self.err)
    }
}

/// Asks a process to end, as an operator or the system does.
///
/// # Panics
///
/// If there is no such process.
pub fn terminate(child: &Child) {
    signal(child, "TERM");
}

fn signal(child: &Child, name: &str) {
    let asked = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status();
    assert!(asked.expect("a shell").success(), "nobody to be asked");
}

/// Asks every few milliseconds until it is so.
///
/// # Panics
///
/// If it is not so within [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_within(PATIENCE, what, is_so);
}

/// The same, within a time of the caller's.
///
/// # Panics
///
/// If it is not so within that time.
#[track_caller]
pub fn wait_within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let pause = Duration::from_millis(5);
    for _ in 0..patience.as_millis() / pause.as_millis() {
        if is_so() {
            return;
        }
        std::thread::sleep(pause);
    }
    panic!("in vain: {what}");
}

/// How long a test waits for what is bound to happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A list of `count` people, each at a company of their own.
#[must_use]
pub fn list(name: &str, count: usize) -> String {
    let mut list = "email,first_name\n".to_owned();
    for nr in 0..count {
        writeln!(list, "p{nr}@{name}-{nr}.example,Pat").expect("text takes text");
    }
    list
}
