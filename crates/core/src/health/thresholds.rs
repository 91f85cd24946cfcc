//! The figures at which mailboxes and campaigns stop, and for how long: what an operator may set.

use serde::{Deserialize, Serialize};

use crate::span::{DAY, HOUR, Millis};

/// When something stops. [`Thresholds::default`] is what the documents tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// Refusals of the sender that pause a mailbox, in percent of its day's allotment.
    pub sender_rejections: u32,
    /// Hard bounces among the last messages that pause a mailbox.
    pub hard_bounces: u32,
    /// How many settled messages those last ones are.
    pub last_messages: u32,
    /// The rate of hard bounces, in percent, that pauses a mailbox once it is surely passed.
    pub bounce_rate: u32,
    /// The time behind us over which that rate is taken.
    pub bounce_window: Millis,
    /// The same rate of a whole campaign, which then pauses itself.
    pub list_bounce_rate: u32,
    /// The fewest settled messages by which a campaign's list is judged.
    pub list_messages: u32,
    /// How long the first pause lasts.
    pub first_pause: Millis,
    /// How long the second lasts. A third waits for the operator.
    pub second_pause: Millis,
    /// Pauses closer together than this are a first, a second and a third.
    pub repeat_window: Millis,
    /// So many mailboxes of one domain or tenant paused for policy pause all of it.
    pub spread_mailboxes: u32,
    /// The time within which these pauses lie.
    pub spread_window: Millis,
    /// For how long a mailbox that went too fast goes at half its rate.
    pub slow_for: Millis,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            sender_rejections: 10,
            hard_bounces: 3,
            last_messages: 20,
            bounce_rate: 2,
            bounce_window: 7 * DAY,
            // Amazon SES puts a sender under review at 5 %.
            list_bounce_rate: 5,
            list_messages: 20,
            first_pause: DAY,
            second_pause: 7 * DAY,
            repeat_window: 14 * DAY,
            spread_mailboxes: 2,
            spread_window: DAY,
            slow_for: HOUR,
        }
    }
}

/// The highest rate that can be set, in percent.
pub const RATE_MAX: u32 = 10;

/// The most messages, or mailboxes, that can be asked for at once: what comes later than after so many
/// comes too late.
pub const LAST_MAX: u32 = 200;

/// Whether `bounces` of `settled` show, with 95 % confidence, a rate above `percent`, which is from
/// 1 to [`RATE_MAX`].
///
/// The table holds, for 2, 3, 4 … bounces, the most messages at which the exact (Clopper-Pearson)
/// lower bound still lies above the rate; behind its end Wilson's bound agrees and needs no
/// floats. One bounce is never evidence.
pub(super) fn surely_above(bounces: u32, settled: u32, percent: u32) -> bool {
    let percent = percent.clamp(1, RATE_MAX);
    let Some(index) = usize::try_from(bounces).ok().and_then(|b| b.checked_sub(2)) else {
        return false;
    };
    let table = &SETTLED_AT[usize::try_from(percent - 1).unwrap_or_default()];
    if let Some(&most) = table.get(index) {
        return settled <= most;
    }
    // (b - np)^2 > z^2 n p (1-p) with z^2 = 3.8416, everything times 10^4.
    let (b, n, percent) = (u64::from(bounces), u64::from(settled), u64::from(percent));
    let Some(excess) = (100 * b).checked_sub(percent * n) else { return false };
    excess * excess * 10_000 > 38_416 * n * percent * (100 - percent)
}

/// For 1 %, 2 % … 10 %: the most `n` with P(X >= b | n) <= 2.5 %, for b = 2..=25.
#[rustfmt::skip]
const SETTLED_AT: [[u32; 24]; RATE_MAX as usize] = [
    [24, 62, 109, 163, 221, 283, 347, 413, 481, 551, 622, 694, 768, 842, 917, 993, 1069, 1147, 1225, 1303, 1382, 1461, 1541, 1621],
    [12, 31, 55, 82, 111, 142, 174, 207, 241, 276, 312, 348, 385, 422, 460, 498, 536, 575, 614, 653, 692, 732, 772, 812],
    [8, 21, 37, 55, 74, 95, 116, 139, 161, 185, 209, 233, 257, 282, 307, 333, 358, 384, 410, 436, 463, 489, 516, 543],
    [6, 16, 28, 41, 56, 71, 88, 104, 122, 139, 157, 175, 194, 212, 231, 250, 269, 289, 308, 328, 348, 368, 388, 408],
    [5, 13, 22, 33, 45, 57, 70, 84, 98, 112, 126, 141, 155, 170, 185, 201, 216, 232, 247, 263, 279, 295, 311, 327],
    [4, 11, 19, 28, 38, 48, 59, 70, 82, 93, 105, 117, 130, 142, 155, 168, 181, 194, 207, 220, 233, 246, 260, 273],
    [3, 9, 16, 24, 32, 41, 51, 60, 70, 80, 91, 101, 112, 122, 133, 144, 155, 166, 177, 189, 200, 212, 223, 235],
    [3, 8, 14, 21, 28, 36, 45, 53, 62, 70, 79, 89, 98, 107, 117, 126, 136, 146, 156, 166, 176, 186, 196, 206],
    [3, 7, 13, 19, 25, 32, 40, 47, 55, 63, 71, 79, 87, 96, 104, 113, 121, 130, 139, 148, 156, 165, 174, 183],
    [2, 6, 11, 17, 23, 29, 36, 43, 50, 57, 64, 71, 79, 86, 94, 102, 109, 117, 125, 133, 141, 149, 157, 165],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// P(X >= bounces) among `settled`, by its recurrence.
    fn tail(bounces: u32, settled: u32, percent: u32) -> f64 {
        let p = f64::from(percent) / 100.0;
        let mut term = (1.0 - p).powi(i32::try_from(settled).expect("few"));
        let mut below = term;
        for k in 1..bounces {
            term *= f64::from(settled + 1 - k) / f64::from(k) * p / (1.0 - p);
            below += term;
        }
        1.0 - below
    }

    #[test]
    fn the_table_is_the_exact_bound() {
        for percent in 1..=RATE_MAX {
            for bounces in 2..=25 {
                let first = (bounces..).find(|n| !surely_above(bounces, *n, percent));
                let first = first.expect("more messages than that are no proof");
                let told = format!("{bounces} of {first} at {percent} %");
                assert!(tail(bounces, first, percent) > 0.025, "{told}");
                assert!(first == bounces || tail(bounces, first - 1, percent) <= 0.025, "{told}");
            }
        }
    }

    #[test]
    fn behind_the_table_the_bound_goes_on() {
        for percent in 1..=RATE_MAX {
            let most = |bounces| (1..).find(|n| !surely_above(bounces, *n, percent)).expect("one");
            assert!((most(25)..most(25) + 200).contains(&most(26)), "{percent} %");
        }
        assert!(!surely_above(1, 1, 1));
    }
}
