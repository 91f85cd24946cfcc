//! The day from which somebody away reads mail again, as their machine tells it in words.
//!
//! Conservative: a date counts only behind a word such as "until" or "back", and one that could
//! be read in two ways counts for nothing. Without a day of return nothing is put off.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::Arrival;

/// The day of return, the latest if several are told.
pub(super) fn return_on(arrival: &Arrival) -> Option<Date> {
    let written = arrival.written_at.unwrap_or(arrival.received_at);
    let today = Timestamp::from_millisecond(written).ok()?.to_zoned(TimeZone::UTC).date();
    let lower = format!("{}\n{}", arrival.subject, arrival.text).to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().take(WORDS_MAX).map(bare).collect();
    let dates = (0..words.len()).filter_map(|at| {
        let speaks_english = trigger(words[at])?;
        let behind = &words[at + 1..words.len().min(at + 1 + REACH)];
        (0..behind.len()).find_map(|from| date(&behind[from..], today, speaks_english))
    });
    let horizon = today.checked_add(1.year()).ok()?;
    dates.filter(|date| (today..=horizon).contains(date)).max()
}

/// A word without what stands around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Whether a word announces a day of return, and whether it is English, where 3/4 has two meanings.
fn trigger(word: &str) -> Option<bool> {
    if ENGLISH.contains(&word) { Some(true) } else { OTHERS.contains(&word).then_some(false) }
}

/// The date that words begin with.
fn date(words: &[&str], today: Date, speaks_english: bool) -> Option<Date> {
    let first = words.first()?;
    if let Some(date) = in_figures(first, today, speaks_english) {
        return Some(date);
    }
    let rest: Vec<&str> =
        words[1..].iter().copied().filter(|word| !matches!(*word, "of" | "de")).take(2).collect();
    let (day, month) = match (day(first), month(first)) {
        (Some(day), None) => (day, month(rest.first()?)?),
        (None, Some(month)) => (day(rest.first()?)?, month),
        _ => return None,
    };
    match rest.get(1).and_then(|word| year(word)) {
        Some(year) => Date::new(year, month, day).ok(),
        None => next(today, month, day),
    }
}

/// `2026-12-01`, `1.12.2026`, `1.12`, `01/12/2026`, `1-12-2026`.
fn in_figures(word: &str, today: Date, speaks_english: bool) -> Option<Date> {
    let separator = word.chars().find(|c| matches!(c, '.' | '/' | '-'))?;
    let figures: Vec<&str> = word.split(separator).collect();
    let numbers: Vec<i16> = figures.iter().map(|f| f.parse().ok()).collect::<Option<_>>()?;
    let small = |number: i16| i8::try_from(number).ok();
    let (year, first, second) = match (numbers.as_slice(), separator) {
        (&[y, m, d], _) if figures[0].len() == 4 => {
            return Date::new(y, small(m)?, small(d)?).ok();
        }
        (&[a, b, _], _) => (Some(year(figures[2])?), a, b),
        // Two figures with a dash or a slash are a range, a fraction or a room.
        (&[a, b], '.') => (None, a, b),
        _ => return None,
    };
    let (first, second) = (small(first)?, small(second)?);
    let (day, month) = match separator {
        '/' if speaks_english && first <= 12 && second <= 12 && first != second => return None,
        '/' if second > 12 => (second, first),
        _ => (first, second),
    };
    match year {
        Some(year) => Date::new(year, month, day).ok(),
        None => next(today, month, day),
    }
}

/// The next such day, within half a year: one that has just gone by is not next year's.
fn next(today: Date, month: i8, day: i8) -> Option<Date> {
    let until = today.checked_add(6.months()).ok()?;
    [today.year(), today.year() + 1]
        .into_iter()
        .filter_map(|year| Date::new(year, month, day).ok())
        .find(|date| (today..=until).contains(date))
}

fn year(word: &str) -> Option<i16> {
    match word.len() {
        2 => word.parse::<i16>().ok().map(|year| 2000 + year),
        4 => word.parse().ok().filter(|year| (2000..2100).contains(year)),
        _ => None,
    }
}

/// `1`, `1st`, `1er`, `1º`.
fn day(word: &str) -> Option<i8> {
    let figures = word.trim_end_matches(|c: char| !c.is_ascii_digit());
    let ending = &word[figures.len()..];
    let is_day = matches!(ending, "" | "st" | "nd" | "rd" | "th" | "er" | "º" | "e" | "te" | "ten");
    figures.parse().ok().filter(|day| is_day && (1..=31).contains(day))
}

/// A month by its name, or by the first three letters of it in English and German.
fn month(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|names| names.split(' ').any(|name| name == word))?;
    i8::try_from(at + 1).ok()
}

/// How much of a note is read, and how far behind its announcement a date may stand.
const WORDS_MAX: usize = 2_000;
const REACH: usize = 7;

const ENGLISH: [&str; 7] = ["until", "till", "til", "back", "return", "returning", "through"];

/// German, French, Spanish, Italian, Dutch, Portuguese, Polish, Swedish, Danish.
const OTHERS: [&str; 44] = [
    "bis",
    "zurück",
    "ab",
    "wieder",
    "jusqu'au",
    "jusqu’au",
    "jusque",
    "retour",
    "partir",
    "hasta",
    "regreso",
    "regresaré",
    "vuelvo",
    "vuelta",
    "volveré",
    "fino",
    "rientro",
    "rientrerò",
    "ritorno",
    "tornerò",
    "tot",
    "t/m",
    "terug",
    "vanaf",
    "até",
    "regresso",
    "retorno",
    "retornarei",
    "voltarei",
    "voltar",
    "do",
    "powrót",
    "wracam",
    "wrócę",
    "till",
    "tillbaka",
    "åter",
    "tilbage",
    "indtil",
    "frem",
    "tilbake",
    "igen",
    "fra",
    "från",
];

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Saturday, 2026-11-21.
    const NOW: i64 = 1_795_219_200_000;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let arrival = Arrival { received_at: NOW, text: text.to_owned(), ..Arrival::default() };
        let got = return_on(&arrival).map(|date| date.to_string());
        assert_eq!(got.as_deref().unwrap_or("-"), want, "{text}");
    }

    #[test]
    fn days_of_return() {
        check("I am out of the office until December 1, 2026.", "2026-12-01");
        check("I will be back on Monday, 30 November.", "2026-11-30");
        check("Returning Dec 1st. Away from 20 November till 30 November", "2026-12-01");
        check("I will return on 2026-12-07", "2026-12-07");
        check("I am away until 25/11/2026", "2026-11-25");
        check("Ich bin ab dem 7. Januar wieder da", "2027-01-07");
        check("Ich bin bis 30.11.2026 nicht im Büro", "2026-11-30");
        check("Ich bin bis einschließlich 30.11. abwesend", "2026-11-30");
        check("Je serai de retour le 1er décembre 2026", "2026-12-01");
        check("absent jusqu'au 03/12/2026 inclus", "2026-12-03");
        check("Estaré fuera hasta el 5 de diciembre de 2026", "2026-12-05");
        check("Sarò fuori ufficio fino al 10 dicembre", "2026-12-10");
        check("Ik ben afwezig tot 1 december", "2026-12-01");
        check("Estarei ausente até 4 de dezembro", "2026-12-04");
        check("Jestem nieobecny do 2 grudnia 2026", "2026-12-02");
        check("Jag är tillbaka den 8 december", "2026-12-08");
        check("Jeg er tilbage den 9. december", "2026-12-09");
    }

    #[test]
    fn what_may_mean_two_days_or_none_is_no_day() {
        check("I am away until 03/04/2027", "-");
        check("Our offer is from 1 December", "-");
        check("I am out of the office.", "-");
        check("Back on 1 November 2026", "-");
        check("Back on 1 December 2036", "-");
        check("Back on 31 February", "-");
        check("call 020/7946/0018 until then", "-");
    }
}
