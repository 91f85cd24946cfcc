//! Reports for machines: delivery status (RFC 3464) and feedback (RFC 5965).
//!
//! Both are blocks of fields like those of a header. Read with patience: blanks before a colon or
//! none behind it, `rfc/822` for `rfc822`, no address type at all, addresses in angle brackets.

use warmfront_core::address::Address;
use warmfront_core::answer::Enhanced;
use warmfront_core::inbound::{Action, Failure, Feedback};

use super::header::ids_in;

/// How many recipients of a report are read; our messages have one.
pub(super) const FAILURES_MAX: usize = 50;

/// What a delivery status says, recipient by recipient.
pub(super) fn failures(text: &str) -> Vec<Failure> {
    let mut failures: Vec<Failure> =
        blocks(text).iter().filter_map(|block| failure(block)).collect();
    failures.truncate(FAILURES_MAX);
    failures
}

/// What Gmail's and others' delivery status says of the message it is about.
pub(super) fn original_ids(text: &str) -> Vec<String> {
    let fields = blocks(text).into_iter().flatten();
    fields
        .filter(|(name, _)| name == "x-original-message-id")
        .flat_map(|(_, v)| ids_in(&v))
        .collect()
}

/// What a feedback report says.
pub(super) fn feedback(text: &str) -> Feedback {
    let fields: Vec<Field> = blocks(text).into_iter().flatten().collect();
    let values = |wanted: &str| {
        let wanted = wanted.to_owned();
        fields.iter().filter(move |(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let kind = values("feedback-type").next().map(|kind| kind.to_lowercase()).unwrap_or_default();
    let recipients = values("original-rcpt-to").filter_map(|value| address(value)).collect();
    Feedback { kind, recipients }
}

type Field = (String, String);

fn failure(block: &[Field]) -> Option<Failure> {
    let value =
        |wanted: &str| block.iter().find(|(name, _)| name == wanted).map(|(_, v)| v.as_str());
    let [original, last] = ["original-recipient", "final-recipient"].map(value);
    // The block about the message as a whole names no recipient.
    let (action, status) = (value("action"), value("status"));
    if original.is_none() && last.is_none() && (action.is_none() || status.is_none()) {
        return None;
    }
    let mut recipients: Vec<Address> = Vec::new();
    for address in
        [original, last, value("x-actual-recipient")].into_iter().flatten().filter_map(address)
    {
        if !recipients.contains(&address) && recipients.len() < 2 {
            recipients.push(address);
        }
    }
    let diagnostic: Vec<&str> = block
        .iter()
        .filter(|(name, _)| DIAGNOSTICS.contains(&name.as_str()))
        .map(|(_, value)| value.as_str())
        .collect();
    Some(Failure {
        recipients,
        action: action.and_then(to_action),
        status: status.and_then(to_status),
        diagnostic: shortened(&diagnostic.join(" ")),
        prose: String::new(),
    })
}

/// The code before whatever a server says behind it.
fn to_status(value: &str) -> Option<Enhanced> {
    Enhanced::parse(value.split_whitespace().next()?)
}

/// RFC 3464, section 2.3.3; some servers write the words larger or longer.
fn to_action(value: &str) -> Option<Action> {
    let word = value.trim().to_ascii_lowercase();
    let starts = |start: &str| word.starts_with(start);
    if starts("fail") {
        Some(Action::Failed)
    } else if starts("delay") {
        Some(Action::Delayed)
    } else if starts("deliver") || starts("relay") || starts("expand") {
        Some(Action::Done)
    } else {
        None
    }
}

/// `rfc822; <bob@b.example>`, and what is made of it.
fn address(value: &str) -> Option<Address> {
    let value = value.split_once(';').map_or(value, |(_, address)| address);
    let bare = value.split_once('<').map_or(value, |(_, rest)| rest);
    let bare = bare.split('>').next().unwrap_or_default().trim();
    let word = bare.split_whitespace().find(|word| word.contains('@'))?;
    Address::parse(word.trim_matches(['"', '\'', '(', ')', ','])).ok()
}

/// Blocks of fields, folded lines joined, names in lower case.
fn blocks(text: &str) -> Vec<Vec<Field>> {
    let mut blocks: Vec<Vec<Field>> = vec![Vec::new()];
    for line in text.lines().take(LINES_MAX) {
        let block = blocks.last_mut().expect("there is always one");
        if line.trim().is_empty() {
            blocks.push(Vec::new());
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = block.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            block.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        } else if let Some((_, value)) = block.last_mut() {
            // Some servers fold without a blank.
            value.push(' ');
            value.push_str(line.trim());
        }
    }
    blocks
}

/// What is kept of a server's words; Exchange writes more than 1 KiB.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(4096).collect()
}

/// Fields in which servers say what went wrong.
const DIAGNOSTICS: [&str; 3] = ["diagnostic-code", "x-notes-item", "x-supplementary-info"];
const LINES_MAX: usize = 5_000;
