//! A person's wish to get no more: in their own words, or by the `List-Unsubscribe` address.
//!
//! Conservative: a sentence counts when, without its courtesies, it *is* one of the phrases in
//! `phrasebook.txt`; a word that may stand in any letter ("unsubscribe", "stop") only where a letter
//! begins with it. What is overlooked here is a reply, and that ends the enrolment too.

mod phrasebook;

use super::Arrival;

/// Whether its writer asks not to be written to.
pub(super) fn asks(arrival: &Arrival) -> bool {
    let lines = opening(&arrival.text);
    // Whether a line ends a sentence is not always to be seen: both ways are tried.
    [joined(&lines, |_| false), joined(&lines, begins_anew)].iter().any(|text| holds_a_wish(text))
}

/// What in an arrival may be the token of an opt-out link: the `unsub-…` of its subject or of the
/// address it was sent to, and behind a plus.
pub(super) fn tokens(arrival: &Arrival) -> Vec<String> {
    let locals = arrival.to.iter().map(|to| to.local());
    let tags = locals.filter_map(|local| local.split_once('+').map(|(_, tag)| tag));
    let words = arrival.subject.split_whitespace();
    let mut tokens: Vec<String> = Vec::new();
    for word in tags.chain(words).take(TOKENS_MAX) {
        let bare =
            COMMANDS.iter().find_map(|c| word.strip_prefix(c)?.strip_prefix(['-', '=', '_']));
        for token in [Some(word), bare].into_iter().flatten() {
            if token.len() >= TOKEN_MIN && !tokens.iter().any(|known| known == token) {
                tokens.push(token.to_owned());
            }
        }
    }
    tokens
}

/// Whether its subject is one that mail programs and providers write from the `mailto:` of
/// `List-Unsubscribe`, or a whole wish.
pub(super) fn is_command(arrival: &Arrival) -> bool {
    match meaning(&arrival.subject) {
        Meaning::Wish => return true,
        Meaning::Alone => {
            let text = joined(&opening(&arrival.text), begins_anew);
            let is_empty = sentences(&text).all(|one| meaning(one) == Meaning::Courtesy);
            return is_empty || arrival.marks.auto_submitted.is_some();
        }
        Meaning::Courtesy | Meaning::Reason | Meaning::Other => {}
    }
    let lower = arrival.subject.trim().to_lowercase();
    COMMANDS.iter().any(|command| {
        lower.strip_prefix(command).is_some_and(|rest| {
            let token = rest.get(1..).unwrap_or_default().trim();
            rest.starts_with(['-', '=', '_', ' ', ':'])
                && token.len() >= TOKEN_MIN
                && !token.contains(' ')
                && token.contains(|c: char| c.is_ascii_digit())
        })
    })
}

/// What a sentence, or a part of one, counts for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It is a wish to get no more.
    Wish,
    /// It is one if the letter begins with it.
    Alone,
    /// It goes with a wish, and says nothing else.
    Courtesy,
    /// It says why.
    Reason,
    /// It is about something else.
    Other,
}

impl Meaning {
    /// Of two parts of a sentence: something else beside it makes a wish none, but for its reasons.
    fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Other, _) | (_, Self::Other) => Self::Other,
            (Self::Wish, _) | (_, Self::Wish) => Self::Wish,
            (Self::Courtesy, other) | (other, Self::Courtesy) => other,
            (Self::Alone, Self::Alone) => Self::Alone,
            (Self::Reason | Self::Alone, Self::Reason | Self::Alone) => Self::Other,
        }
    }
}

fn holds_a_wish(text: &str) -> bool {
    for sentence in sentences(text).take(SENTENCES_MAX) {
        match meaning(sentence) {
            Meaning::Wish | Meaning::Alone => return true,
            Meaning::Courtesy => {}
            // What may stand in any letter counted only up to here.
            Meaning::Reason | Meaning::Other => break,
        }
    }
    sentences(text).take(SENTENCES_MAX).any(|sentence| meaning(sentence) == Meaning::Wish)
}

/// What a sentence counts for: all of its parts, up to the first reason behind a wish.
fn meaning(sentence: &str) -> Meaning {
    let is_question = sentence.ends_with('?');
    let sentence = sentence.to_lowercase().replace(['’', '‘', '´', '`'], "'");
    let sentence = DASHES.iter().fold(sentence, |sentence, dash| sentence.replace(dash, ","));
    let sentence = sentence.replace("e-mail", "email").replace('-', " ");
    let mut told = Meaning::Courtesy;
    for part in sentence.split(',') {
        let words: Vec<&str> =
            part.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect();
        if words.len() > PART_MAX {
            return Meaning::Other;
        }
        if is_question && phrasebook::is("ALONE", &words) {
            return Meaning::Other;
        }
        let part = of_part(&words);
        if told == Meaning::Wish && part == Meaning::Reason {
            return told;
        }
        told = told.and(part);
        if told == Meaning::Other {
            break;
        }
    }
    told
}

fn of_part(words: &[&str]) -> Meaning {
    let simple = of_phrase(words);
    if simple != Meaning::Other || words.is_empty() {
        return simple;
    }
    let clauses = words.split(|word| CONJUNCTIONS.contains(word));
    let together = clauses.map(of_clause).fold(Meaning::Courtesy, Meaning::and);
    if together != Meaning::Other { together } else { of_clause(words) }
}

/// A phrase, or the beginning of one that may go on as it likes.
fn of_clause(words: &[&str]) -> Meaning {
    let simple = of_phrase(words);
    let begins = |name| phrasebook::begin(name, words) > 0;
    let gives_a_reason_at = |at: &usize| phrasebook::begin("REASON", &words[*at..]) > 0;
    if simple != Meaning::Other {
        simple
    } else if (1..words.len()).find(gives_a_reason_at).is_some_and(|at| is_wish(&words[..at])) {
        Meaning::Wish
    } else if begins("HELLO") && words.len() <= SALUTATION_MAX
        || begins("THANKS") && words.len() <= COURTESY_MAX
    {
        Meaning::Courtesy
    } else if begins("REASON") {
        Meaning::Reason
    } else {
        Meaning::Other
    }
}

/// A phrase of the book, with what counts for nothing before it and within.
fn of_phrase(words: &[&str]) -> Meaning {
    let mut from = 0;
    let mut is_alone = false;
    for _ in 0..=LEADS_MAX {
        let rest = &words[from..];
        let bare = unpleased(rest);
        if bare.is_empty() || phrasebook::is("NO", &bare) || phrasebook::is("NO", rest) {
            return if is_alone { Meaning::Alone } else { Meaning::Courtesy };
        }
        if is_wish(rest) || is_wish(&bare) {
            return Meaning::Wish;
        }
        is_alone |= phrasebook::is("ALONE", &bare) || phrasebook::is("ALONE", rest);
        match phrasebook::begin("LEAD", rest).max(phrasebook::begin("PLEASE", rest)) {
            0 => break,
            lead => from += lead,
        }
    }
    if is_alone { Meaning::Alone } else { Meaning::Other }
}

fn is_wish(words: &[&str]) -> bool {
    phrasebook::is_wish(words) || phrasebook::is_wish(&unpleased(words))
}

/// Words without those that only make them polite.
fn unpleased<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < words.len() {
        match phrasebook::begin("PLEASE", &words[at..]) {
            0 => {
                kept.push(words[at]);
                at += 1;
            }
            polite => at += polite,
        }
    }
    kept
}

/// A word without what stands around it; an address is one to the book like any other.
fn bare(word: &str) -> &str {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    if word.contains('@') { "@" } else { word }
}

/// The lines among which a wish stands, without the name that they may begin with.
fn opening(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(str::trim).take(LINES_MAX).collect();
    let is_salutation = |line: &&str| {
        line.ends_with(',')
            && line.split_whitespace().count() <= SALUTATION_MAX
            && matches!(meaning(line), Meaning::Courtesy | Meaning::Other)
    };
    if lines.first().is_some_and(is_salutation) {
        lines.remove(0);
    }
    lines
}

/// Lines as one text, broken at empty ones and before those that begin a sentence.
fn joined(lines: &[&str], begins: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for line in lines {
        let is_break = line.is_empty() || text.ends_with('\n') || begins(line);
        text.push(if is_break { '\n' } else { ' ' });
        text.push_str(line);
        if line.is_empty() {
            text.push('\n');
        }
    }
    text
}

fn begins_anew(line: &str) -> bool {
    line.starts_with(|c: char| c.is_uppercase() || !c.is_alphanumeric())
}

/// The sentences of a text, each with the mark it ends in. A dot within a name, and one before a
/// number (`Art. 17`), ends none.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    let all = std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let ends = |&(at, c): &(usize, char)| {
            let behind = &rest[at + c.len_utf8()..];
            match c {
                '\n' | ';' | ':' | '…' => true,
                '!' | '?' => !behind.starts_with(['!', '?']),
                '.' => {
                    let next = behind.trim_start();
                    (behind.len() > next.len() || next.is_empty())
                        && !next.starts_with(|c: char| c.is_ascii_digit())
                }
                _ => false,
            }
        };
        let end = rest.char_indices().find(ends).map_or(rest.len(), |(at, c)| at + c.len_utf8());
        let (sentence, behind) = rest.split_at(end);
        rest = behind;
        Some(sentence.trim())
    });
    all.filter(|sentence| sentence.contains(char::is_alphanumeric))
}

/// A wish stands at the top.
const LINES_MAX: usize = 12;
const SENTENCES_MAX: usize = 40;
/// Words of the longest wish with its courtesies.
const PART_MAX: usize = 30;
const _: () = assert!(PART_MAX <= phrasebook::WORDS_MAX);
/// Words of a salutation, and of a line of thanks.
const SALUTATION_MAX: usize = 5;
const COURTESY_MAX: usize = 8;
/// Hello, could you, please.
const LEADS_MAX: usize = 4;
/// Tokens are longer than any word of a subject that is not one.
const TOKEN_MIN: usize = 8;
const TOKENS_MAX: usize = 32;

const COMMANDS: [&str; 4] = ["unsubscribe", "unsub", "optout", "opt-out"];

/// What parts a sentence as a comma does.
const DASHES: [&str; 4] = [" - ", " – ", " — ", " -- "];

const CONJUNCTIONS: [&str; 13] =
    ["and", "but", "so", "&", "und", "aber", "et", "mais", "y", "e", "en", "och", "og"];

#[cfg(test)]
mod tests;
