//! Machines: those that answer by themselves, and those that write to many.

use super::Arrival;
use crate::text;

/// Whether a machine answered (RFC 3834): an absence, a ticket system, a receipt.
pub(super) fn answers(arrival: &Arrival) -> bool {
    let marks = &arrival.marks;
    let is_auto = marks.auto_submitted.as_deref().is_some_and(|word| word != "no");
    is_auto
        || marks.is_responder
        // Nobody can answer it, and it answers us.
        || marks.is_from_nobody && !arrival.refers_to.is_empty()
        || is_absence(&arrival.subject)
}

/// Whether it was written to many, or by an address that takes no answer: none of ours.
pub(super) fn writes_to_many(arrival: &Arrival) -> bool {
    let is_answer = !arrival.refers_to.is_empty();
    let is_nobody = arrival.from.as_ref().is_none_or(|from| {
        let local: String = from.local().chars().filter(|c| c.is_alphanumeric()).collect();
        NOBODY.iter().any(|word| local.starts_with(word))
    });
    !is_answer && (arrival.marks.is_bulk || arrival.marks.is_from_nobody || is_nobody)
}

/// Subjects with which the machines of the large providers begin an absence note, in the language
/// of the account. One with `Re:` before it is a person's.
fn is_absence(subject: &str) -> bool {
    let subject = text::folded(subject);
    ABSENCES.iter().any(|start| {
        subject
            .strip_prefix(start)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    })
}

/// What stands before the @ where nobody reads, without dots and dashes.
const NOBODY: [&str; 9] = [
    "noreply",
    "donotreply",
    "mailerdaemon",
    "postmaster",
    "notification",
    "notify",
    "newsletter",
    "nepasrepondre",
    "nichtantworten",
];

const ABSENCES: [&str; 44] = [
    "automatic reply",
    "automatic response",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "autorespons",
    "auto:",
    "out of office",
    "out of the office",
    "out-of-office",
    "vacation reply",
    "vacation response",
    "on vacation",
    "automatische antwort",
    "automatische rückantwort",
    "abwesenheitsnotiz",
    "abwesenheitsnachricht",
    "abwesenheit",
    "réponse automatique",
    "message d'absence",
    "absence du bureau",
    "absent du bureau",
    "respuesta automática",
    "fuera de la oficina",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "automatisch antwoord",
    "automatische beantwoording",
    "afwezig",
    "afwezigheid",
    "resposta automática",
    "fora do escritório",
    "odpowiedź automatyczna",
    "autoodpowiedź",
    "automatiskt svar",
    "frånvaro",
    "automatisk svar",
    "autosvar",
    "fravær",
    "自動応答",
];
