//! When somebody may be written to, by brute force: look at the clock on the wall of each zone.
//! Knows nothing of cron, spans or counting days.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};
use warmfront_core::span::{DAY, MINUTE, Millis};

/// One recurring opening.
#[derive(Clone, Debug)]
pub struct Opening {
    /// On which week days, Monday first.
    pub weekdays: [bool; 7],
    /// The hour it opens at. Not before 5, where no clock is ever changed.
    pub hour: i8,
    /// The minute.
    pub minute: i8,
    /// How many hours it stays open, on the clock on the wall.
    pub length: i8,
}

impl Opening {
    /// As a cron expression.
    #[must_use]
    pub fn cron(&self) -> String {
        let named = WEEKDAYS.iter().zip(self.weekdays).filter(|(_, open)| *open);
        let days: Vec<&str> = named.map(|(name, _)| *name).collect();
        format!("0 {} {} * * {}", self.minute, self.hour, days.join(","))
    }

    fn is_open(&self, zone: &TimeZone, holidays: &BTreeSet<Date>, moment: Millis) -> bool {
        let now = zone.to_datetime(timestamp(moment));
        let yesterday = now.date().yesterday().expect("no simulation begins with the calendar");
        [yesterday, now.date()].into_iter().any(|day| {
            let weekday = day.weekday().to_monday_zero_offset();
            let opens = day.at(self.hour, self.minute, 0, 0);
            let closes = opens + Span::new().hours(self.length);
            self.weekdays[usize::from(weekday.unsigned_abs())]
                && ![day, now.date()].iter().any(|date| holidays.contains(date))
                && opens <= now
                && now < closes
        })
    }
}

/// A set of openings.
#[derive(Clone, Debug, Default)]
pub struct Hours {
    /// The openings; any of them will do.
    pub openings: Vec<Opening>,
    /// Days on which nothing opens.
    pub holidays: BTreeSet<Date>,
}

impl Hours {
    /// Whether it is open in that zone.
    #[must_use]
    pub fn is_open(&self, zone: &TimeZone, moment: Millis) -> bool {
        self.openings.iter().any(|opening| opening.is_open(zone, &self.holidays, moment))
    }

    /// Whether it is open in all those zones at once; where an ordinary week knows no such moment,
    /// whether it is open in `fallback`.
    #[must_use]
    pub fn is_open_in_all(&self, zones: &[TimeZone], fallback: &TimeZone, moment: Millis) -> bool {
        if self.meet(zones) {
            zones.iter().all(|zone| self.is_open(zone, moment))
        } else {
            self.is_open(fallback, moment)
        }
    }

    fn meet(&self, zones: &[TimeZone]) -> bool {
        let ordinary = Self { openings: self.openings.clone(), holidays: BTreeSet::new() };
        let quarters = (0..7 * DAY / QUARTER).map(|n| ORDINARY_MONDAY + n * QUARTER);
        let mut quarters = quarters.into_iter();
        match zones {
            [] => false,
            [_] => true,
            _ => quarters.any(|at| zones.iter().all(|zone| ordinary.is_open(zone, at))),
        }
    }
}

/// The days from `from`, not included, to `to`, included, that are no weekend and no holiday.
#[must_use]
pub(super) fn business_days(from: Date, to: Date, holidays: &BTreeSet<Date>) -> i64 {
    let mut day = from;
    let mut count = 0;
    while day < to {
        day = day.checked_add(1.day()).expect("no simulation ends with the calendar");
        let weekend = day.weekday().to_monday_zero_offset() >= 5;
        count += i64::from(!weekend && !holidays.contains(&day));
    }
    count
}

/// The civil date of a moment.
#[must_use]
pub(super) fn date(zone: &TimeZone, moment: Millis) -> Date {
    zone.to_datetime(timestamp(moment)).date()
}

fn timestamp(moment: Millis) -> Timestamp {
    Timestamp::from_millisecond(moment).expect("simulations stay within the calendar")
}

/// Openings and zones are multiples of it.
const QUARTER: Millis = 15 * MINUTE;

/// Monday, the 2nd of February 2026, in Greenwich: no clock is changed near it.
const ORDINARY_MONDAY: Millis = 1_769_990_400_000;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hour: i8, length: i8, zone: &str, moment: &str, want: bool) {
        let weekdays = [true, true, true, true, true, false, false];
        let openings = vec![Opening { weekdays, hour, minute: 0, length }];
        let hours = Hours { openings, holidays: BTreeSet::new() };
        let zone = TimeZone::get(zone).unwrap();
        let moment: Timestamp = moment.parse().unwrap();
        assert_eq!(hours.is_open(&zone, moment.as_millisecond()), want, "{moment}");
    }

    #[test]
    fn the_clock_on_the_wall_decides() {
        check(9, 8, "America/New_York", "2026-01-12T14:00:00Z", true);
        check(9, 8, "America/New_York", "2026-01-12T13:59:59Z", false);
        check(9, 8, "America/New_York", "2026-01-12T22:00:00Z", false);
        check(9, 8, "America/New_York", "2026-01-11T15:00:00Z", false); // A Sunday.
        check(22, 8, "Europe/Berlin", "2026-01-17T04:59:00Z", true); // Friday's night.
        check(22, 8, "Europe/Berlin", "2026-01-18T23:00:00Z", false);
        check(9, 8, "America/New_York", "2026-06-12T13:00:00Z", true); // Summer.
    }

    #[test]
    fn business_days_leave_out_weekends_and_holidays() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let holidays = BTreeSet::from([day("2026-11-26")]);
        assert_eq!(business_days(day("2026-11-25"), day("2026-11-30"), &holidays), 2);
    }
}
