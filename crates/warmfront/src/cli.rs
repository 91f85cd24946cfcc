//! What can be typed.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Args, Parser, Subcommand};
use warmfront_core::answer::Phase;
use warmfront_store::{Store, Verdict};

/// Self-hosted cold-email campaigns with honest mailbox warmup.
///
/// Exit codes: 0 done, 1 it failed, 2 wrong use, 3 refused by a safety rule.
#[derive(Debug, Parser)]
#[command(name = "warmfront", version, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "WARMFRONT_CONFIG",
        default_value = "warmfront.toml"
    )]
    pub(crate) config: PathBuf,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The books, once they are open, to be closed at the end.
    #[arg(skip)]
    pub(crate) books: OnceLock<Store>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented warmfront.toml and a first campaign to begin with.
    Init {
        /// The folder; made if it is not there.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Run the example campaign, or yours, through 45 simulated days, without any set-up.
    Demo(Demo),
    /// Load everything and render every step for every prospect.
    Check {
        /// Campaign folders; by default those in `campaigns/` beside the configuration.
        dirs: Vec<PathBuf>,
        /// The lists' encoding, where it is neither UTF-8 nor marked (e.g. windows-1252).
        #[arg(long)]
        encoding: Option<String>,
    },
    /// Ask the DNS about sending domains: what is wrong, and the record that mends it.
    ///
    /// Ends with 3 where something holds first messages back, or will once it has stood for the grace;
    /// with 1 where a domain could not be asked. What is found counts for the daemon too.
    Doctor {
        /// The domains; by default those of all mailboxes.
        #[arg(value_name = "DOMAIN")]
        domains: Vec<String>,
    },
    /// List, verify, pause and resume mailboxes.
    #[command(subcommand)]
    Mailbox(Mailbox),
    /// Import, start, pause and look at campaigns.
    #[command(subcommand)]
    Campaign(Campaign),
    /// Show a day's plan, or the weeks to come. Saves no plan.
    Plan {
        /// The day, e.g. 2026-11-23; by default today.
        #[arg(long, value_name = "DAY", conflicts_with = "days", value_parser = date)]
        date: Option<jiff::civil::Date>,
        /// How many days to look ahead.
        #[arg(long, value_name = "N", value_parser = |text: &str| days(text, 1000))]
        days: Option<u32>,
    },
    /// Plan and send: the daemon.
    Run {
        /// Stop once nothing may leave any more today.
        #[arg(long)]
        until_idle: bool,
    },
    /// How everything stands.
    Status,
    /// One line for each message.
    Ledger {
        /// Only this campaign's.
        #[arg(long, value_name = "NAME")]
        campaign: Option<String>,
    },
    /// Why something left, or did not: the reason that binds, and when it clears.
    Why {
        /// An address, a Message-ID, a mailbox or a campaign.
        subject: String,
    },
    /// What became of all messages: by campaign, step, variant and mailbox.
    Report {
        /// Only this campaign's.
        #[arg(value_name = "NAME")]
        campaign: Option<String>,
        /// Only what was sent since that day, or is planned, e.g. 2026-11-23.
        #[arg(long, value_name = "DAY", value_parser = date)]
        since: Option<jiff::civil::Date>,
    },
    /// Prove that every imported row is in exactly one state.
    Audit,
    /// Bring a restored, older database up to date, and settle messages in doubt.
    ///
    /// Alone it lists the messages in doubt and, where the database is an older copy of what has sent
    /// since, reads every mailbox and takes up what lies in the Sent folders. No daemon may run.
    Reconcile(Reconcile),
    /// What an answer of a mail server means, or a mail that came in, and what follows from it.
    #[command(subcommand)]
    Classify(Classify),
    /// Whom nobody writes to.
    #[command(subcommand)]
    Suppress(Suppress),
    /// People who are on hold: let them go on, or take them out.
    #[command(subcommand)]
    Person(Person),
    /// Move the books to another database.
    #[command(subcommand)]
    Store(Books),
}

fn date(text: &str) -> Result<jiff::civil::Date, &'static str> {
    text.parse().map_err(|_| "not a day; write it as 2026-11-23")
}

fn days(text: &str, most: u32) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| (1..=most).contains(days));
    days.ok_or_else(|| format!("write a number from 1 to {most}"))
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {
    /// Another campaign folder, with the warmfront.toml in it; it is copied, not touched.
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Simulated days.
    #[arg(long, value_name = "N", default_value_t = 45, value_parser = |text: &str| days(text, 365))]
    pub(crate) days: u32,
    /// Another seed, another story.
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) seed: u64,
    /// Keep the simulated books in this folder, to look at with the other commands.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Reconcile {
    /// Settle doubts at your word: `accepted`, it was sent, or `planned`, it was not and is to be.
    ///
    /// What was delivered after all and is planned again, its reader gets twice.
    #[arg(long = "as", value_name = "WORD", requires = "ids", value_parser = verdict)]
    pub(crate) verdict: Option<Verdict>,
    /// The messages: the id that the list shows, or the Message-ID.
    #[arg(value_name = "ID", requires = "verdict")]
    pub(crate) ids: Vec<String>,
}

fn verdict(text: &str) -> Result<Verdict, &'static str> {
    match text {
        "accepted" => Ok(Verdict::Accepted),
        "planned" => Ok(Verdict::Planned),
        _ => Err("it is `accepted` or `planned`"),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mailbox {
    /// The fleet: warmth, allowance, what was sent today, pauses.
    List,
    /// Log in for a mailbox that works by tokens (`auth = { oauth = … }`).
    ///
    /// Shows where to go and what to type there, or what a browser must open, and waits. The tokens
    /// are kept in the books, sealed. Works beside a running daemon, which takes them up by itself.
    Login {
        /// Its address.
        address: String,
        /// Take over a refresh token from elsewhere: a file that nobody else may read, or `-` for
        /// standard input.
        #[arg(long, value_name = "FILE")]
        refresh_token: Option<PathBuf>,
        /// Seal by a new key, because the old one is lost for ever: every other mailbox has to log
        /// in again.
        #[arg(long)]
        new_key: bool,
    },
    /// Log in to send and to read, without sending, and say what must be mended.
    ///
    /// Exit codes: 0 all is well, 3 something must be mended, 1 something could not be looked at.
    Verify(Verify),
    /// Stop a mailbox until it is resumed.
    Pause {
        /// Its address.
        address: String,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "WHY", default_value = "paused by the operator")]
        because: String,
    },
    /// Let a paused mailbox work again.
    ///
    /// It comes back lower on its curve and with one message first, unless the pause was your own.
    /// After a restore you say with it that nobody is written to twice.
    Resume {
        /// Its address.
        address: String,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// Their addresses; by default all.
    #[arg(value_name = "ADDRESS")]
    pub(crate) addresses: Vec<String>,
    /// Send one test mail from each to this address, and read it there if it is a mailbox of yours.
    ///
    /// Shows whether SPF, DKIM and DMARC pass, what the signature covers and where it landed.
    #[arg(long, value_name = "SEED")]
    pub(crate) send_to: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Campaign {
    /// Import a campaign folder.
    Import {
        /// The folder.
        dir: PathBuf,
        /// Count, and take nobody into the books.
        #[arg(long)]
        dry_run: bool,
        /// Take over what changed since the last import, for steps not sent yet.
        #[arg(long)]
        update: bool,
        /// The list's encoding, where it is neither UTF-8 nor marked (e.g. windows-1252).
        #[arg(long)]
        encoding: Option<String>,
    },
    /// Let a campaign send, or go on.
    Start {
        /// Its name: that of its folder.
        #[arg(value_name = "NAME")]
        campaign: String,
    },
    /// Hold a campaign. Nothing of it leaves until it is started again.
    Pause {
        /// Its name: that of its folder.
        #[arg(value_name = "NAME")]
        campaign: String,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "WHY", default_value = "paused by the operator")]
        because: String,
    },
    /// All campaigns.
    List,
    /// One campaign: its people and its messages by state.
    Status {
        /// Its name: that of its folder.
        #[arg(value_name = "NAME")]
        campaign: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Books {
    /// Move the books from SQLite to PostgreSQL, or back, compare every row, and retire the old.
    ///
    /// Stop the daemon first. May be interrupted; the same command then goes on. The configuration
    /// is not touched: at the end stands the line to write there.
    Move {
        /// An empty database, as `url` in [store] would name it; a file is taken from the
        /// configuration's folder. No password: set PGPASSWORD, or write it into ~/.pgpass.
        url: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Classify {
    /// An answer in an SMTP session, or one that a bounce report quotes.
    Smtp(SmtpAnswer),
    /// One line of JSON for each mail: what it is, whom it is about, what it does.
    ///
    /// Without --sent every report is taken at its word, as if the message it names were ours.
    Inbound {
        /// Mails as they came in, one a file.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// What was sent, as JSON: {"mailbox", "sent": [{"rcpt", "message_id", "token"}]}.
        #[arg(long, value_name = "FILE")]
        sent: Option<PathBuf>,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SmtpAnswer {
    /// The answer, code first, e.g. "550 5.1.1 User unknown"; lines parted by line breaks or `\n`.
    #[arg(required_unless_present = "csv", conflicts_with = "csv")]
    pub(crate) answer: Vec<String>,
    /// Whose server said it, e.g. microsoft365 or gmail-mx.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// In answer to what: connect, ehlo, starttls, auth, mail, rcpt, data, eod (the final dot), or
    /// ndr where a report quotes it.
    #[arg(long, default_value = "ndr", value_parser = phase)]
    pub(crate) phase: Phase,
    /// A file of answers, with columns `provider`, `phase` and `text_example`.
    ///
    /// Printed back with two columns more behind all others, `scope` and `action`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["provider", "phase"])]
    pub(crate) csv: Option<PathBuf>,
}

fn phase(text: &str) -> Result<Phase, String> {
    let names = || Phase::ALL.map(Phase::as_str).join(", ");
    Phase::from_word(text).ok_or_else(|| format!("no phase; it is one of {}", names()))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Person {
    /// Let those go on whom an answer from their company, or a vague bounce, has put on hold.
    Release(Whom),
    /// Take people out of campaigns. They are not suppressed: another list may bring them again.
    Stop(Whom),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Whom {
    /// `ann@example.com`, or `example.com` for everybody at that company.
    #[arg(required = true)]
    pub(crate) entries: Vec<String>,
    /// Only in this campaign; by default in all.
    #[arg(long, value_name = "NAME")]
    pub(crate) campaign: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Suppress {
    /// Put addresses or domains on the list.
    Add {
        /// `ann@example.com`, or `example.com` for everybody there.
        #[arg(required = true)]
        entries: Vec<String>,
        /// Why.
        #[arg(long, value_name = "WHY", default_value = "operator")]
        reason: String,
    },
    /// Take addresses or domains off the list.
    Remove {
        /// As they were added.
        #[arg(required = true)]
        entries: Vec<String>,
    },
    /// Add a file: one address or domain a line, or a CSV with an `email` column.
    Import {
        /// The file.
        file: PathBuf,
        /// Why.
        #[arg(long, value_name = "WHY", default_value = "imported")]
        reason: String,
        /// The file's encoding, where it is neither UTF-8 nor marked (e.g. windows-1252).
        #[arg(long)]
        encoding: Option<String>,
    },
    /// The whole list.
    List,
}
