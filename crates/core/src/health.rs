//! A mailbox's health: what each answer does to its allowance, and when it must stop.
//!
//! Two mechanisms, kept apart. *Easing* halves the allowance at the first sign of trouble and
//! gives it back slowly. *Pausing* stops the mailbox once the signs add up; it does not wait for
//! easing to reach the floor. Neither moves volume to another mailbox.

mod earned;
mod pause_reason;
mod thresholds;

pub use self::earned::Earned;
pub use self::pause_reason::PauseReason;
use self::thresholds::surely_above;
pub use self::thresholds::{LAST_MAX, RATE_MAX, Thresholds};
use crate::span::{DAY, Millis};

/// Something that speaks against a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The server put a message off, and not for the recipient's sake.
    Deferred,
    /// The server refused the sender.
    SenderRejected,
    /// The server called the message spam, or a recipient complained.
    Spam,
    /// A recipient reported a message as spam.
    Complaint,
    /// The address written to does not exist.
    HardBounce,
    /// Log-in failed.
    CredentialsRefused,
    /// The server refused the whole sending domain.
    DomainRefused,
    /// The provider's own limit is reached.
    QuotaReached,
    /// The provider's limit of the whole tenant is reached.
    TenantQuotaReached,
    /// The provider takes mail from the mailbox more slowly than it came.
    TooFast,
    /// The provider has stopped the mailbox, or wants its person to come and prove who they are.
    Banned,
    /// The mailbox, or its server, is set up in a way that the server refuses.
    ConfigurationRefused,
    /// The provider has stopped the whole tenant, or refuses how it is set up.
    TenantStopped,
}

/// The figures a pause is decided by, the present blow included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Today's share of the mailbox.
    pub allotted_today: u32,
    /// Refusals of the sender today. An acceptance does not wipe them out: a mailbox refused every
    /// second time is not well.
    pub sender_rejections_today: u32,
    /// Hard bounces among the last [`Thresholds::last_messages`] settled ones.
    pub hard_bounces_of_last: u32,
    /// Hard bounces within [`Thresholds::bounce_window`].
    pub hard_bounces: u32,
    /// Messages settled in that window.
    pub settled: u32,
}

/// Whether this blow, with this record, stops the mailbox.
#[must_use]
pub fn pause_for(blow: Blow, record: &Record, at: &Thresholds) -> Option<PauseReason> {
    match blow {
        Blow::Deferred | Blow::TooFast => None,
        Blow::SenderRejected => {
            let (rejections, allotted) = (record.sender_rejections_today, record.allotted_today);
            // A part of the allotment, and never fewer than one.
            (rejections * 100 >= at.sender_rejections * allotted.max(1))
                .then_some(PauseReason::SenderRejections { rejections, allotted })
        }
        Blow::HardBounce => {
            let (bounces, settled) = (record.hard_bounces, record.settled);
            if record.hard_bounces_of_last >= at.hard_bounces {
                let (bounces, last) = (record.hard_bounces_of_last, at.last_messages);
                Some(PauseReason::HardBounces { bounces, last })
            } else if surely_above(bounces, settled, at.bounce_rate) {
                Some(PauseReason::BounceRate { bounces, settled, within: at.bounce_window })
            } else {
                None
            }
        }
        Blow::Spam => Some(PauseReason::Spam),
        Blow::Complaint => Some(PauseReason::Complaint),
        Blow::CredentialsRefused => Some(PauseReason::Credentials),
        Blow::DomainRefused => Some(PauseReason::Domain),
        Blow::QuotaReached => Some(PauseReason::Quota),
        Blow::TenantQuotaReached => Some(PauseReason::TenantQuota),
        Blow::Banned => Some(PauseReason::Banned),
        Blow::ConfigurationRefused => Some(PauseReason::Configuration),
        Blow::TenantStopped => Some(PauseReason::TenantStopped),
    }
}

/// Whether a campaign's list is so dead that the campaign must stop: enough messages to judge by, at
/// least 3 hard bounces among them, and the lower 95 % bound of the rate above the threshold.
#[must_use]
pub fn list_is_dead(hard_bounces: u32, settled: u32, at: &Thresholds) -> bool {
    let enough = hard_bounces >= LIST_BOUNCES_MIN && settled >= at.list_messages;
    enough && surely_above(hard_bounces, settled, at.list_bounce_rate)
}

/// Until when a pause lasts, given how many came before it within [`Thresholds::repeat_window`].
/// `None`: until an operator resumes. A full quota is over in a day, however often it was full.
#[must_use]
pub fn paused_until(
    reason: PauseReason,
    earlier_pauses: u32,
    at: &Thresholds,
    now: Millis,
) -> Option<Millis> {
    if reason.is_quota() {
        return Some(now + QUOTA_PAUSE);
    }
    let lasts = match earlier_pauses {
        0 => at.first_pause,
        1 => at.second_pause,
        _ => return None,
    };
    reason.ends_by_itself().then_some(now + lasts)
}

/// Whether a mailbox sends one message first, and no more until it was accepted, when it comes back.
#[must_use]
pub fn probes_on_return(reason: PauseReason) -> bool {
    !matches!(reason, PauseReason::Operator | PauseReason::Restored | PauseReason::Login)
}

/// The eased share of the allowance after a blow, or `None` where it is the same incident: a
/// message that left before the last cut tells nothing new.
#[must_use]
pub fn eased(ease_percent: u32, eased_at: Option<Millis>, sent_at: Millis) -> Option<u32> {
    eased_at.is_none_or(|at| sent_at > at).then(|| (ease_percent / 2).max(EASE_MIN_PERCENT))
}

/// The eased share of the allowance after a clean day.
#[must_use]
pub fn recovered(ease_percent: u32) -> u32 {
    (ease_percent + RECOVERY_POINTS).min(100)
}

/// Two dead addresses may be one list's bad luck, however few were written to.
const LIST_BOUNCES_MIN: u32 = 3;

/// Providers count their limits over 24 hours: by then the oldest of what filled one is out of it.
const QUOTA_PAUSE: Millis = DAY;

/// How much of the allowance a clean day gives back, in points.
const RECOVERY_POINTS: u32 = 10;

/// Easing stops here: a mailbox that sends nothing can never show that it is well again.
const EASE_MIN_PERCENT: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_incident_makes_one_cut() {
        assert_eq!(eased(100, None, 5), Some(50));
        assert_eq!(eased(50, Some(10), 8), None); // Left before the cut.
        assert_eq!(eased(50, Some(10), 11), Some(25));
        assert_eq!(eased(12, Some(10), 11), Some(10));
        assert_eq!((recovered(50), recovered(95)), (60, 100));
    }

    #[track_caller]
    fn check(blow: Blow, record: Record, want: Option<&str>) {
        let paused = pause_for(blow, &record, &Thresholds::default());
        assert_eq!(paused.map(PauseReason::as_str), want);
    }

    #[test]
    fn pauses() {
        let none = Record::default();
        let rejections =
            |n, allotted| Record { allotted_today: allotted, sender_rejections_today: n, ..none };
        check(Blow::SenderRejected, rejections(1, 20), None);
        check(Blow::SenderRejected, rejections(2, 20), Some("sender_rejections"));
        check(Blow::SenderRejected, rejections(1, 5), Some("sender_rejections"));
        check(Blow::SenderRejected, rejections(4, 50), None);
        check(Blow::SenderRejected, rejections(5, 50), Some("sender_rejections"));
        let bounces = |of_last, bounces, settled| Record {
            hard_bounces_of_last: of_last,
            hard_bounces: bounces,
            settled,
            ..none
        };
        check(Blow::HardBounce, bounces(1, 1, 1), None); // One of one is not "100 %".
        check(Blow::HardBounce, bounces(2, 2, 12), Some("bounce_rate"));
        check(Blow::HardBounce, bounces(2, 2, 13), None);
        check(Blow::HardBounce, bounces(3, 3, 300), Some("hard_bounces"));
        check(Blow::HardBounce, bounces(0, 30, 900), Some("bounce_rate"));
        check(Blow::HardBounce, bounces(0, 30, 1200), None);
        check(Blow::Complaint, none, Some("complaint"));
        check(Blow::CredentialsRefused, none, Some("credentials"));
        check(Blow::Deferred, rejections(9, 1), None);
    }

    #[test]
    fn pauses_grow_longer_and_the_third_waits_for_a_person() {
        let until = |earlier| paused_until(PauseReason::Spam, earlier, &Thresholds::default(), 0);
        assert_eq!((until(0), until(1), until(2)), (Some(DAY), Some(7 * DAY), None));
        assert_eq!(paused_until(PauseReason::Credentials, 0, &Thresholds::default(), 0), None);
        for quota in [PauseReason::Quota, PauseReason::TenantQuota] {
            for earlier in 0..3 {
                let at = Thresholds { first_pause: 2 * DAY, ..Thresholds::default() };
                assert_eq!(paused_until(quota, earlier, &at, 5), Some(5 + DAY));
            }
            assert!(!quota.repeats());
        }
    }

    #[test]
    fn a_dead_list_is_told_from_bad_luck() {
        let dead = |bounces, settled| list_is_dead(bounces, settled, &Thresholds::default());
        assert!(!dead(2, 20));
        assert!(dead(4, 20));
        assert!(!dead(3, 60));
        assert!(dead(20, 200));
    }

    #[test]
    fn an_operator_may_have_it_stricter_or_looser() {
        let strict = Thresholds {
            sender_rejections: 5,
            hard_bounces: 2,
            bounce_rate: 1,
            list_bounce_rate: 3,
            first_pause: 2 * DAY,
            second_pause: 14 * DAY,
            list_messages: 10,
            ..Thresholds::default()
        };
        let rejected = Record {
            allotted_today: 40,
            sender_rejections_today: 2,
            hard_bounces_of_last: 2,
            ..Record::default()
        };
        let usual = Thresholds::default();
        let pauses = |blow, at| pause_for(blow, &rejected, at).is_some();
        for blow in [Blow::SenderRejected, Blow::HardBounce] {
            assert_eq!((pauses(blow, &strict), pauses(blow, &usual)), (true, false));
        }
        assert!(list_is_dead(4, 37, &strict) && !list_is_dead(4, 37, &usual));
        assert!(list_is_dead(3, 10, &strict) && !list_is_dead(3, 10, &usual));
        assert!(!list_is_dead(2, 10, &strict), "two are bad luck");
        let until = |earlier| paused_until(PauseReason::Spam, earlier, &strict, 0);
        assert_eq!((until(0), until(1), until(2)), (Some(2 * DAY), Some(14 * DAY), None));
    }
}
