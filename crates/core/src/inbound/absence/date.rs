//! Dates as people write them: a day and a month in figures or words, in a dozen languages, often
//! without a year.

use jiff::ToSpan as _;
use jiff::civil::Date;

/// A date as somebody named it.
#[derive(Clone, Copy)]
pub(super) struct Named {
    year: Option<i16>,
    month: i8,
    day: i8,
}

impl Named {
    /// The date that words begin with, and how many of them it takes.
    pub(super) fn read(words: &[&str], speaks_english: bool) -> Option<(Self, usize)> {
        let first = words.first()?;
        if let Some(named) = in_figures(first, speaks_english) {
            return Some((named, 1));
        }
        if let Some(told) = Self::in_the_east(words) {
            return Some(told);
        }
        let is_between = |word: &str| is_ending(word) || matches!(word, "of" | "de" | "the");
        let rest = words.iter().enumerate().skip(1).filter(|(_, word)| !is_between(word));
        let rest: Vec<(usize, &str)> = rest.take(2).map(|(at, word)| (at, *word)).collect();
        let &(at, second) = rest.first()?;
        let (day, month) = match (day(first), month(first)) {
            (Some(day), None) => (day, month(second)?),
            (None, Some(month)) => (day(second)?, month),
            _ => return None,
        };
        let year = rest.get(1).and_then(|&(at, word)| Some((year_in_words(word)?, at)));
        let used = year.map_or(at, |(_, at)| at) + 1;
        let endings = words[used..].iter().take_while(|word| is_ending(word)).count();
        Some((Self { year: year.map(|(year, _)| year), month, day }, used + endings))
    }

    /// `2026年11月30日`, `11月30日`.
    pub(super) fn in_the_east(words: &[&str]) -> Option<(Self, usize)> {
        let (year, rest) = match words {
            [year, "年", rest @ ..] => (Some(year.parse().ok()?), rest),
            _ => (None, words),
        };
        let [month, "月", day, "日" | "号" | "號", behind @ ..] = rest else { return None };
        let named = Self { year, month: month.parse().ok()?, day: day.parse().ok()? };
        Some((named, words.len() - behind.len()))
    }

    /// That date; without a year the next such day, within half a year: one that has just gone by is
    /// not next year's.
    pub(super) fn next(self, today: Date) -> Option<Date> {
        if let Some(year) = self.year {
            return Date::new(year, self.month, self.day).ok();
        }
        let until = today.checked_add(6.months()).ok()?;
        [today.year(), today.year() + 1]
            .into_iter()
            .filter_map(|year| Date::new(year, self.month, self.day).ok())
            .find(|date| (today..=until).contains(date))
    }

    /// That date; without a year the last such day before another, or that day.
    pub(super) fn last(self, end: Date) -> Option<Date> {
        let years = self.year.map_or([end.year(), end.year() - 1], |year| [year, year]);
        let mut dates = years.into_iter().filter_map(|y| Date::new(y, self.month, self.day).ok());
        dates.find(|date| *date <= end)
    }
}

/// The words of a text in which dates are looked for: parted between figures and letters
/// (`30Nov2026`, `1st`), a dash between two dates a word of its own.
pub(super) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace(['–', '—', '～', '〜'], " - ");
    let mut words = Vec::new();
    for word in lower.split_whitespace().take(WORDS_MAX) {
        let word = if word == "-" { word } else { bare(word) };
        let pieces: Vec<&str> = word.split('-').collect();
        match pieces.as_slice() {
            ["", ""] => words.push("-".to_owned()),
            [from, to] if ends_in_figures(from) && to.starts_with(|c: char| c.is_ascii_digit()) => {
                parted(from, &mut words);
                words.push("-".to_owned());
                parted(to, &mut words);
            }
            pieces if pieces.iter().any(|piece| month(piece).is_some()) => {
                pieces.iter().for_each(|piece| parted(piece, &mut words));
            }
            _ => parted(word, &mut words),
        }
    }
    words
}

/// Between figures and letters, and around the signs of the East.
fn parted(word: &str, words: &mut Vec<String>) {
    let sort = |c: char| if c.is_alphabetic() { 1 } else { 0 };
    let has_figures = word.contains(|c: char| c.is_ascii_digit());
    let mut piece = String::new();
    for c in word.chars() {
        let is_sign = matches!(c, '年' | '月' | '日' | '号' | '號');
        let was_sign = matches!(piece.as_str(), "年" | "月" | "日" | "号" | "號");
        let last = piece.chars().next_back();
        let is_new = last.is_some_and(|last| sort(last) != sort(c)) || is_sign || was_sign;
        if has_figures && is_new {
            words.push(bare(&piece).to_owned());
            piece.clear();
        }
        piece.push(c);
    }
    words.push(bare(&piece).to_owned());
    words.retain(|word| !word.is_empty());
}

/// A word without what stands around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn ends_in_figures(word: &str) -> bool {
    bare(word).ends_with(|c: char| c.is_ascii_digit())
}

/// `2026-12-01`, `1.12.2026`, `1.12`, `01/12/2026`, `1-12-2026`, `11/30`.
fn in_figures(word: &str, speaks_english: bool) -> Option<Named> {
    let separator = word.chars().find(|c| matches!(c, '.' | '/' | '-'))?;
    let figures: Vec<&str> = word.split(separator).collect();
    let numbers: Vec<i16> = figures.iter().map(|f| f.parse().ok()).collect::<Option<_>>()?;
    let small = |number: i16| i8::try_from(number).ok();
    let (year, first, second) = match (numbers.as_slice(), separator) {
        (&[y, m, d], _) if figures[0].len() == 4 => {
            return Some(Named { year: Some(y), month: small(m)?, day: small(d)? });
        }
        (&[a, b, _], _) => (Some(year(figures[2])?), a, b),
        // At any time, and no day of July.
        (&[24, 7], '/') => return None,
        (&[a, b], '.' | '/') => (None, a, b),
        // Two figures with a dash are a span or a room.
        _ => return None,
    };
    let (first, second) = (small(first)?, small(second)?);
    let (day, month) = match separator {
        '/' if speaks_english && first <= 12 && second <= 12 && first != second => return None,
        '/' if second > 12 => (second, first),
        _ => (first, second),
    };
    Some(Named { year, month, day })
}

fn year(word: &str) -> Option<i16> {
    match word.len() {
        2 => word.parse::<i16>().ok().map(|year| 2000 + year),
        4 => word.parse().ok().filter(|year| (2000..2100).contains(year)),
        _ => None,
    }
}

/// Behind a month's name a short number may be anything: `30 November, 10 am`.
fn year_in_words(word: &str) -> Option<i16> {
    year(word).filter(|_| word.len() == 4)
}

pub(super) fn day(word: &str) -> Option<i8> {
    word.parse().ok().filter(|day| word.len() <= 2 && (1..=31).contains(day))
}

/// What stands behind the figure of a day: `1st`, `1er`, `1º`.
pub(super) fn is_ending(word: &str) -> bool {
    matches!(word, "st" | "nd" | "rd" | "th" | "er" | "º" | "e" | "te" | "ten")
}

/// A month by its name, or by the first three letters of it in English and German.
fn month(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|names| names.split(' ').any(|name| name == word))?;
    i8::try_from(at + 1).ok()
}

/// How much of a note is read.
const WORDS_MAX: usize = 2_000;

/// The months' names, also as they are declined, in those languages.
const MONTHS: [&str; 12] = [
    "january jan januar jänner janvier enero gennaio januari janeiro stycznia",
    "february feb februar février febrero febbraio februari fevereiro lutego",
    "march mar märz mrz mars marzo maart março marca marts",
    "april apr avril abril aprile kwietnia",
    "may mai mayo maggio mei maio maja maj",
    "june jun juni juin junio giugno junho czerwca",
    "july jul juli juillet julio luglio julho lipca",
    "august aug août agosto augustus sierpnia augusti",
    "september sep sept septembre septiembre settembre setembro września",
    "october oct oktober okt octobre octubre ottobre outubro października",
    "november nov novembre noviembre novembro listopada",
    "december dec dezember dez décembre diciembre dicembre dezembro grudnia",
];
