//! What arrived: octets in, facts out. What the facts mean is decided in `warmfront_core::inbound`.
//!
//! Anybody can send anything here, so everything is bounded: how much is read, how many parts, how
//! deep, how many names. The walk through the parts is ours, since a general parser builds what is
//! nested as nested values, which 40,000 levels bring down when they are dropped; header fields,
//! encodings, character sets and HTML are the `mail-parser` crate's. No octets make it panic, and
//! the time it takes grows with the octets and no faster.

pub mod authentication;
mod entity;
mod header;
mod notice;
mod own_text;
mod report;

use sha2::{Digest as _, Sha256};
use warmfront_core::inbound::{Arrival, Feedback, Marks, NAMES_MAX, Returned, tells_why};
use warmfront_core::span::Millis;

use self::entity::Entity;
use self::header::Header;

/// How much of an arrival is read: what a report says of itself stands before what it returns.
/// Whoever fetches need not fetch more; the key is taken from this much.
pub const OCTETS_MAX: usize = 1024 * 1024;

/// What one arrival says. `received_at` is the server's moment; it serves as the date of one that
/// names none.
#[must_use]
pub fn read(raw: &[u8], received_at: Millis) -> Arrival {
    let octets = entity::normalised(&raw[..raw.len().min(OCTETS_MAX)]);
    let (head, body) = entity::split(&octets);
    let header = Header::read(head);
    let subject = header.text("Subject").unwrap_or_default();
    let entities = unwrapped(&header, entity::walk(&header, body), &subject);
    let (from, to) = (header.addresses("From"), recipients(&header));
    let text = own_text::of(&entities);
    let mut returned = returned(&entities);
    let failures = failures(&header, &entities, &subject, &to, &mut returned);
    Arrival {
        key: key(&header, body),
        received_at,
        written_at: header.date(),
        message_id: header.ids("Message-ID").into_iter().next(),
        from: from.into_iter().next(),
        to,
        refers_to: refers_to(&header, &entities),
        marks: marks(&header, &entities),
        failures,
        feedback: feedback(&entities, &subject),
        returned,
        subject,
        text,
    }
}

/// The same mail has the same key in every folder: its own id, writer, date and subject, and what
/// it says. A folder's server adds fields to the header, so the rest of it is left out.
fn key(header: &Header<'_>, body: &[u8]) -> String {
    let mut digest = Sha256::new();
    for name in ["Message-ID", "Date", "From", "Subject"] {
        digest.update(header.raw(name).unwrap_or_default());
        digest.update([0]);
    }
    digest.update(body);
    digest.finalize().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The parts of a report that a gateway's own notice encloses, as InterScan sends reports on when it
/// has looked at them. Once, and only where a mail system speaks: what a person encloses stays closed.
fn unwrapped(header: &Header<'_>, entities: Vec<Entity>, subject: &str) -> Vec<Entity> {
    let has_status = |entities: &[Entity]| entities.iter().any(Entity::is_delivery_status);
    if has_status(&entities) || !notice::is_one(header, &entities, subject) {
        return entities;
    }
    let report = entities.iter().filter(|part| part.is_enclosed_message()).find_map(|enclosed| {
        let (head, body) = entity::split(&enclosed.octets);
        let header = Header::read(head);
        let is_report = header.content_type().is_some_and(|kind| kind == "multipart/report");
        is_report.then(|| entity::walk(&header, body)).filter(|parts| has_status(parts))
    });
    report.unwrap_or(entities)
}

fn recipients(header: &Header<'_>) -> Vec<warmfront_core::address::Address> {
    let mut to = header.addresses("To");
    to.extend(header.addresses("Delivered-To"));
    to
}

fn refers_to(header: &Header<'_>, entities: &[Entity]) -> Vec<String> {
    let mut ids = header.ids("In-Reply-To");
    ids.extend(header.ids("References").into_iter().rev());
    // Gmail names what its report is about inside the report.
    let reports = entities.iter().filter(|entity| entity.is_delivery_status());
    ids.extend(reports.flat_map(|entity| report::original_ids(&entity.text())));
    ids.truncate(NAMES_MAX);
    ids
}

/// The message or header that a report encloses.
fn returned(entities: &[Entity]) -> Returned {
    let enclosed = entities.iter().find(|entity| entity.is_enclosed_message());
    enclosed.map(|entity| returned_of(&entity.octets)).unwrap_or_default()
}

fn returned_of(octets: &[u8]) -> Returned {
    let (head, _) = entity::split(octets);
    let header = Header::read(head);
    let names = OUR_IDS.iter().flat_map(|name| header.ids(name)).take(NAMES_MAX).collect();
    Returned { names, to: header.addresses("To") }
}

fn failures(
    header: &Header<'_>,
    entities: &[Entity],
    subject: &str,
    to: &[warmfront_core::address::Address],
    returned: &mut Returned,
) -> Vec<warmfront_core::inbound::Failure> {
    let has_status = entities.iter().any(Entity::is_delivery_status);
    let is_report = header.content_type().is_some_and(|kind| kind == "multipart/report");
    let is_notice = is_report && has_status || notice::is_one(header, entities, subject);
    let statuses = entities.iter().filter(|entity| entity.is_delivery_status());
    let mut failures: Vec<_> = statuses
        .filter(|_| is_notice)
        .flat_map(|entity| report::failures(&entity.text()))
        .take(report::FAILURES_MAX)
        .collect();
    if !is_notice || entities.iter().any(Entity::is_other_report) {
        return failures;
    }
    let prose = notice::read(header, entities, subject, to);
    if returned.names.is_empty() {
        *returned = prose.returned;
    }
    if failures.iter().all(|failure| failure.recipients.is_empty()) {
        failures = notice::failures(&prose.says, failures.pop(), returned);
    }
    for failure in &mut failures {
        failure.prose = prose.says.behind(failure.recipients.last());
    }
    // Where the part for machines keeps the reason to itself, that for people may tell.
    for failure in failures.iter_mut().filter(|failure| !tells_why(&failure.diagnostic)) {
        let why = prose.says.why(failure.recipients.last());
        failure.diagnostic = format!("{} {why}", failure.diagnostic);
    }
    failures
}

fn feedback(entities: &[Entity], subject: &str) -> Option<Feedback> {
    let report = entities.iter().find(|entity| entity.content_type == "message/feedback-report");
    // Hotmail's reports from before RFC 5965, which some programs still send.
    let is_old = subject.trim().to_lowercase().starts_with("complaint about message from");
    match report {
        Some(report) => Some(report::feedback(&report.text())),
        None if is_old && entities.iter().any(Entity::is_enclosed_message) => {
            Some(Feedback { kind: "abuse".to_owned(), recipients: Vec::new() })
        }
        None => None,
    }
}

fn marks(header: &Header<'_>, entities: &[Entity]) -> Marks {
    let lower = |name: &str| header.text(name).unwrap_or_default().trim().to_lowercase();
    let auto_submitted = lower("Auto-Submitted");
    let keyword = auto_submitted.split([';', ' ', '(']).next().unwrap_or_default();
    let precedence = lower("Precedence");
    let is_receipt =
        entities.iter().any(|entity| entity.content_type == "message/disposition-notification");
    Marks {
        auto_submitted: (!keyword.is_empty()).then(|| keyword.to_owned()),
        is_responder: is_receipt
            || RESPONDERS.iter().any(|name| header.has(name))
            || matches!(precedence.as_str(), "auto_reply" | "auto-reply")
            || lower("X-MS-Exchange-Generated-Message-Source").contains("mailbox rules agent")
            || lower("X-Apple-Action") == "vacation",
        is_from_nobody: header.raw("Return-Path").is_some_and(|path| path.trim_ascii() == b"<>"),
        is_bulk: matches!(precedence.as_str(), "bulk" | "list" | "junk")
            || ["List-Id", "List-Unsubscribe"].iter().any(|name| header.has(name)),
    }
}

/// Where a message's ids stand: its own, and the one it had before a provider gave it another.
const OUR_IDS: [&str; 5] = [
    "Message-ID",
    "X-Microsoft-Original-Message-ID",
    "X-MS-Exchange-Original-Message-ID",
    "X-Google-Original-Message-ID",
    "X-Original-Message-ID",
];

/// Fields that only responders set.
const RESPONDERS: [&str; 5] = [
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Auto-Reply",
    "X-MS-Exchange-Inbox-Rules-Loop",
];

#[cfg(test)]
mod tests;
