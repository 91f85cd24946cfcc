//! The day from which somebody away reads mail again, as their machine tells it in words.
//!
//! Conservative: a date counts only behind a word such as "until" or "back", or at the end of a span
//! that has begun, and one that could be read in two ways counts for nothing. Whoever is away until
//! a day is back on the next. Without a day of return nothing is put off.

mod date;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use self::date::Named;
use super::Arrival;

/// The day of return, the latest if several are told.
pub(super) fn return_on(arrival: &Arrival) -> Option<Date> {
    let written = arrival.written_at.unwrap_or(arrival.received_at);
    let today = Timestamp::from_millisecond(written).ok()?.to_zoned(TimeZone::UTC).date();
    let words = date::words(&format!("{}\n{}", arrival.subject, arrival.text));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = |at| {
        let ways = [announced(&words, at, today), spanned(&words, at, today)];
        ways.into_iter().chain([told_in_the_east(&words, at, today)]).flatten()
    };
    (0..words.len()).flat_map(told).max()
}

/// What a word says of the date behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Back on that day.
    Back,
    /// Away for that day too.
    Until,
}

impl Way {
    /// The day of return by a date, unless it has gone by or is too far to be meant.
    fn day(self, date: Date, today: Date) -> Option<Date> {
        let horizon = today.checked_add(1.year()).ok()?;
        let is_near = (today..=horizon).contains(&date);
        match self {
            _ if !is_near => None,
            Self::Back => Some(date),
            Self::Until => date.tomorrow().ok(),
        }
    }
}

/// "Until", "back on": the first date behind it, and before the next such word.
fn announced(words: &[&str], at: usize, today: Date) -> Option<Date> {
    let (way, speaks_english) = announcement(words[at])?;
    let behind = &words[at + 1..];
    let to_next = behind.iter().take(REACH).take_while(|word| announcement(word).is_none()).count();
    let dates = (0..to_next).find_map(|from| Named::read(&behind[from..], speaks_english));
    way.day(dates?.0.next(today)?, today)
}

/// "From 20 to 30 November", "20.11. - 30.11.2026": the day behind the end of a span that has begun,
/// or begins within days. One that lies ahead may as well be a fair's.
fn spanned(words: &[&str], at: usize, today: Date) -> Option<Date> {
    let speaks_english = ENGLISH_LINKS.contains(&words[at]);
    if !speaks_english && !LINKS.contains(&words[at]) {
        return None;
    }
    let behind = &words[at + 1..];
    let (end, _) =
        (0..behind.len().min(3)).find_map(|from| Named::read(&behind[from..], speaks_english))?;
    let end = end.next(today)?;
    let begin = (1..=at.min(4)).find_map(|length| {
        let before = &words[at - length..at];
        let (named, used) = Named::read(before, speaks_english)?;
        (used == length).then(|| named.last(end)).flatten()
    });
    let begin = begin.or_else(|| {
        let before = words[..at].iter().rev().find(|word| !date::is_ending(word))?;
        Date::new(end.year(), end.month(), date::day(before)?).ok()
    })?;
    let is_near = begin <= end && begin <= today.checked_add(SPAN_AHEAD.days()).ok()?;
    is_near.then(|| Way::Until.day(end, today)).flatten()
}

/// Chinese and Japanese tell with the words around a date what it is.
fn told_in_the_east(words: &[&str], at: usize, today: Date) -> Option<Date> {
    let (named, used) = Named::in_the_east(&words[at..])?;
    let before = at.checked_sub(1).map_or("", |before| words[before]);
    let behind = words.get(at + used).copied().unwrap_or_default();
    let way = if EAST_UNTIL.iter().any(|word| behind.starts_with(word) || before.ends_with(word)) {
        Way::Until
    } else if EAST_BACK.iter().any(|word| behind.starts_with(word)) {
        Way::Back
    } else {
        return None;
    };
    way.day(named.next(today)?, today)
}

/// What a word announces, and whether it is English, where 3/4 has two meanings.
fn announcement(word: &str) -> Option<(Way, bool)> {
    let tables: [(&[&str], Way, bool); 4] = [
        (&ENGLISH_UNTIL, Way::Until, true),
        (&ENGLISH_BACK, Way::Back, true),
        (&UNTIL, Way::Until, false),
        (&BACK, Way::Back, false),
    ];
    let found = tables.iter().find(|(words, ..)| words.contains(&word));
    found.map(|&(_, way, speaks_english)| (way, speaks_english))
}

/// How far behind its announcement a date may stand.
const REACH: usize = 9;
/// Notes are turned on in the evening, or before a weekend.
const SPAN_AHEAD: i64 = 3;

const ENGLISH_UNTIL: [&str; 5] = ["until", "till", "til", "through", "thru"];
const ENGLISH_BACK: [&str; 6] = ["back", "return", "returning", "returns", "resume", "resuming"];
const ENGLISH_LINKS: [&str; 2] = ["to", "-"];

/// German, French, Spanish, Italian, Dutch, Portuguese, Polish, Swedish, Danish, Norwegian.
const UNTIL: [&str; 11] =
    ["bis", "jusqu'au", "jusqu’au", "jusque", "hasta", "fino", "tot", "t/m", "até", "do", "indtil"];
const BACK: [&str; 33] = [
    "zurück",
    "ab",
    "wieder",
    "retour",
    "partir",
    "regreso",
    "regresaré",
    "vuelvo",
    "vuelta",
    "volveré",
    "rientro",
    "rientrerò",
    "ritorno",
    "tornerò",
    "terug",
    "vanaf",
    "regresso",
    "retorno",
    "retornarei",
    "voltarei",
    "voltar",
    "powrót",
    "wracam",
    "wrócę",
    "tillbaka",
    "åter",
    "tilbage",
    "tilbake",
    "igen",
    "fra",
    "från",
    "reviens",
    "rentre",
];
/// Between the ends of a span.
const LINKS: [&str; 5] = ["au", "al", "a", "à", "ao"];

const EAST_UNTIL: [&str; 6] = ["まで", "迄", "为止", "為止", "至", "到"];
const EAST_BACK: [&str; 8] = ["に", "から", "より", "以降", "返回", "回", "恢复", "恢復"];

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
        check("I am out of the office until December 1, 2026.", "2026-12-02");
        check("I will be back on Monday, 30 November.", "2026-11-30");
        check("Returning Dec 1st. Away from 20 November till 30 November", "2026-12-01");
        check("I will return on 2026-12-07", "2026-12-07");
        check("I am away until 25/11/2026", "2026-11-26");
        check("Ich bin ab dem 7. Januar wieder da", "2027-01-07");
        check("Ich bin bis 30.11.2026 nicht im Büro", "2026-12-01");
        check("Ich bin bis einschließlich 30.11. abwesend", "2026-12-01");
        check("Je serai de retour le 1er décembre 2026", "2026-12-01");
        check("absent jusqu'au 03/12/2026 inclus", "2026-12-04");
        check("Estaré fuera hasta el 5 de diciembre de 2026", "2026-12-06");
        check("Sarò fuori ufficio fino al 10 dicembre", "2026-12-11");
        check("Ik ben afwezig tot 1 december", "2026-12-02");
        check("Estarei ausente até 4 de dezembro", "2026-12-05");
        check("Jestem nieobecny do 2 grudnia 2026", "2026-12-03");
        check("Jag är tillbaka den 8 december", "2026-12-08");
        check("Jeg er tilbage den 9. december", "2026-12-09");
    }

    #[test]
    fn whoever_is_away_until_a_day_is_back_on_the_next() {
        check("I am away until 30 Nov.", "2026-12-01");
        check("I am back on 30 Nov.", "2026-11-30");
        check("Ich bin bis 30. November weg und am 1. Dezember zurück.", "2026-12-01");
        check("Ich bin zurück am 30. November", "2026-11-30");
        check("absent jusqu'au 30 novembre", "2026-12-01");
        check("Away until I return on 30 November", "2026-11-30");
        check("I am away until 31 December 2026", "2027-01-01");
        check("out until 30-Nov-2026", "2026-12-01");
        check("out until 30Nov2026", "2026-12-01");
        check("out until 30-Nov", "2026-12-01");
        check("I will be back on 11/30", "2026-11-30");
        check("I will be back in the office on Monday the 30th of November", "2026-11-30");
        check("Je serai absent jusqu'au 3/12", "2026-12-04");
    }

    #[test]
    fn a_span_that_has_begun_ends_the_day_before_the_return() {
        check("on leave from 20 Nov to 4 Dec 2026", "2026-12-05");
        check("on leave from November 20 to November 30, 2026", "2026-12-01");
        check("Annual leave 20/11/2026 - 30/11/2026", "2026-12-01");
        check("Annual leave 20/11/2026-30/11/2026", "2026-12-01");
        check("Urlaub 20.11.–30.11.2026", "2026-12-01");
        check("Urlaub 20.-30. November", "2026-12-01");
        check("Leave: 20-30 November", "2026-12-01");
        check("Je suis en congé du 20 au 30 novembre", "2026-12-01");
        check("Estaré fuera del 20 al 30 de noviembre", "2026-12-01");
        check("away from Friday 20th to Monday the 30th of November", "2026-12-01");
        check("Meet us at the fair from 7 to 9 December", "-");
        check("We are open from 9 to 5", "-");
        check("I was away from 2 November to 6 November", "-");
    }

    #[test]
    fn dates_in_the_east() {
        check("2026年11月30日まで不在にしております。", "2026-12-01");
        check("2026年11月20日から2026年11月30日まで休暇です", "2026-12-01");
        check("11月30日に戻ります", "2026-11-30");
        check("我将休假至2026年11月30日", "2026-12-01");
        check("2026年11月30日返回公司", "2026-11-30");
        check("创立于2026年11月30日", "-");
    }

    #[test]
    fn what_may_mean_two_days_or_none_is_no_day() {
        check("I am away until 03/04/2027", "-");
        check("Our offer is from 1 December", "-");
        check("I am out of the office.", "-");
        check("Back on 1 November 2026", "-");
        check("Back on 1 December 2036", "-");
        check("Back on 31 February", "-");
        check("Back on 12/11", "-");
        check("We call back 24/7", "-");
        check("Back on 12/12", "2026-12-12");
        check("call 020/7946/0018 until then", "-");
    }
}
