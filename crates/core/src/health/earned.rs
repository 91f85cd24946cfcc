//! What a mailbox has earned, and what days and pauses make of it: no amnesty, and no full volume after
//! a long silence. The books at the turn of the day and a forecast ask the same functions.

use super::{EASE_MIN_PERCENT, PauseReason, recovered};
use crate::span::{DAY, Millis};
use crate::warmup::{DayRecord, Warmth};

/// What a mailbox's allowance is reckoned from, beside its curve and its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    /// Where it stands on its curve.
    pub warmth: Warmth,
    /// The eased share of its allowance.
    pub ease_percent: u32,
    /// The warm days with which its curve is at its end. 0 where there is no ramp.
    pub plateau: u32,
}

impl Earned {
    /// What it has after one more day.
    #[must_use]
    pub fn after(self, day: DayRecord) -> Self {
        let Warmth { warm_days, idle_days } = self.warmth;
        if day.accepted > 0 {
            let warm_days = warm_days + u32::from(day.is_warm());
            let ease = self.ease_percent;
            let ease_percent = if day.is_clean() { recovered(ease) } else { ease };
            return Self { warmth: Warmth { warm_days, idle_days: 0 }, ease_percent, ..self };
        }
        let idle_days = idle_days + 1;
        let idle = Self { warmth: Warmth { warm_days, idle_days }, ..self };
        if idle_days.is_multiple_of(COOLS_AFTER_IDLE_DAYS) { idle.keeping(50) } else { idle }
    }

    /// What it has when it comes back. No amnesty: it re-enters lower on its curve, the lower the
    /// longer it was away.
    #[must_use]
    pub fn on_return(self, reason: PauseReason, paused_for: Millis) -> Self {
        match reason {
            // None of them says anything of its reputation.
            PauseReason::Operator
            | PauseReason::Credentials
            | PauseReason::Login
            | PauseReason::Configuration
            | PauseReason::Restored => self,
            PauseReason::SenderRejections { .. }
            | PauseReason::HardBounces { .. }
            | PauseReason::BounceRate { .. }
            | PauseReason::Spam
            | PauseReason::Complaint
            | PauseReason::Domain
            | PauseReason::Tenant
            | PauseReason::Banned
            | PauseReason::TenantStopped
            | PauseReason::Quota
            | PauseReason::TenantQuota => self.keeping(kept_percent(paused_for)),
        }
    }

    /// A part of it. Warm days behind the plateau are no volume: a mailbox that has a hundred where
    /// twenty lead to its cap would lose half of them and send as much as before. Where there is no
    /// ramp to fall back on, the part is one of the allowance, and clean days give it back.
    fn keeping(self, percent: u32) -> Self {
        let warm_days = self.warmth.warm_days.min(self.plateau) * percent / 100;
        let eased = (self.ease_percent * percent / 100).max(EASE_MIN_PERCENT);
        Self {
            warmth: Warmth { warm_days, ..self.warmth },
            ease_percent: if self.plateau == 0 { eased } else { self.ease_percent },
            ..self
        }
    }
}

/// The part of its warmth that a pause of such a length leaves.
fn kept_percent(paused_for: Millis) -> u32 {
    if paused_for <= WEEK {
        50
    } else if paused_for <= MONTH {
        25
    } else {
        0
    }
}

/// Idle days after which, each time, half of the warmth is lost. SendGrid documents 30 for an IP
/// to be warmed anew; a mailbox's history is thinner.
const COOLS_AFTER_IDLE_DAYS: u32 = 14;

const WEEK: Millis = 7 * DAY;
const MONTH: Millis = 30 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    fn earned(warm_days: u32, plateau: u32) -> Earned {
        Earned { warmth: Warmth { warm_days, idle_days: 0 }, ease_percent: 100, plateau }
    }

    #[test]
    fn a_fortnight_of_silence_halves_the_warmth_and_each_more_again() {
        let idle = DayRecord { allowance: 20, ..DayRecord::default() };
        for (warm_days, plateau, want) in [
            (20, 23, [(20, 100), (10, 100), (10, 100), (5, 100)]),
            (100, 23, [(100, 100), (11, 100), (11, 100), (5, 100)]),
            (0, 0, [(0, 100), (0, 50), (0, 50), (0, 25)]),
        ] {
            let mut mailbox = earned(warm_days, plateau);
            let mut at = Vec::new();
            for _ in 0..28 {
                mailbox = mailbox.after(idle);
                at.push((mailbox.warmth.warm_days, mailbox.ease_percent));
            }
            assert_eq!([at[12], at[13], at[26], at[27]], want);
        }
        let warm = DayRecord { allowance: 10, accepted: 6, ..DayRecord::default() };
        let idle = Earned { warmth: Warmth { warm_days: 5, idle_days: 28 }, ..earned(5, 23) };
        assert_eq!(idle.after(warm), earned(6, 23));
    }

    #[test]
    fn a_clean_day_gives_ten_points_back_and_no_other_does() {
        let eased = Earned { ease_percent: 50, ..earned(20, 23) };
        let day = |accepted, deferred| DayRecord { accepted, deferred, ..DayRecord::default() };
        let after = |day| eased.after(day).ease_percent;
        assert_eq!((after(day(1, 0)), after(day(9, 1)), after(day(0, 0))), (60, 50, 50));
    }

    #[test]
    fn a_mailbox_comes_back_lower() {
        for (warm_days, plateau, want) in [
            (20, 23, [(10, 100), (10, 100), (5, 100), (0, 100)]),
            (100, 23, [(11, 100), (11, 100), (5, 100), (0, 100)]),
            (100, 0, [(0, 50), (0, 50), (0, 25), (0, 10)]),
        ] {
            let back = [1, 7, 8, 31].map(|days| {
                let back = earned(warm_days, plateau).on_return(PauseReason::Spam, days * DAY);
                (back.warmth.warm_days, back.ease_percent)
            });
            assert_eq!(back, want);
            let kept = earned(warm_days, plateau).on_return(PauseReason::Operator, DAY);
            assert_eq!(kept, earned(warm_days, plateau));
        }
    }
}
