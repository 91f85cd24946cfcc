//! From how a letter ended to what the books say of it.

use warmfront_core::answer::{self, Action, Answer, Scope};
use warmfront_core::health::Blow;
use warmfront_core::provider::{self, Preset};
use warmfront_core::reason::ATTEMPTS_MAX;
use warmfront_core::rng;
use warmfront_core::span::{DAY, MINUTE, Millis, length_text};
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
            let since = None;
            judged(
                Fate::NotSent { since, retry_at, closes_at: None, why },
                Some(Blow::CredentialsRefused),
            )
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

/// No attempt is counted, so the age says how long to wait, and when it is enough.
fn not_sent(trouble: &Trouble, attempt: &Attempt<'_>) -> Fate {
    let since = match trouble {
        // Our own doing says nothing of the letter.
        Trouble::Halted(_) => attempt.now,
        Trouble::Refused(_) | Trouble::Lost { .. } | Trouble::Unsafe(_) => attempt.first_at,
    };
    let age = attempt.now - since;
    if age > GIVE_UP_AFTER {
        return Fate::GivenUp { why: format!("gave_up after {}: {trouble}", length_text(age)) };
    }
    let wait = age.clamp(RETRIES[0] / 5, RETRIES[3]);
    Fate::NotSent {
        since: (since < attempt.now).then_some(since),
        retry_at: attempt.now + spread(wait, attempt.jitter),
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
            Fate::GivenUp { .. } => "given up".to_owned(),
            Fate::InDoubt { .. } => "in doubt".to_owned(),
        };
        assert_eq!(format!("{fate}, {:?}", judged.blow), want, "{line}");
    }

    #[test]
    fn a_letter_that_never_gets_an_answer_is_given_up_after_a_day() {
        #[track_caller]
        fn check(age: Millis, trouble: Trouble, want: &str) {
            let presets = Presets::load();
            let provider = presets.find("smtp").unwrap();
            let now = 10 * DAY;
            let attempt =
                Attempt { provider, earlier: 0, first_at: now - age, now, jitter: 50, next: None };
            let said = match judge(&Outcome::NotSent(trouble), &attempt).fate {
                Fate::NotSent { since, retry_at, .. } => {
                    format!("again after {}, since {since:?}", (retry_at - now) / MINUTE)
                }
                Fate::GivenUp { why } => why,
                other => format!("{other:?}"),
            };
            assert_eq!(said, want);
        }
        let lost = || Trouble::Lost { phase: Phase::Data, why: "reset".to_owned() };
        check(0, lost(), "again after 1, since None");
        check(20 * MINUTE, lost(), "again after 20, since Some(862800000)");
        check(5 * 60 * MINUTE, lost(), "again after 60, since Some(846000000)");
        check(DAY + MINUTE, lost(), "gave_up after 1d1m: the connection was lost at data: reset");
        let halted = Trouble::Halted("stopped".to_owned());
        check(DAY + MINUTE, halted, "again after 1, since None");
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
