//! The book of phrases by which people ask not to be written to: its grammar, and nothing of what
//! they count for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Places in a text, one bit for what stands before each word. So no text is read that has more
/// words than this has bits.
type Places = u64;
pub(super) const WORDS_MAX: usize = 63;

/// Whether words, all of them, are a wish that nobody says of anything else.
pub(super) fn is_wish(words: &[&str]) -> bool {
    let whole = 1 << words.len();
    let is_one = |language: &Language, wish| language.behind(wish, words, BEGINNING) & whole != 0;
    let mut speaking = LANGUAGES.iter().filter(|language| language.knows(words));
    speaking.any(|language| language.wishes.iter().any(|wish| is_one(language, wish)))
}

/// Whether words, all of them, are one of the phrases of a name in any language.
pub(super) fn is(name: &str, words: &[&str]) -> bool {
    let whole = 1 << words.len();
    let mut speaking = LANGUAGES.iter().filter(|language| language.knows(words));
    speaking.any(|language| language.behind(name, words, BEGINNING) & whole != 0)
}

/// How many words the longest phrase of a name takes that they begin with; none: 0.
pub(super) fn begin(name: &str, words: &[&str]) -> usize {
    let knowing = LANGUAGES.iter().filter(|language| language.knows(&words[..1.min(words.len())]));
    let places = knowing.fold(0, |all, language| all | language.behind(name, words, BEGINNING));
    places.checked_ilog2().map_or(0, |words| words as usize)
}

const BEGINNING: Places = 1;

/// One language's part of the book.
#[derive(Default)]
struct Language {
    names: BTreeMap<&'static str, Vec<&'static str>>,
    wishes: Vec<&'static str>,
    /// Every word of it: most sentences hold another, and are done with at once.
    words: BTreeSet<&'static str>,
}

impl Language {
    fn knows(&self, words: &[&str]) -> bool {
        words.iter().all(|word| self.words.contains(word))
    }

    /// Where a phrase may end that begins at one of some places: names stand for their phrases.
    fn behind(&self, phrase: &str, words: &[&str], from: Places) -> Places {
        let mut places = from;
        for item in phrase.split(' ') {
            if places == 0 {
                break;
            }
            let is_optional = item.ends_with('?');
            let item = item.trim_end_matches('?');
            let next = if is_name(item) {
                let phrases = self.names.get(item).into_iter().flatten();
                phrases.fold(0, |next, phrase| next | self.behind(phrase, words, places))
            } else {
                behind_word(item, words, places)
            };
            places = if is_optional { places | next } else { next };
        }
        places
    }
}

/// Behind those of some places at which one of the words of an item stands (`list/lists`).
fn behind_word(item: &str, words: &[&str], from: Places) -> Places {
    let stands = |at: &usize| from & (1 << at) != 0 && item.split('/').any(|one| one == words[*at]);
    (0..words.len()).filter(stands).fold(0, |next, at| next | 1 << (at + 1))
}

fn is_name(item: &str) -> bool {
    item.starts_with(|c: char| c.is_ascii_uppercase())
}

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    let mut languages: Vec<Language> = Vec::new();
    for line in BOOK.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            languages.push(Language::default());
            continue;
        }
        let language = languages.last_mut().expect("the book is built in, and begins with [en]");
        let phrases = line.split_once(": ").map_or(line, |(_, phrases)| phrases);
        let items = phrases.split([' ', '|', '/', '?']).filter(|item| !is_name(item));
        language.words.extend(items);
        match line.split_once(": ") {
            Some((name, phrases)) => {
                language.names.insert(name, phrases.split(" | ").collect());
            }
            None => language.wishes.push(line),
        }
    }
    languages
});

const BOOK: &str = include_str!("phrasebook.txt");

#[cfg(test)]
mod tests {
    use super::*;

    /// What a phrase is made of.
    fn items(phrase: &str) -> impl Iterator<Item = &str> {
        phrase.split(' ').map(|item| item.trim_end_matches('?'))
    }

    #[test]
    fn every_name_is_explained_and_used_and_every_word_can_be_written() {
        let with_a_meaning = ["ALONE", "PLEASE", "LEAD", "HELLO", "THANKS", "NO", "REASON"];
        for language in LANGUAGES.iter() {
            let phrases = || language.wishes.iter().chain(language.names.values().flatten());
            let used: BTreeSet<&str> = phrases().flat_map(|phrase| items(phrase)).collect();
            for name in with_a_meaning {
                assert!(language.names.contains_key(name), "{name} is missing");
            }
            for name in language.names.keys() {
                assert!(with_a_meaning.contains(name) || used.contains(name), "{name} is unused");
            }
            for item in used {
                assert!(!item.is_empty() && !item.contains('-'), "`{item}`");
                assert!(!is_name(item) || language.names.contains_key(item), "{item} is unknown");
            }
        }
    }

    #[test]
    fn a_phrase_is_read_with_its_choices_and_what_may_be_left_out() {
        let phrases = vec!["list/lists", "mailing list?"];
        let names = BTreeMap::from([("LIST", phrases)]);
        let language = Language { names, ..Language::default() };
        let ends = |words: &str| {
            let words: Vec<&str> = words.split(' ').collect();
            language.behind("leave your? LIST now?", &words, BEGINNING)
        };
        assert_eq!(ends("leave lists"), 0b100);
        assert_eq!(ends("leave your mailing list now"), 0b11_1000);
        assert_eq!(ends("leave me"), 0);
    }
}
