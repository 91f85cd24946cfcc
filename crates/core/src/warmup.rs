//! The warmup curve: how many messages a mailbox may send after so many warm days.
//!
//! A *warm day* is one on which the mailbox really sent. An idle or a paused day earns nothing, so
//! a mailbox never wakes from a fortnight's silence at full volume. Warmup here is a ramp of real
//! mail; there are no engagement pools.

use std::iter;

/// A ramp from little to the mailbox's cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `start`, and `step` more each warm day.
    Linear {
        /// Messages on the first day.
        start: u32,
        /// How many more each warm day.
        step: u32,
    },
    /// `start`, growing by a percentage each warm day.
    Growth {
        /// Messages on the first day.
        start: u32,
        /// Growth from one warm day to the next.
        percent: u32,
    },
    /// One figure for each warm day; the last one holds from then on.
    Table(Vec<u32>),
    /// No ramp: the cap from the first day. For mailboxes warmed elsewhere.
    Off,
}

impl Default for Curve {
    /// 5, then 2 more each warm day: 23 warm days to the default cap of 50. Between Instantly's
    /// documented slow ramp (+2 a day) and Smartlead's (50 on day 20).
    fn default() -> Self {
        Self::Linear { start: 5, step: 2 }
    }
}

impl Curve {
    /// Messages allowed after `warm_days` warm days, at most `cap`. Never falls as `warm_days`
    /// grows, as long as a table does not.
    #[must_use]
    pub fn allowance(&self, warm_days: u32, cap: u32) -> u32 {
        let curve = match self {
            Self::Linear { start, step } => start.saturating_add(step.saturating_mul(warm_days)),
            Self::Growth { start, percent } => {
                let days = usize::try_from(warm_days).map_or(usize::MAX, |n| n.saturating_add(1));
                let last = growth(*start, *percent, cap).take(days).last();
                last.and_then(|figure| u32::try_from(figure).ok()).unwrap_or(u32::MAX)
            }
            Self::Table(table) => {
                let day = usize::try_from(warm_days).unwrap_or(usize::MAX);
                table.get(day).or(table.last()).copied().unwrap_or(0)
            }
            Self::Off => cap,
        };
        curve.min(cap)
    }

    /// The warm days with which the curve is at its end under `cap`: more of them raise nothing. 0
    /// where it is no ramp, but the same from the first day.
    #[must_use]
    pub fn plateau(&self, cap: u32) -> u32 {
        match self {
            Self::Linear { step: 0, .. } | Self::Off => 0,
            Self::Linear { start, step } => cap.saturating_sub(*start).div_ceil(*step),
            Self::Growth { start, percent } => {
                u32::try_from(growth(*start, *percent, cap).count() - 1).unwrap_or(u32::MAX)
            }
            Self::Table(table) => {
                let end = table.last().map_or(0, |last| *last.min(&cap));
                let first = table.iter().position(|figure| *figure >= end);
                first.and_then(|day| u32::try_from(day).ok()).unwrap_or(0)
            }
        }
    }
}

/// The figures of a growing curve, until they reach the cap.
fn growth(start: u32, percent: u32, cap: u32) -> impl Iterator<Item = u64> {
    iter::successors(Some(u64::from(start)), move |&figure| {
        // Rounded up: a ramp that rounds down can stand still for ever.
        let next = (figure * u64::from(100 + percent)).div_ceil(100);
        (figure < u64::from(cap) && next > figure).then_some(next)
    })
}

/// How warm a mailbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmth {
    /// Warm days earned and not lost again.
    pub warm_days: u32,
    /// Days without an acceptance, in a row, up to yesterday.
    pub idle_days: u32,
}

/// What one day of a mailbox came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayRecord {
    /// What it might have sent.
    pub allowance: u32,
    /// What was accepted.
    pub accepted: u32,
    /// Messages the server put off.
    pub deferred: u32,
    /// Refusals that speak of the sender.
    pub sender_rejections: u32,
}

impl DayRecord {
    /// Whether the day earned a step on the curve: at least half of its allowance was accepted and
    /// no rejection spoke of the sender.
    #[must_use]
    pub fn is_warm(self) -> bool {
        self.accepted > 0
            && self.accepted.saturating_mul(2) >= self.allowance
            && self.sender_rejections == 0
    }

    /// Whether the day heals an eased allowance: something was accepted, nothing put off, nothing
    /// refused.
    #[must_use]
    pub fn is_clean(self) -> bool {
        self.accepted > 0 && self.deferred == 0 && self.sender_rejections == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(curve: Curve, cap: u32, want: &[u32]) {
        let days = u32::try_from(want.len()).unwrap();
        let ramp: Vec<u32> = (0..days).map(|day| curve.allowance(day, cap)).collect();
        assert_eq!(ramp, want);
    }

    #[test]
    fn ramps() {
        check(
            Curve::default(),
            50,
            &[
                5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45,
                47, 49, 50, 50,
            ],
        );
        check(
            Curve::Growth { start: 5, percent: 20 },
            40,
            &[5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 40],
        );
        check(Curve::Table(vec![3, 8, 20]), 15, &[3, 8, 15, 15]);
        check(Curve::Off, 50, &[50, 50]);
    }

    #[test]
    fn only_a_day_of_real_work_is_warm() {
        let day = |allowance, accepted, sender_rejections| DayRecord {
            allowance,
            accepted,
            sender_rejections,
            ..DayRecord::default()
        };
        assert!(day(10, 5, 0).is_warm());
        assert!(!day(10, 4, 0).is_warm());
        assert!(!day(0, 0, 0).is_warm());
        assert!(!day(10, 10, 1).is_warm());
    }

    #[test]
    fn a_plateau_is_where_a_ramp_ends() {
        let table = Curve::Table(vec![3, 8, 20, 20]);
        for (curve, cap, want) in [
            (Curve::default(), 50, 23),
            (Curve::default(), 5, 0),
            (Curve::Growth { start: 5, percent: 20 }, 40, 10),
            (Curve::Growth { start: 0, percent: 20 }, 40, 0),
            (table.clone(), 50, 2),
            (table, 8, 1),
            (Curve::Table(Vec::new()), 50, 0),
            (Curve::Linear { start: 20, step: 0 }, 50, 0),
            (Curve::Off, 50, 0),
        ] {
            assert_eq!(curve.plateau(cap), want, "{curve:?} under {cap}");
            let end = curve.allowance(want, cap);
            assert_eq!(curve.allowance(1_000, cap), end, "{curve:?}");
            assert!(want == 0 || curve.allowance(want - 1, cap) < end, "{curve:?}");
        }
    }
}
