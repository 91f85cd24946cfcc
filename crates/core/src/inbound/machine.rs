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

/// Whether it was written to many, or by an address that takes no answer: none of ours, unless it
/// is the very address that we wrote to.
pub(super) fn writes_to_many(arrival: &Arrival) -> bool {
    let is_answer = !arrival.refers_to.is_empty();
    let is_nobody = arrival.from.as_ref().is_none_or(|from| {
        let local: String = from.local().chars().filter(|c| c.is_alphanumeric()).collect();
        NOBODY.iter().any(|word| local.starts_with(word))
    });
    !is_answer && (arrival.marks.is_bulk || arrival.marks.is_from_nobody || is_nobody)
}

/// Whether a subject begins an absence note: with the words of the machines of the large providers,
/// in the language of the account, and then with nothing that makes another sentence of them ("Out
/// of office hours support"). One with `Re:` before it is a person's.
pub(super) fn is_absence(subject: &str) -> bool {
    let subject = text::folded(subject);
    ABSENCES.iter().any(|start| {
        subject.strip_prefix(start).is_some_and(|rest| {
            let word = rest.trim_start().split(|c: char| !c.is_alphanumeric()).next();
            let is_parted = !rest.starts_with(|c: char| c.is_alphanumeric());
            is_parted && word.is_none_or(|word| word.is_empty() || goes_on(word))
        })
    })
}

/// Whether a word goes on an absence note's beginning: "Out of office reply", "On vacation 20.11.".
fn goes_on(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) || GOES_ON.contains(&word)
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

/// What may stand behind one of them: of whom, about what, from when, until when.
const GOES_ON: [&str; 40] = [
    "re",
    "aw",
    "reply",
    "autoreply",
    "auto",
    "automatic",
    "response",
    "message",
    "notice",
    "notification",
    "alert",
    "assistant",
    "from",
    "for",
    "to",
    "until",
    "till",
    "through",
    "today",
    "this",
    "and",
    "i",
    "we",
    "von",
    "vom",
    "bis",
    "auf",
    "ab",
    "du",
    "de",
    "à",
    "jusqu",
    "hasta",
    "a",
    "fino",
    "dal",
    "tot",
    "van",
    "do",
    "na",
];
