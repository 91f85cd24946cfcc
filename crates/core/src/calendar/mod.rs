//! When mail may leave: windows in the prospect's own zone, holidays, counting days.
//!
//! DST and midnight come from the zone database, never from arithmetic: every conversion between
//! civil time and moments goes through jiff. The only other calendar here is the cron adapter's.

mod country;
mod cron;

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use self::country::{Country, country};
use self::cron::Openings;
use crate::span::{self, Millis, Span};

/// One recurring window: when it opens, and for how long.
#[derive(Clone, Debug)]
pub struct Window {
    openings: Openings,
    length: Millis,
}

/// Windows are the same that are written the same.
impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        (self.opens(), self.length) == (other.opens(), other.length)
    }
}

impl Eq for Window {}

impl Window {
    /// Parses a cron expression (six or seven fields, or crontab's five) and a length.
    pub fn parse(opens: &str, length: &str) -> Result<Self, String> {
        let openings = Openings::parse(opens)?;
        let length = span::parse_length(length)?;
        if length == 0 {
            return Err(format!(
                "the window `{opens}` has no length; say how long it stays open, e.g. `8h`"
            ));
        }
        if length > span::DAY {
            return Err(format!(
                "the window `{opens}` is longer than 24h; open it every day instead"
            ));
        }
        Ok(Self { openings, length })
    }

    /// The cron expression as the operator wrote it.
    #[must_use]
    pub fn opens(&self) -> &str {
        self.openings.text()
    }

    /// How long it stays open.
    #[must_use]
    pub fn length(&self) -> Millis {
        self.length
    }

    /// Whether it opens at all on `day` or later.
    #[must_use]
    pub fn opens_after(&self, day: Date) -> bool {
        self.openings.next(day.at(0, 0, 0, 0)).is_some()
    }

    /// When it is open within `within`, seen from `zone`, in order and merged. An opening on a
    /// holiday does not happen, and one of the day before closes at the holiday's first moment.
    #[must_use]
    pub fn spans(&self, zone: &TimeZone, holidays: &BTreeSet<Date>, within: Span) -> Vec<Span> {
        // An opening up to a length earlier still reaches in; one more day covers any DST shift.
        let first = civil(zone, within.start().saturating_sub(self.length + span::DAY));
        let mut spans = Vec::new();
        let mut opening = self.openings.from(first);
        while let Some(opens) = opening {
            let start = moment(zone, opens);
            if start >= within.end() {
                break;
            }
            let date = opens.date();
            if !holidays.contains(&date) {
                // On the wall clock: nine and eight hours is five, whatever DST does between.
                let length = jiff::Span::new().milliseconds(self.length);
                // From the civil time it really opens at: one in a gap opens later by the jump.
                let closes = civil(zone, start).checked_add(length);
                let mut end = closes.map_or(start, |closes| moment(zone, closes));
                if let Ok(next) = date.tomorrow()
                    && holidays.contains(&next)
                {
                    end = end.min(moment(zone, next.at(0, 0, 0, 0)));
                }
                spans.extend(Span::new(start.max(within.start()), end.min(within.end())));
            }
            opening = self.openings.next(opens);
        }
        span::merged(spans)
    }
}

/// When any of `windows` is open within `within`, seen from `zone`.
#[must_use]
pub fn open_spans(
    windows: &[Window],
    zone: &TimeZone,
    holidays: &BTreeSet<Date>,
    within: Span,
) -> Vec<Span> {
    span::merged(windows.iter().flat_map(|w| w.spans(zone, holidays, within)).collect())
}

/// The counting day `day` in `zone`, from its first moment up to the next day's.
#[must_use]
pub fn day_span(zone: &TimeZone, day: Date) -> Span {
    let start = moment(zone, day.at(0, 0, 0, 0));
    let end = day.tomorrow().map_or(start + span::DAY, |next| moment(zone, next.at(0, 0, 0, 0)));
    Span::new(start, end.max(start + 1)).expect("the end lies behind the start")
}

/// The civil date of `moment` in `zone`.
#[must_use]
pub fn day_of(zone: &TimeZone, moment: Millis) -> Date {
    civil(zone, moment).date()
}

/// The civil time of a moment.
#[must_use]
pub fn civil(zone: &TimeZone, moment: Millis) -> jiff::civil::DateTime {
    zone.to_datetime(timestamp(moment))
}

/// The same, with the zone's name and offset.
#[must_use]
pub fn zoned(zone: &TimeZone, moment: Millis) -> jiff::Zoned {
    timestamp(moment).to_zoned(zone.clone())
}

/// A moment as jiff knows it; moments outside its years are clamped.
#[must_use]
pub fn timestamp(moment: Millis) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(moment).unwrap_or(if moment < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    })
}

/// The moment of a civil time: in a gap the later one, in a fold the first.
#[must_use]
pub fn moment(zone: &TimeZone, civil: jiff::civil::DateTime) -> Millis {
    zone.to_ambiguous_timestamp(civil)
        .compatible()
        .map_or(Millis::MAX / 4, jiff::Timestamp::as_millisecond)
}

/// The zone of that name in the IANA database.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        let near = jiff::tz::db()
            .available()
            .map(|known| known.as_str().to_owned())
            .filter(|known| near(known, name))
            .min();
        let hint = near.map_or_else(
            || "use a name such as `America/New_York`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        format!("`{name}` is no time zone of the IANA database; {hint}")
    })
}

/// Whether a known zone is probably what was meant: the same city, or the same letters.
fn near(known: &str, name: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let city = known.rsplit('/').next().unwrap_or(known);
    let meant = name.rsplit('/').next().unwrap_or(name);
    plain(known) == plain(name) || (!meant.is_empty() && plain(city) == plain(meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of a window is open on a day, on the wall clock of its zone.
    #[track_caller]
    fn check(opens: &str, length: &str, zone_name: &str, day: &str, want: &[&str]) {
        let zone = zone(zone_name).unwrap();
        let window = Window::parse(opens, length).unwrap();
        let day = day_span(&zone, day.parse().unwrap());
        let clock = |moment| civil(&zone, moment).strftime("%H:%M").to_string();
        let got: Vec<String> = window
            .spans(&zone, &BTreeSet::new(), day)
            .iter()
            .map(|s| format!("{}-{} {}", clock(s.start()), clock(s.end()), s.length() / span::HOUR))
            .collect();
        assert_eq!(got, want, "{opens} {length} {zone_name}");
    }

    #[test]
    fn windows() {
        check("0 0 9 * * Mon-Fri", "8h", "America/New_York", "2026-11-23", &["09:00-17:00 8"]);
        check("0 9 * * Mon-Fri", "8h", "America/New_York", "2026-11-23", &["09:00-17:00 8"]);
        check("0 0 9 * * Mon-Fri", "8h", "America/New_York", "2026-11-22", &[]);
        check(
            "0 0 22 * * *",
            "4h",
            "Europe/Berlin",
            "2026-11-23",
            &["00:00-02:00 2", "22:00-00:00 2"],
        );
        check("0 0 0 * * *", "24h", "Europe/Berlin", "2026-11-23", &["00:00-00:00 24"]);
        // The day the clocks go forward lasts 23 hours, the day they go back 25.
        check("0 0 0 * * *", "24h", "Europe/Berlin", "2026-03-29", &["00:00-00:00 23"]);
        check("0 0 0 * * *", "24h", "Europe/Berlin", "2026-10-25", &["00:00-00:00 25"]);
        // Opens in the gap: later by the jump.
        check("0 30 2 * * *", "1h", "Europe/Berlin", "2026-03-29", &["03:30-04:30 1"]);
        check(
            "0 0 9,14 * * *",
            "3h",
            "Asia/Kathmandu",
            "2026-11-23",
            &["09:00-12:00 3", "14:00-17:00 3"],
        );
    }

    #[test]
    fn a_holiday_does_not_open() {
        let zone = zone("Europe/Berlin").unwrap();
        let window = Window::parse("0 0 9 * * Mon-Fri", "8h").unwrap();
        let day: Date = "2026-12-25".parse().unwrap();
        let span = day_span(&zone, day);
        assert_eq!(window.spans(&zone, &BTreeSet::new(), span).len(), 1);
        assert_eq!(window.spans(&zone, &BTreeSet::from([day]), span), []);
    }

    #[test]
    fn a_window_over_midnight_belongs_to_each_date_for_its_part() {
        let zone = zone("Europe/Berlin").unwrap();
        let window = Window::parse("0 0 22 * * *", "6h").unwrap();
        let eve: Date = "2026-12-24".parse().unwrap();
        let christmas = eve.tomorrow().unwrap();
        let from = day_span(&zone, eve).start();
        let until = day_span(&zone, christmas.tomorrow().unwrap()).end();
        let hours = |holidays: &[Date]| -> Vec<(Millis, Millis)> {
            let within = Span::new(from, until).unwrap();
            let open = window.spans(&zone, &holidays.iter().copied().collect(), within);
            let hour = |moment| (moment - from) / span::HOUR;
            open.iter().map(|s| (hour(s.start()), hour(s.end()))).collect()
        };
        assert_eq!(hours(&[]), [(0, 4), (22, 28), (46, 52), (70, 72)]);
        assert_eq!(hours(&[christmas]), [(0, 4), (22, 24), (70, 72)]);
        assert_eq!(hours(&[eve]), [(46, 52), (70, 72)]);
    }

    #[test]
    fn bad_windows_say_what_to_do() {
        let problem = |opens, length| Window::parse(opens, length).unwrap_err();
        assert!(problem("0 0 9 31 2 *", "8h").contains("never opens"));
        assert!(problem("0 0 9 * * Mon-Fri", "0h").contains("no length"));
        assert!(problem("0 0 9 * * 1-5", "8h").contains("by name"));
        assert!(problem("nonsense", "8h").contains("five or six fields"));
        assert!(problem("0 0 9 * * * 2020", "8h").contains("five or six fields"));
        assert!(problem("0 0 9 * * * *", "8h").contains("seventh field, a year"));
        assert!(problem("* * * * * *", "8h").contains("once a minute"));
    }

    #[test]
    fn a_zone_that_does_not_exist_names_the_one_that_was_meant() {
        assert!(zone("America/NewYork").unwrap_err().contains("America/New_York"));
        assert!(zone("Mars/Olympus").unwrap_err().contains("no time zone"));
        assert!(zone("Europe/New_York").unwrap_err().contains("America/New_York"));
    }
}
