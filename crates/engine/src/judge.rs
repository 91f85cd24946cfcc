//! From how a letter ended to what the books say of it.

use warmfront_core::answer::{self, Action, Answer, Scope};
use warmfront_core::health::Blow;
use warmfront_core::provider::{self, Preset};
use warmfront_core::rng;
use warmfront_core::span::{DAY, MINUTE, Millis};
use warmfront_mail::submit::{Outcome, Trouble};
use warmfront_store::Fate;

/// What is known of the message besides the outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    /// The provider it went through.
    pub provider: &'a Preset,
    /// Attempts before this one.
    pub earlier: u32,
    /// The first of all.
    pub first_at: Millis,
    /// When the outcome is known.
    pub now: Millis,
    /// A number from 0 to 99 that spreads retries.
    pub jitter: i64,
    /// The next step, were this one accepted.
    pub next: Option<(u32, Millis)>,
}

/// The books' view of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// What becomes of the message. A retry's moment is a wish: the hours may push it on.
    pub fate: Fate,
    /// What it says against the sender.
    pub blow: Option<Blow>,
}

/// Judges an outcome.
#[must_use]
pub(crate) fn judge(outcome: &Outcome, attempt: &Attempt<'_>) -> Judgement {
    match outcome {
        Outcome::Answered(answer) => judge_answer(answer, attempt),
        Outcome::NotSent(trouble) => Judgement { fate: not_sent(trouble, attempt), blow: None },
        Outcome::InDoubt { why } => {
            Judgement { fate: Fate::InDoubt { why: why.clone() }, blow: None }
        }
    }
}

fn judge_answer(answer: &Answer, attempt: &Attempt<'_>) -> Judgement {
    let verdict = answer::classify(answer);
    let judged = |fate, blow| Judgement { fate, blow };
    let rejected = |verdict| Fate::Rejected { verdict, why: answer.to_string() };
    match (verdict.action, verdict.scope) {
        (Action::Accept, _) => {
            let final_message_id = provider::final_message_id(attempt.provider, &answer.text);
            judged(Fate::Accepted { final_message_id, next: attempt.next }, None)
        }
        (Action::Retry, Scope::Recipient) => judged(deferred(answer, attempt, true), None),
        (Action::Retry, _) => judged(deferred(answer, attempt, false), Some(Blow::Deferred)),
        (Action::Rest, Scope::Tenant) => {
            judged(deferred(answer, attempt, false), Some(Blow::TenantRefused))
        }
        (Action::Rest, _) => judged(deferred(answer, attempt, false), Some(Blow::QuotaReached)),
        (Action::Drop, Scope::Recipient) => judged(rejected("recipient"), None),
        (Action::Drop, _) => judged(rejected("message"), None),
        (Action::Suppress, _) => judged(rejected("hard_bounce"), Some(Blow::HardBounce)),
        (Action::Reject, _) => judged(rejected("sender"), Some(Blow::SenderRejected)),
        (Action::Pause, Scope::Domain) => judged(rejected("sender"), Some(Blow::DomainRefused)),
        (Action::Pause, Scope::Tenant) => judged(rejected("sender"), Some(Blow::TenantRefused)),
        (Action::Pause, _) => judged(rejected("sender"), Some(Blow::Spam)),
        // The letter is not to blame: it waits, and the log-in is mended.
        (Action::FixCredentials, _) => {
            let (retry_at, why) = (attempt.now + RETRIES[0], answer.to_string());
            judged(Fate::NotSent { retry_at, closes_at: None, why }, Some(Blow::CredentialsRefused))
        }
    }
}

fn deferred(answer: &Answer, attempt: &Attempt<'_>, for_recipient: bool) -> Fate {
    let tries = attempt.earlier + 1;
    let wait = RETRIES[usize::try_from(attempt.earlier).unwrap_or(0).min(RETRIES.len() - 1)];
    let retry_at = attempt.now + spread(wait, attempt.jitter);
    if tries >= ATTEMPTS_MAX || retry_at - attempt.first_at > GIVE_UP_AFTER {
        let verdict = if for_recipient { "recipient_deferred" } else { "deferred" };
        return Fate::Rejected {
            verdict,
            why: format!("gave_up after {tries} attempts: {answer}"),
        };
    }
    Fate::Deferred { for_recipient, retry_at, closes_at: None, why: answer.to_string() }
}

fn not_sent(trouble: &Trouble, attempt: &Attempt<'_>) -> Fate {
    Fate::NotSent {
        retry_at: attempt.now + spread(RETRIES[0] / 5, attempt.jitter),
        closes_at: None,
        why: trouble.to_string(),
    }
}

/// Plus or minus a fifth, so that what was put off together does not come back together.
pub(crate) fn spread(wait: Millis, jitter: i64) -> Millis {
    wait * (80 + jitter * 40 / 100) / 100
}

/// From 0 to 99, the same for the same attempt.
pub(crate) fn jitter(id: i64, attempt: u32) -> i64 {
    use rand::RngExt as _;
    rng::stream(u64::from(attempt), &[id.unsigned_abs()]).random_range(0..100)
}

/// Waits before the second, third, fourth and fifth attempt. Greylisting wants at least five
/// minutes; Postfix' own queue ends at 67.
const RETRIES: [Millis; 4] = [5 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE];

/// Attempts that a server answered.
const ATTEMPTS_MAX: u32 = 5;

/// Cold mail that is a day late is no longer wanted.
const GIVE_UP_AFTER: Millis = DAY;

#[cfg(test)]
mod tests {
    use warmfront_core::answer::Phase;
    use warmfront_core::provider::Presets;

    use super::*;

    #[track_caller]
    fn check(phase: Phase, line: &str, earlier: u32, want: &str) {
        let presets = Presets::load();
        let (code, text) = line.split_once(' ').unwrap();
        let outcome = Outcome::Answered(Answer::new(phase, code.parse().unwrap(), text));
        let attempt = Attempt {
            provider: presets.find("smtp").unwrap(),
            earlier,
            first_at: 0,
            now: 1_000,
            jitter: 50,
            next: None,
        };
        let judged = judge(&outcome, &attempt);
        let fate = match &judged.fate {
            Fate::Accepted { .. } => "accepted".to_owned(),
            Fate::Rejected { verdict, why } if why.starts_with("gave_up") => {
                format!("gave up {verdict}")
            }
            Fate::Rejected { verdict, .. } => format!("rejected {verdict}"),
            Fate::Deferred { retry_at, .. } => {
                format!("retry after {}", (retry_at - 1_000) / MINUTE)
            }
            Fate::NotSent { .. } => "not sent".to_owned(),
            Fate::InDoubt { .. } => "in doubt".to_owned(),
        };
        assert_eq!(format!("{fate}, {:?}", judged.blow), want, "{line}");
    }

    #[test]
    fn outcomes() {
        use Phase::{Eod, Mail, Rcpt};
        check(Eod, "250 2.0.0 OK", 0, "accepted, None");
        check(Rcpt, "550 5.1.1 no such user", 0, "rejected hard_bounce, Some(HardBounce)");
        check(Rcpt, "452 4.2.2 full", 0, "retry after 5, None");
        check(Rcpt, "451 4.7.1 greylisted", 0, "retry after 5, None");
        check(Rcpt, "451 4.3.2 busy", 3, "retry after 60, Some(Deferred)");
        check(Rcpt, "451 4.3.2 busy", 4, "gave up deferred, Some(Deferred)");
        check(Eod, "554 5.7.1 content refused", 0, "rejected sender, Some(SenderRejected)");
        check(Eod, "550 5.7.1 blocked as spam", 0, "rejected sender, Some(Spam)");
        check(Eod, "550 5.7.26 no DMARC", 0, "rejected sender, Some(DomainRefused)");
        check(Mail, "550 5.4.5 daily limit", 0, "retry after 5, Some(QuotaReached)");
        check(Mail, "530 5.7.57 not authenticated", 0, "not sent, Some(CredentialsRefused)");
        check(Eod, "552 5.3.4 too big", 0, "rejected message, None");
    }
}
