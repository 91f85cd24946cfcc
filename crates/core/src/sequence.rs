//! The rhythm of a sequence: how long a step waits for the one before it.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::calendar;
use crate::span::{HOUR, Millis};

/// How long a step waits after the acceptance of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// `6h`: that many hours, to the moment.
    Hours(u32),
    /// `3d`: that many civil days of the prospect's zone; due from the day's beginning.
    Days(u32),
    /// `2bd`: that many days that are neither Saturday, Sunday nor a holiday.
    BusinessDays(u32),
}

impl Wait {
    /// Parses `3d`, `2bd` or `6h`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let problem = || {
            format!(
                "`{text}` is no wait; write days `3d`, business days `2bd` or hours `6h`, at most 365 days"
            )
        };
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(problem)?;
        let number: u32 = text[..split].parse().map_err(|_| problem())?;
        match &text[split..] {
            "h" if number <= 365 * 24 => Ok(Self::Hours(number)),
            "d" if number <= 365 => Ok(Self::Days(number)),
            "bd" if number <= 365 => Ok(Self::BusinessDays(number)),
            _ => Err(problem()),
        }
    }

    /// The shortest time it can mean, for the check against the person gap.
    #[must_use]
    pub fn nominal(self) -> Millis {
        match self {
            Self::Hours(hours) => Millis::from(hours) * HOUR,
            Self::Days(days) | Self::BusinessDays(days) => Millis::from(days) * 24 * HOUR,
        }
    }

    /// The first moment at which the next step may go, seen from the prospect's zone.
    #[must_use]
    pub fn after(self, accepted_at: Millis, zone: &TimeZone, holidays: &BTreeSet<Date>) -> Millis {
        let day = calendar::day_of(zone, accepted_at);
        match self {
            Self::Hours(hours) => accepted_at + Millis::from(hours) * HOUR,
            Self::Days(days) => beginning(zone, nth_day(day, days, |_| true)),
            Self::BusinessDays(days) => beginning(
                zone,
                nth_day(day, days, |d| {
                    !matches!(d.weekday(), Weekday::Saturday | Weekday::Sunday)
                        && !holidays.contains(&d)
                }),
            ),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours(n) => write!(f, "{n}h"),
            Self::Days(n) => write!(f, "{n}d"),
            Self::BusinessDays(n) => write!(f, "{n}bd"),
        }
    }
}

fn beginning(zone: &TimeZone, day: Date) -> Millis {
    calendar::day_span(zone, day).start()
}

/// The `n`-th day after `day` that counts.
fn nth_day(mut day: Date, n: u32, counts: impl Fn(Date) -> bool) -> Date {
    let mut left = n;
    while left > 0 {
        let Ok(next) = day.tomorrow() else { break };
        day = next;
        left -= u32::from(counts(day));
    }
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wait: &str, accepted: &str, want: &str) {
        let zone = calendar::zone("America/New_York").unwrap();
        let accepted: jiff::civil::DateTime = accepted.parse().unwrap();
        let holidays = BTreeSet::from(["2026-11-26".parse().unwrap()]);
        let due =
            Wait::parse(wait).unwrap().after(calendar::moment(&zone, accepted), &zone, &holidays);
        assert_eq!(calendar::civil(&zone, due).strftime("%a %d %H:%M").to_string(), want);
    }

    #[test]
    fn waits() {
        check("3d", "2026-11-23T16:50", "Thu 26 00:00");
        check("6h", "2026-11-23T16:50", "Mon 23 22:50");
        check("3bd", "2026-11-23T16:50", "Fri 27 00:00"); // Thanksgiving does not count.
        check("4bd", "2026-11-23T16:50", "Mon 30 00:00");
        assert!(Wait::parse("3").is_err() && Wait::parse("3w").is_err());
    }
}
