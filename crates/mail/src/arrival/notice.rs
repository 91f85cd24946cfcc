//! Reports for people: what mail servers wrote before RFC 3464, and many still do.
//!
//! Prose is believed only where header and subject say that a mail system speaks. Then the first
//! part of the text is the report: whom it names is the recipient, and what stands behind the name
//! is the last server's answer. Where the returned message begins, the report ends.

use warmfront_core::address::Address;
use warmfront_core::inbound::{Action, Failure, Returned, is_absence, tells_why};
use warmfront_core::text::folded;

use super::entity::{Entity, html_as_text};
use super::header::Header;
use super::report::{self, shortened};

/// What a report for people says.
pub(super) struct Notice {
    pub(super) says: Says,
    /// The message it quotes.
    pub(super) returned: Returned,
}

/// The report without what it quotes.
pub(super) struct Says {
    /// The addresses it names, in order.
    named: Vec<Address>,
    /// Fields for machines that stand in the text for people.
    fields: Vec<Failure>,
    text: String,
    is_delay: bool,
}

/// Whether a mail system speaks, of a message that it could not deliver.
pub(super) fn is_one(header: &Header<'_>, entities: &[Entity], subject: &str) -> bool {
    if header.has("X-Failed-Recipients") {
        return true;
    }
    let has_status = entities.iter().any(Entity::is_delivery_status);
    let is_answer = answers(subject) || !header.ids("In-Reply-To").is_empty();
    // A person has a name and a way back, brings no part for machines and quotes no session.
    let is_a_persons = || !has_status && !is_from_a_system(header) && !quotes_a_session(entities);
    if is_answer && is_a_persons() {
        return false;
    }
    let encloses = has_status || entities.iter().any(Entity::is_enclosed_message);
    let subject = folded(subject);
    // The subject of an answer is ours, unless a mail system answers under one of its own.
    let is_theirs = !is_answer || names_a_system(header) && !answers(&subject);
    let speaks_of_failure = is_theirs && SUBJECTS.iter().any(|phrase| subject.contains(phrase));
    is_from_a_system(header) && (speaks_of_failure || encloses || quotes_an_answer(entities))
        || is_from_nobody(header) && encloses && folded(&text_of(entities)).contains(NOT_DELIVERED)
}

/// Whether a subject is that of an answer, as people and their machines write it.
fn answers(subject: &str) -> bool {
    let subject = folded(subject);
    let begins = |prefix: &&str| {
        let rest = subject.strip_prefix(*prefix).unwrap_or_default().trim_start();
        // `Re[2]:`, `回复：`
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '[' | ']'));
        rest.starts_with([':', '：'])
    };
    ANSWERS.iter().any(begins) || is_absence(&subject)
}

/// Whether it comes from an address that takes no answers, as some providers' reports do.
fn is_from_nobody(header: &Header<'_>) -> bool {
    let from = header.addresses("From");
    from.first().is_some_and(|from| matches!(from.local(), "no-reply" | "noreply"))
}

/// Whether a server's answer of class 4 or 5 stands in the text.
fn quotes_an_answer(entities: &[Entity]) -> bool {
    let is_code = |word: &str| word.len() == 3 && word.starts_with(['4', '5']);
    let text = text_of(entities);
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric()).take(OPENING);
    words.any(|word| is_code(word) && word.parse::<u16>().is_ok()) && tells_why(&text)
}

/// Whether a command of SMTP stands in the text, which people do not write to one another.
fn quotes_a_session(entities: &[Entity]) -> bool {
    folded(&text_of(entities)).contains("rcpt to:")
}

/// Whether nobody is to answer (RFC 5321, section 4.5.5), or a mail system is named: before the @, or
/// by whole words of its name. Not by its return path, which forwarders and CRMs make up of such words.
fn is_from_a_system(header: &Header<'_>) -> bool {
    is_nobodys(header) || names_a_system(header)
}

fn names_a_system(header: &Header<'_>) -> bool {
    let from = header.text("From").unwrap_or_default().to_lowercase();
    let from = from.split_whitespace().map(|word| word.split('@').next().unwrap_or_default());
    let from = from.collect::<Vec<_>>().join(" ");
    let words: Vec<&str> =
        from.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let from = format!(" {} ", words.join(" "));
    let is_empty = header.raw("From").is_some_and(|from| from.trim_ascii() == b"<>");
    is_empty || SYSTEMS.iter().any(|system| from.contains(&format!(" {system} ")))
}

/// Whether it came by the null return path, which some servers deliver under a name of their own.
fn is_nobodys(header: &Header<'_>) -> bool {
    let path = header.raw("Return-Path").map(String::from_utf8_lossy).unwrap_or_default();
    let path = path.trim().to_ascii_lowercase();
    path == "<>" || path == "<mailer-daemon>" || path.starts_with("<mailer-daemon@")
}

/// Reads the report, and the header of what it quotes.
pub(super) fn read(
    header: &Header<'_>,
    entities: &[Entity],
    subject: &str,
    mine: &[Address],
) -> Notice {
    let text = text_of(entities);
    let (report, quoted) = parted(&text);
    let failed = header.raw("X-Failed-Recipients").map(String::from_utf8_lossy);
    let mut named = failed.map(|list| addresses(&list, &[])).unwrap_or_default();
    let others = addresses(&report, mine).into_iter().filter(|other| !named.contains(other));
    named.extend(others.collect::<Vec<_>>());
    let opening = folded(&format!("{subject} {report}"));
    let opening: String = opening.chars().take(OPENING).collect();
    let is_delay = DELAYS.iter().any(|phrase| opening.contains(phrase));
    let mut fields = report::failures(&text);
    fields.retain(|failure| !failure.recipients.is_empty());
    let says = Says { named, fields, text: report, is_delay };
    Notice { says, returned: super::returned_of(quoted.as_bytes()) }
}

/// The one failure that a report for people tells; a report for machines that named nobody may
/// have told the rest.
pub(super) fn failures(says: &Says, told: Option<Failure>, returned: &Returned) -> Vec<Failure> {
    if told.is_none() && !says.fields.is_empty() {
        return says.fields.clone();
    }
    let ours = says.named.iter().find(|address| returned.to.contains(address));
    let recipient = ours.or(says.named.first()).or(returned.to.first());
    let mut failure = told.unwrap_or_default();
    failure.recipients.extend(recipient.cloned());
    let is_told = failure.action.is_some() && !failure.diagnostic.is_empty();
    if failure.action.is_none() {
        failure.action = Some(if says.is_delay { Action::Delayed } else { Action::Failed });
    }
    if !is_told {
        failure.diagnostic = says.why(failure.recipients.last());
    }
    vec![failure]
}

impl Says {
    /// What is said behind the recipient and before the next; the whole report, where that does
    /// not tell why.
    pub(super) fn why(&self, recipient: Option<&Address>) -> String {
        let behind = self.behind(recipient);
        let why = if tells_why(&behind) { behind } else { self.text.to_lowercase() };
        shortened(&folded(&why))
    }

    /// What is said behind the recipient and before the next, in lower case.
    pub(super) fn behind(&self, recipient: Option<&Address>) -> String {
        let lower = self.text.to_lowercase();
        let behind = recipient.and_then(|address| {
            let at = lower.find(address.as_str())? + address.as_str().len();
            let rest = lower.get(at..)?;
            let others = self.named.iter().filter(|other| *other != address);
            let next = others.filter_map(|other| rest.find(other.as_str())).min();
            rest.get(..next.unwrap_or(rest.len()))
        });
        shortened(behind.unwrap_or_default())
    }
}

/// The text of all parts, as text.
fn text_of(entities: &[Entity]) -> String {
    let is = |kind: &str| {
        let kind = kind.to_owned();
        entities.iter().filter(move |entity| entity.content_type == kind)
    };
    let plain: Vec<String> = is("text/plain").take(PARTS).map(Entity::text).collect();
    let plain = plain.join("\n");
    if !plain.trim().is_empty() {
        return plain;
    }
    let rich: Vec<String> =
        is("text/html").take(PARTS).map(|entity| html_as_text(&entity.text())).collect();
    rich.join("\n")
}

/// The report, and the header of the message quoted behind it.
fn parted(text: &str) -> (String, String) {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &&str| {
        let line = line.trim_start_matches([' ', '\t', '>', '|']).to_ascii_lowercase();
        QUOTED.iter().any(|field| line.starts_with(field))
    };
    let Some(mut at) = lines.iter().position(begins) else {
        return (text.to_owned(), String::new());
    };
    while at > 0 && is_field(lines[at - 1]) {
        at -= 1;
    }
    let margin = lines[at].len() - lines[at].trim_start_matches([' ', '\t', '>', '|']).len();
    let quoted: Vec<&str> = lines[at..]
        .iter()
        .take(QUOTED_LINES)
        .map(|line| line.get(margin..).unwrap_or_default())
        .collect();
    let report = lines[..at].join("\n");
    // Some put what they quote first.
    let report = if report.contains('@') { report } else { text.to_owned() };
    (report, format!("{}\n\n", quoted.join("\n").trim_start()))
}

/// Whether a line looks like a header field.
fn is_field(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, value)| {
        value.starts_with(' ') && !name.is_empty() && !name.trim_start().contains([' ', '<', '@'])
    })
}

/// The addresses in a text that are neither ours nor a mail system's own.
fn addresses(text: &str, mine: &[Address]) -> Vec<Address> {
    let is_within = |c: char| c.is_alphanumeric() || "@.!#$%&'*+/=?^_`{|}~-".contains(c);
    let mut found: Vec<Address> = Vec::new();
    for line in text.lines() {
        let line = line.replace("mailto:", " ").replace("MAILTO:", " ");
        if SENDERS.iter().any(|start| line.trim_start().to_lowercase().starts_with(start)) {
            continue;
        }
        for word in line.split(|c| !is_within(c)).filter(|word| word.contains('@')).take(8) {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '+');
            let Ok(address) = Address::parse(word) else { continue };
            let local = address.local().replace(['-', '_', '.'], " ");
            let is_system = SYSTEMS.contains(&local.as_str());
            if !is_system && !mine.contains(&address) && !found.contains(&address) {
                found.push(address);
            }
        }
        if found.len() >= NAMED_MAX {
            break;
        }
    }
    found
}

/// Words in the `From` of mail systems, and the beginning of their addresses.
const SYSTEMS: [&str; 14] = [
    "mailer daemon",
    "mailerdaemon",
    "mail daemon",
    "maildaemon",
    "postmaster",
    "mail delivery",
    "post master",
    "system administrator",
    "mail service",
    "mailadmin",
    "mail system",
    "mail administrator",
    "mdaemon",
    "delivery subsystem",
];

/// What stands before the colon of an answer's subject, in the language of the program that wrote it.
const ANSWERS: [&str; 16] = [
    "re", "aw", "sv", "vs", "antw", "antwort", "res", "rv", "rif", "r", "odp", "ynt", "ref",
    "回复", "答复", "返信",
];

/// What a report in any language says somewhere.
const NOT_DELIVERED: &str = "could not be delivered to";

/// Subjects of reports, folded. Not "delivery" alone: people write of theirs.
const SUBJECTS: [&str; 49] = [
    "undeliver",
    "non-deliver",
    "nondeliver",
    "not deliver",
    "not be deliver",
    "unable to deliver",
    "been delivered",
    "during delivery",
    "delivery attempt",
    "delivery delay",
    "delivery error",
    "delivery fail",
    "delivery has",
    "delivery notif",
    "delivery problem",
    "delivery report",
    "delivery status",
    "delivery warning",
    "failed deliver",
    "failure deliver",
    "mail delivery",
    "message delivery",
    "deliver mail",
    "failure notice",
    "failure notification",
    "mail failure",
    "failed mail",
    "mail failed",
    "mail system error",
    "mail error",
    "error sending your mail",
    "returned mail",
    "returning message",
    "returned to sender",
    "returning to sender",
    "return to sender",
    "user unknown",
    "delayed",
    "message status",
    "message you sent blocked",
    "message delayed",
    "email delayed",
    "unzustellbar",
    "nicht zustellbar",
    "non remis",
    "no se puede entregar",
    "no entregado",
    "mancato recapito",
    "onbestelbaar",
];

/// What reports of a delay say at their top.
const DELAYS: [&str; 14] = [
    "has been delayed",
    "is delayed",
    "delivery delayed",
    "message delayed",
    "status notification (delay)",
    "this is a warning message only",
    "you do not need to resend",
    "no need to resend",
    "will be retried",
    "will retry",
    "will continue to",
    "will keep trying",
    "still trying",
    "not yet been delivered",
];

/// Fields that stand in every header and in no prose.
const QUOTED: [&str; 7] = [
    "return-path:",
    "received:",
    "message-id:",
    "delivered-to:",
    "mime-version:",
    "dkim-signature:",
    "x-mailer:",
];

/// Lines that name who wrote.
const SENDERS: [&str; 9] = [
    "from:",
    "sender:",
    "reply-to:",
    "mail from:",
    "return-path:",
    "originator",
    "<<<",
    "message-id:",
    "your message-id",
];

/// Where reports say what they are about: a thousand characters, or words, with the pleasantries.
const OPENING: usize = 1_000;
const PARTS: usize = 4;
const QUOTED_LINES: usize = 400;
const NAMED_MAX: usize = 20;
