//! Sending with every promise on: a claim, a dot and a settlement on the disk for each message, counters
//! moved, events written. The peers keep no books at all.

use crate::bench::Bench;
use crate::failure::Failure;
use crate::peers::{self, SmtpSink};
use crate::process;
use crate::product::{CommitCount, Declared, Installation, Server, ask, sent};
use crate::rounds::{Results, Side, by_turns};
use crate::rows::Measured;
use crate::samples::Samples;
use crate::table::Line;

/// Twenty mailboxes on one SQLite file against what others send over twenty connections.
pub(crate) fn durable(bench: &Bench) -> Measured {
    let messages = bench.size(20_000, 1_000);
    let results = durable_rounds(bench, messages).unwrap_or_else(Results::failed);
    let ours = |facet| results.samples(OURS, facet);
    let beside = |key, name| Line::beside(key, ours(RATE), name, results.samples(name, RATE));
    let quoted = Samples::new(vec![LISTMONK_RATE]);
    let quoted = quoted.ok_or_else(|| Failure::Broken("a figure is a figure".to_owned()));
    let lines = vec![
        beside("send/smtp-source", SMTP_SOURCE),
        beside("send/nodemailer", NODEMAILER),
        beside("send/smtplib", SMTPLIB),
        beside("send/mailmerge", MAILMERGE),
        Line::beside("send/listmonk", ours(RATE), "listmonk, quoted", quoted),
        Line::alone("send/commits", ours(COMMITS)),
        Line::alone("send/memory", ours(PEAK)),
        Line::alone("send/whole", ours(WHOLE)),
    ];
    let mut notes = results.notes;
    notes.push(
        "listmonk's figure is quoted: 10,697/s, the median of a campaign of 19,992 messages over 20 \
         connections, measured once on another machine of two cores, and not durable"
            .to_owned(),
    );
    Measured { lines, notes }
}

fn durable_rounds(bench: &Bench, messages: usize) -> Result<Results, Failure> {
    let sink = SmtpSink::start(None)?;
    let port = sink.port;
    let template =
        campaign(bench, Declared::fast(20, messages / 20, Server::Plain(port)), messages)?;
    let ours = || {
        let installation = template.copy(bench, "send")?;
        let books = installation.file("warmfront.db");
        let commits = CommitCount::begin(&books)?;
        let ended = installation.run(&["run", "--until-idle"], RUN_MAX)?;
        let commits = f64::from(commits.end()?);
        let sent = all_sent(&installation, messages)?;
        Ok(vec![sent, commits / messages as f64, ended.peak_mib, ended.seconds])
    };
    let sides = vec![
        Side::new(OURS, ours),
        Side::new(SMTP_SOURCE, || peers::smtp_source(port, 20, 2 * messages, None)),
        Side::new(NODEMAILER, || peers::nodemailer(bench, port, bench.size(5_000, 500))),
        Side::new(SMTPLIB, || peers::smtplib(bench, port, bench.size(2_000, 200))),
        Side::new(MAILMERGE, || peers::mailmerge(bench, port, bench.size(1_000, 100))),
    ];
    Ok(by_turns(bench, "send", sides))
}

/// One mailbox on one core, the sink on the same: what a message costs, without waiting for a core to
/// wake. The connection is renewed as often as the program renews it (every 20 messages).
pub(crate) fn kept(bench: &Bench) -> Measured {
    let results = kept_rounds(bench).unwrap_or_else(Results::failed);
    let lines = vec![
        Line::beside(
            "kept/smtp-source",
            results.samples(OURS, RATE),
            SMTP_SOURCE,
            results.samples(SMTP_SOURCE, RATE),
        ),
        Line::alone("kept/stall", results.samples(OURS, HELD_UP)),
    ];
    Measured { lines, notes: results.notes }
}

fn kept_rounds(bench: &Bench) -> Result<Results, Failure> {
    let messages = bench.size(5_000, 500);
    let sink = SmtpSink::start(Some(CORE))?;
    let port = sink.port;
    let template = campaign(bench, Declared::fast(1, messages, Server::Plain(port)), messages)?;
    let taskset = peers::taskset()?;
    let starter = [taskset.to_string_lossy().into_owned(), "-c".to_owned(), CORE.to_owned()];
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let ours = || {
        let installation = template.copy(bench, "kept")?;
        let mut command = installation.command_by(&starter, &["run", "--until-idle"]);
        process::run("warmfront run", &mut command, RUN_MAX)?.done("warmfront run")?;
        let rate = all_sent(&installation, messages)?;
        let held_up = ask(&installation.file("warmfront.db"), HELD_UP_MESSAGES)?;
        let held_up: f64 = held_up.parse().map_err(|error| Failure::of("the books", error))?;
        Ok(vec![rate, held_up * 100.0 / messages as f64])
    };
    let peer = || peers::smtp_source(port, 1, 4 * messages, Some(CORE));
    let sides = vec![Side::new(OURS, ours), Side::new(SMTP_SOURCE, peer)];
    Ok(by_turns(bench, "kept", sides))
}

/// An installation that has everything imported and nothing planned yet.
pub(super) fn campaign(
    bench: &Bench,
    declared: Declared,
    people: usize,
) -> Result<Installation, Failure> {
    let installation = Installation::make(bench, "template", &declared)?;
    // Each row that repeats another brings nobody.
    installation.begin(people + people / 1_000 + 1, people)?;
    Ok(installation)
}

/// Messages a second, where all were sent.
pub(super) fn all_sent(installation: &Installation, messages: usize) -> Result<f64, Failure> {
    let sent = sent(&installation.file("warmfront.db"), None)?;
    if (sent.count - messages as f64).abs() > 0.5 {
        return Err(Failure::Broken(format!("{} of {messages} were sent", sent.count)));
    }
    Ok(sent.count / sent.seconds)
}

/// From claim to settlement: three commits and the dialogue. Nagle's algorithm and a delayed
/// acknowledgement hold a message up for 40 ms (RFC 1122, section 4.2.3.2; Linux waits that long).
const HELD_UP_MESSAGES: &str =
    "SELECT count(*) FROM messages WHERE settled_at - sending_since >= 40";

/// Which figure of ours is where.
const RATE: usize = 0;
const COMMITS: usize = 1;
const HELD_UP: usize = 1;
const PEAK: usize = 2;
const WHOLE: usize = 3;

const OURS: &str = "warmfront";
const SMTP_SOURCE: &str = "smtp-source";
const NODEMAILER: &str = "nodemailer";
const SMTPLIB: &str = "smtplib, jinja2";
const MAILMERGE: &str = "mailmerge";

/// Messages a second, see the note.
const LISTMONK_RATE: f64 = 10_697.0;

/// Where client and server of one connection run, both.
const CORE: &str = "0";

/// How long a run may take.
pub(super) const RUN_MAX: u64 = 300;
