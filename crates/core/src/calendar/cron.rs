//! Cron expressions over civil time.
//!
//! The cron crate speaks chrono and, given a zone, repeats or skips times around DST. So it is
//! only ever shown civil time, dressed as UTC; what a gap or a fold means is decided by jiff.

use std::str::FromStr as _;

use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use jiff::civil::{DateTime, date};

/// The civil times at which a window opens.
#[derive(Clone, Debug)]
pub(super) struct Openings {
    schedule: ::cron::Schedule,
    text: String,
}

impl Openings {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        // Crontab has no seconds; the cron crate insists on them.
        let expression = match fields.len() {
            5 => format!("0 {}", fields.join(" ")),
            6 => fields.join(" "),
            7 => {
                return Err(format!(
                    "`{text}` has a seventh field, a year: a window opens in every year; write five \
                     or six fields, e.g. `0 0 9 * * Mon-Fri`"
                ));
            }
            _ => {
                return Err(format!(
                    "`{text}` is no cron expression: it takes five or six fields, e.g. `0 0 9 * * Mon-Fri`"
                ));
            }
        };
        let all: Vec<&str> = expression.split(' ').collect();
        if all[5].contains(|c: char| c.is_ascii_digit()) {
            return Err(format!(
                "`{text}`: write week days by name (`Mon-Fri`); crontab counts Sunday as 0, Quartz as 1"
            ));
        }
        let restricted = |field: &str| !matches!(field, "*" | "?");
        if restricted(all[3]) && restricted(all[5]) {
            return Err(format!(
                "`{text}` names a day of the month and a week day: crontab means either, Quartz means both; use two windows"
            ));
        }
        let schedule = ::cron::Schedule::from_str(&expression)
            .map_err(|e| format!("`{text}` is no cron expression: {e}"))?;
        let openings = Self { schedule, text: text.to_owned() };
        let Some(first) = openings.next(date(1999, 12, 31).at(23, 59, 59, 0)) else {
            return Err(format!("`{text}` never opens: no such day exists"));
        };
        if openings.next(first).is_some_and(|second| second.duration_since(first).as_secs() < 60) {
            return Err(format!("`{text}` opens more than once a minute; give the seconds as 0"));
        }
        Ok(openings)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The first opening at `from` or later.
    pub(super) fn from(&self, from: DateTime) -> Option<DateTime> {
        let just_before = from.checked_sub(jiff::Span::new().seconds(1)).ok()?;
        self.next(just_before)
    }

    /// The first opening later than `after`.
    pub(super) fn next(&self, after: DateTime) -> Option<DateTime> {
        let carrier = chrono::Utc
            .with_ymd_and_hms(
                after.year().into(),
                after.month().unsigned_abs().into(),
                after.day().unsigned_abs().into(),
                after.hour().unsigned_abs().into(),
                after.minute().unsigned_abs().into(),
                after.second().unsigned_abs().into(),
            )
            .single()?;
        let next = self.schedule.after(&carrier).next()?;
        let day = date(
            i16::try_from(next.year()).ok()?,
            i8::try_from(next.month()).ok()?,
            i8::try_from(next.day()).ok()?,
        );
        Some(day.at(
            i8::try_from(next.hour()).ok()?,
            i8::try_from(next.minute()).ok()?,
            i8::try_from(next.second()).ok()?,
            0,
        ))
    }
}
