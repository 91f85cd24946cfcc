//! Ours, as a user has it: the release program in a folder with a configuration, campaigns and books.

mod books;
mod list;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{Bench, settle_disk};
use crate::failure::Failure;
use crate::process::{self, Ended, Running};
use crate::stopwatch;

pub(crate) use books::{CommitCount, ask, sent};
pub(crate) use list::{LIST_COLUMNS, write_list};

/// What a configuration says.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// How many mailboxes, each of a domain of its own.
    pub(crate) mailboxes: usize,
    /// What each may send in a day.
    pub(crate) cap: usize,
    /// The least time between two messages of one.
    pub(crate) gap: &'static str,
    /// Where they submit.
    pub(crate) server: Server,
    /// Where the books are, if not in the folder.
    pub(crate) books: Option<String>,
    /// Where the console listens, if it does.
    pub(crate) console: Option<u16>,
}

/// A submission server on this machine.
#[derive(Clone, Debug)]
pub(crate) enum Server {
    /// No encryption and no log-in.
    Plain(u16),
    /// STARTTLS with a certificate of this CA, and AUTH.
    Starttls { port: u16, ca_pem: String },
}

impl Declared {
    /// So many mailboxes that send as fast as they can.
    pub(crate) fn fast(mailboxes: usize, cap: usize, server: Server) -> Self {
        Self { mailboxes, cap, gap: "0s", server, books: None, console: None }
    }
}

/// A folder of the program.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    program: PathBuf,
    folder: PathBuf,
}

impl Installation {
    /// Writes a configuration into a folder of the bench.
    pub(crate) fn make(bench: &Bench, name: &str, declared: &Declared) -> Result<Self, Failure> {
        let folder = bench.work(name)?;
        Self { program: bench.program().to_owned(), folder }.declare(declared)
    }

    /// Writes another configuration into the same folder.
    pub(crate) fn declare(&self, declared: &Declared) -> Result<Self, Failure> {
        self.write("warmfront.toml", &config(declared))?;
        if let Server::Starttls { ca_pem, .. } = &declared.server {
            self.write("ca.pem", ca_pem)?;
        }
        Ok(self.clone())
    }

    /// The same at another place, books and all. Nothing may have them open.
    pub(crate) fn copy(&self, bench: &Bench, name: &str) -> Result<Self, Failure> {
        let folder = bench.work(name)?;
        copy_folder(&self.folder, &folder).map_err(|error| Failure::of("a copy", error))?;
        settle_disk();
        Ok(Self { program: self.program.clone(), folder })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let file = self.file(name);
        let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
        folder.and_then(|()| fs::write(&file, text)).map_err(|error| Failure::of(name, error))
    }

    /// A command of the program, not started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_by(&[], words)
    }

    /// The same, started by another program that is given it as its last words.
    pub(crate) fn command_by(&self, starter: &[&str], words: &[&str]) -> Command {
        let mut command = match starter.split_first() {
            None => Command::new(&self.program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
        };
        for ours in ["WARMFRONT_CONFIG", "WARMFRONT_FAILPOINT", "RUST_LOG"] {
            command.env_remove(ours);
        }
        command.args(words).current_dir(&self.folder).env("MAILBOX_PASSWORD", PASSWORD);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str], limit: u64) -> Result<Ended, Failure> {
        let what = format!("warmfront {}", words.join(" "));
        process::run(&what, &mut self.command(words), limit)?.done(&what)
    }

    /// Starts the daemon.
    pub(crate) fn start(&self) -> Result<Running, Failure> {
        Running::start("warmfront run", &mut self.command(&["run"]))
    }

    /// Writes a campaign of one step to `people` people, to be sent at any hour, so many a day.
    pub(crate) fn write_campaign(&self, people: usize, a_day: usize) -> Result<(), Failure> {
        let manifest = format!(
            "name = \"Bench\"\ndaily_target = {a_day}\nmailboxes = [\"tag:bench\"]\n\
             list_source = \"made up for a bench\"\ntimezone = \"{}\"\n\
             window = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}\n\
             [[step]]\ntemplate = \"steps/1-intro.hbs\"\n",
            zone_by_day()
        );
        self.write("campaigns/bench/campaign.toml", &manifest)?;
        self.write("campaigns/bench/steps/1-intro.hbs", LETTER)?;
        write_list(&self.file("campaigns/bench/prospects.csv"), people)
    }

    /// Writes a campaign, imports it and starts it.
    pub(crate) fn begin(&self, people: usize, a_day: usize) -> Result<(), Failure> {
        self.write_campaign(people, a_day)?;
        self.run(&["campaign", "import", CAMPAIGN], IMPORT_MAX)?;
        self.run(&["campaign", "start", "bench"], IMPORT_MAX)?;
        Ok(())
    }
}

fn config(declared: &Declared) -> String {
    let mut text = "[sender]\nlegal_name = \"Example Ltd\"\n\
        postal_address = \"1 Main Street, Springfield, IL 62701, USA\"\n"
        .to_owned();
    if let Some(url) = &declared.books {
        let _ = writeln!(text, "[store]\nurl = \"{url}\"");
    }
    if let Some(port) = declared.console {
        let _ = writeln!(text, "[web]\nlisten = \"127.0.0.1:{port}\"");
    }
    let _ = writeln!(
        text,
        "[limits]\ndomain_per_day = 10000\noverride = true\n\
         [defaults]\ntimezone = \"{}\"\ncap = {}\nwarmup = \"off\"\ngap = \"{}\"\npace = \"asap\"\n\
         override = true\nwindow = {{ opens = \"0 0 0 * * *\", length = \"24h\" }}",
        zone_by_day(),
        declared.cap,
        declared.gap
    );
    let server = match &declared.server {
        Server::Plain(port) => format!("port = {port}, tls = \"none\""),
        Server::Starttls { port, .. } => {
            format!("port = {port}, tls = \"starttls\", ca = \"ca.pem\"")
        }
    };
    let auth = match &declared.server {
        Server::Plain(_) => "",
        Server::Starttls { .. } => "auth = { password = { env = \"MAILBOX_PASSWORD\" } }\n",
    };
    for nr in 0..declared.mailboxes {
        // Of all presets this one lets a mailbox send the most in a day.
        let _ = write!(
            text,
            "[[mailbox]]\naddress = \"{}\"\nprovider = \"google-smtp-relay\"\ntags = [\"bench\"]\n\
             {auth}smtp = {{ host = \"127.0.0.1\", {server} }}\n",
            address(nr)
        );
    }
    text
}

/// The address of a mailbox.
pub(crate) fn address(nr: usize) -> String {
    format!("ann@sender{nr:05}.example")
}

/// A zone in which it is late morning: nothing that is measured meets midnight.
pub(crate) fn zone_by_day() -> String {
    let hour = i64::try_from(stopwatch::unix_seconds() / 3_600 % 24).unwrap_or_default();
    // POSIX signs: `Etc/GMT-5` is five hours ahead of UTC.
    match 10 - hour {
        0 => "UTC".to_owned(),
        ahead => format!("Etc/GMT{:+}", -ahead),
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

/// The folder of the campaign.
pub(crate) const CAMPAIGN: &str = "campaigns/bench";

/// What every mailbox logs in with.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// About 1.3 kB when written, with the lines that are appended: with headers the size that the peers
/// send. Eight values and a condition.
pub(crate) const LETTER: &str = include_str!("letter.hbs");

/// How long an import may take.
pub(crate) const IMPORT_MAX: u64 = 600;
