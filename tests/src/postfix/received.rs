//! What Postfix received: by the mail it delivered, and again by its log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All that came within a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The delivered mail, by queue id.
    pub mail: Vec<Delivered>,
    /// What the log says of the same, by queue id.
    pub log: Vec<LogEntry>,
    /// Each line of the log that tells of a refusal.
    pub refusals: Vec<String>,
}

/// One delivered message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The name it had in the queue.
    pub queue_id: String,
    /// The envelope sender.
    pub sender: String,
    /// The envelope recipient.
    pub rcpt: String,
    /// The line that says how it came in, unfolded.
    pub trace: String,
    /// The message behind that, its lines ended as files have it.
    pub text: String,
}

/// One message that reached a mailbox, as the log tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogEntry {
    /// Its name in the queue.
    pub queue_id: String,
    /// Who was logged in.
    pub login: String,
    /// Its Message-ID, angle brackets included.
    pub message_id: String,
    /// Where it was delivered.
    pub rcpts: Vec<String>,
}

impl Received {
    pub(super) fn read(inbox: &Path, log: &str) -> Self {
        let mut mail: Vec<Delivered> = mails(inbox)
            .iter()
            .map(|file| Delivered::read(&std::fs::read_to_string(file).expect("mail in ASCII")))
            .collect();
        mail.sort_by(|a, b| a.queue_id.cmp(&b.queue_id));
        let refusals = log.lines().filter(|line| line.contains(": reject: "));
        Self { mail, log: entries(log), refusals: refusals.map(str::to_owned).collect() }
    }
}

impl Delivered {
    /// Postfix writes `Return-Path`, `X-Original-To`, `Delivered-To` and `Received` on top.
    #[track_caller]
    fn read(file: &str) -> Self {
        let mut rest = file;
        let mut next = |name: &str| {
            let mut ends = rest.match_indices('\n').map(|(at, _)| at + 1);
            let end = ends.find(|at| !rest[*at..].starts_with([' ', '\t']));
            let (field, behind) = rest.split_at(end.expect("a header field"));
            rest = behind;
            let value = field.strip_prefix(name).and_then(|value| value.strip_prefix(": "));
            let value = value.unwrap_or_else(|| panic!("no {name} in\n{file}"));
            value.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let sender = next("Return-Path").trim_matches(['<', '>']).to_owned();
        let rcpt = next("X-Original-To");
        assert_eq!(next("Delivered-To"), rcpt);
        let trace = next("Received");
        let queue_id = between(&trace, " id ", " ").expect("a queue id").to_owned();
        Self { queue_id, sender, rcpt, trace, text: rest.to_owned() }
    }
}

/// The files of a Maildir's folder; none where nothing ever came.
pub(super) fn mails(inbox: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(inbox).into_iter().flatten();
    files.map(|file| file.expect("a file").path()).collect()
}

/// What reached a mailbox. Other lines, and messages refused half-way, deliver nothing.
fn entries(log: &str) -> Vec<LogEntry> {
    let mut entries: BTreeMap<&str, LogEntry> = BTreeMap::new();
    for line in log.lines() {
        // MONTH DAY TIME HOST postfix/PROGRAM[PID]: QUEUE-ID: WHAT
        let Some((_, told)) = line.split_once("]: ") else { continue };
        let Some((queue_id, what)) = told.split_once(": ") else { continue };
        let entry = entries.entry(queue_id).or_default();
        entry.queue_id = queue_id.to_owned();
        if let Some(login) = between(what, "sasl_username=", ",") {
            entry.login = login.to_owned();
        } else if let Some(id) = what.strip_prefix("message-id=") {
            entry.message_id = id.to_owned();
        } else if what.contains(" status=sent ") {
            let rcpt = between(what, "to=<", ">").expect("somebody got it");
            entry.rcpts.push(rcpt.to_owned());
        }
    }
    entries.into_values().filter(|entry| !entry.rcpts.is_empty()).collect()
}

/// What stands behind `before`, up to `after` or the end.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(before)?;
    Some(behind.split_once(after).map_or(behind, |(found, _)| found))
}
