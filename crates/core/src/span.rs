//! Lengths of time as operators write them, and half-open stretches of time.

use std::fmt;

/// A moment: unix milliseconds. What the books hold, on both databases.
pub type Millis = i64;

/// One second.
pub const SECOND: Millis = 1_000;
/// One minute.
pub const MINUTE: Millis = 60 * SECOND;
/// One hour.
pub const HOUR: Millis = 60 * MINUTE;
/// Twenty-four hours; a civil day may be shorter or longer.
pub const DAY: Millis = 24 * HOUR;

/// A half-open stretch of time, `[start, end)`, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    start: Millis,
    end: Millis,
}

impl Span {
    /// The stretch from `start` up to, not including, `end`. `None` where that is nothing.
    #[must_use]
    pub fn new(start: Millis, end: Millis) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// Its first moment.
    #[must_use]
    pub fn start(self) -> Millis {
        self.start
    }

    /// The first moment behind it.
    #[must_use]
    pub fn end(self) -> Millis {
        self.end
    }

    /// How long it lasts; at least 1.
    #[must_use]
    pub fn length(self) -> Millis {
        self.end - self.start
    }

    /// Whether `moment` lies in it.
    #[must_use]
    pub fn contains(self, moment: Millis) -> bool {
        self.start <= moment && moment < self.end
    }
}

/// Sorted, merged stretches out of any.
#[must_use]
pub fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => out.push(span),
        }
    }
    out
}

/// What two lists of merged stretches have in common.
#[must_use]
pub fn intersection(a: &[Span], b: &[Span]) -> Vec<Span> {
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        out.extend(Span::new(x.start.max(y.start), x.end.min(y.end)));
        if x.end < y.end {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

/// Parses a length such as `8h`, `4m`, `90s`, `1h30m` or `14d` (a day is 24 hours here).
pub fn parse_length(text: &str) -> Result<Millis, String> {
    let problem = || {
        format!(
            "`{text}` is no length of time; write a number and a unit: `90s`, `4m`, `8h`, `14d`"
        )
    };
    let (mut total, mut rest) = (0_i64, text.trim());
    if rest.is_empty() {
        return Err(problem());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(problem)?;
        let number: i64 = rest[..digits].parse().map_err(|_| problem())?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |more| digits + more);
        let unit = match &rest[digits..unit_end] {
            "s" => SECOND,
            "m" | "min" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            _ => return Err(problem()),
        };
        total = number.checked_mul(unit).and_then(|n| n.checked_add(total)).ok_or_else(problem)?;
        rest = &rest[unit_end..];
    }
    if total > LENGTH_MAX { Err(problem()) } else { Ok(total) }
}

/// A length as an operator would write it: the largest units that are whole.
#[must_use]
pub fn length_text(length: Millis) -> String {
    struct Parts(Millis);
    impl fmt::Display for Parts {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut rest = self.0.max(0) / SECOND;
            if rest == 0 {
                return f.write_str("0s");
            }
            for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")] {
                if rest >= unit {
                    write!(f, "{}{name}", rest / unit)?;
                    rest %= unit;
                }
            }
            Ok(())
        }
    }
    Parts(length).to_string()
}

/// Ten years: anything longer is a slip of the pen, and sums of lengths cannot overflow.
const LENGTH_MAX: Millis = 3_650 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        #[track_caller]
        fn check(text: &str, want: Option<&str>) {
            assert_eq!(parse_length(text).ok().map(length_text).as_deref(), want, "{text}");
        }
        check("8h", Some("8h"));
        check("90s", Some("1m30s"));
        check("1h30m", Some("1h30m"));
        check("48h", Some("2d"));
        check("0s", Some("0s"));
        check("8", None);
        check("", None);
        check("-4m", None);
        check("4 weeks", None);
        check("99999999999999999999h", None);
    }

    #[test]
    fn common_stretches() {
        let spans = |list: &[(i64, i64)]| -> Vec<Span> {
            list.iter().filter_map(|&(a, b)| Span::new(a, b)).collect()
        };
        let both = intersection(&spans(&[(0, 10), (20, 30)]), &spans(&[(5, 22), (29, 40)]));
        assert_eq!(both, spans(&[(5, 10), (20, 22), (29, 30)]));
        assert_eq!(merged(spans(&[(5, 9), (0, 5), (20, 21)])), spans(&[(0, 9), (20, 21)]));
    }
}
