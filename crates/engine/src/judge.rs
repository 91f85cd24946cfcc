//! From how a letter ended to what the books say of it.

use warmfront_core::answer::{self, Answer, Consequence, Ending, Phase};
use warmfront_core::health::Blow;
use warmfront_core::provider::{self, Preset};
use warmfront_core::reason::{ATTEMPTS_MAX, GAVE_UP};
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
    let Consequence { ending, blow } = follows_from(answer, attempt.provider);
    let judged = |fate| Judgement { fate, blow };
    let why = || answer.to_string();
    let rejected = |verdict| judged(Fate::Rejected { verdict, why: why() });
    match ending {
        Ending::Accepted => {
            let final_message_id = provider::final_message_id(attempt.provider, &answer.text);
            judged(Fate::Accepted { final_message_id, next: attempt.next })
        }
        Ending::Deferred { for_recipient } => judged(deferred(answer, attempt, for_recipient)),
        // Behind the dot nothing is done again under the same claim, nor does it count: the server
        // said that it did not take the letter.
        Ending::Redone if answer.phase == Phase::Eod => {
            judged(not_sent(&Trouble::Refused(answer.clone()), attempt))
        }
        Ending::Redone => {
            let fate = deferred(answer, attempt, false);
            Judgement { fate, blow: Some(Blow::Deferred) }
        }
        // The letter is not to blame: it waits for whoever mends the mailbox.
        Ending::GivenBack => {
            let retry_at = attempt.now + RETRIES[0];
            judged(Fate::NotSent { since: None, retry_at, closes_at: None, why: why() })
        }
        Ending::RecipientRefused => rejected("recipient"),
        Ending::MessageRefused => rejected("message"),
        Ending::SenderRefused => rejected("sender"),
        Ending::AddressDead => rejected("hard_bounce"),
        Ending::DomainDead => rejected("dead_domain"),
        Ending::InDoubt => judged(Fate::InDoubt { why: why() }),
    }
}

/// What follows from a provider's answer.
pub(crate) fn follows_from(answer: &Answer, provider: &Preset) -> Consequence {
    answer::consequence(answer, &answer::classify(answer, Some(&provider.name)))
}

/// Whether no rule knows a provider's answer.
pub(crate) fn is_unknown(answer: &Answer, provider: &Preset) -> bool {
    answer::classify(answer, Some(&provider.name)).is_unknown()
}

/// Whether a letter may be handed over again at once, on a new connection and under the same claim:
/// the server spoke of the connection alone, and the dot has not left.
pub(crate) fn is_redone(outcome: &Outcome, provider: &Preset) -> bool {
    let Outcome::Answered(answer) = outcome else { return false };
    matches!(answer.phase, Phase::Mail | Phase::Rcpt | Phase::Data)
        && follows_from(answer, provider).ending == Ending::Redone
}

/// How often a letter may be done again within one attempt. The attempt after the first follows it
/// within ten minutes, in which two are enough; all others come later.
pub(crate) fn redone_at_most(first_at: Option<Millis>, now: Millis) -> u32 {
    if first_at.is_none_or(|at| now - at >= REDO_WITHIN) { REDO_MAX } else { 0 }
}

fn deferred(answer: &Answer, attempt: &Attempt<'_>, for_recipient: bool) -> Fate {
    let tries = attempt.earlier + 1;
    let wait = RETRIES[usize::try_from(attempt.earlier).unwrap_or(0).min(RETRIES.len() - 1)];
    let retry_at = attempt.now + spread(wait, attempt.jitter);
    if tries >= ATTEMPTS_MAX || retry_at - attempt.first_at > GIVE_UP_AFTER {
        let verdict = if for_recipient { "recipient_deferred" } else { "deferred" };
        return Fate::Rejected {
            verdict,
            why: format!("{GAVE_UP} after {tries} attempts: {answer}"),
        };
    }
    Fate::Deferred { for_recipient, retry_at, closes_at: None, why: answer.to_string() }
}

/// No attempt is counted, so the age says how long to wait, and when it is enough.
fn not_sent(trouble: &Trouble, attempt: &Attempt<'_>) -> Fate {
    let since = match trouble {
        // Our own doing says nothing of the letter.
        Trouble::Halted(_) => attempt.now,
        Trouble::Refused(_)
        | Trouble::Lost { .. }
        | Trouble::Unsafe(_)
        | Trouble::NeedsLogin(_)
        | Trouble::NoToken(_)
        | Trouble::NoSecret(_)
        | Trouble::SecretAway(_) => attempt.first_at,
    };
    let age = attempt.now - since;
    if age > GIVE_UP_AFTER {
        return Fate::GivenUp { why: format!("{GAVE_UP} after {}: {trouble}", length_text(age)) };
    }
    let wait = age.clamp(RETRIES[0] / 5, RETRIES[RETRIES.len() - 1]);
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

/// Waits between attempts. Greylisting wants at least five minutes; Postfix' own queue ends at 67.
/// Five attempts are made after the first four; the longer ones are for what counts none.
const RETRIES: [Millis; 6] =
    [5 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 120 * MINUTE, 240 * MINUTE];

/// How often a letter is done again at once in that time.
const REDO_MAX: u32 = 2;
const REDO_WITHIN: Millis = 10 * MINUTE;

/// Cold mail that is a day late is no longer wanted.
const GIVE_UP_AFTER: Millis = DAY;

#[cfg(test)]
mod tests {
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
        check(5 * 60 * MINUTE, lost(), "again after 240, since Some(846000000)");
        check(DAY + MINUTE, lost(), "gave_up after 1d1m: the connection was lost at data: reset");
        let halted = Trouble::Halted("stopped".to_owned());
        check(DAY + MINUTE, halted, "again after 1, since None");
    }

    #[test]
    fn a_letter_is_done_again_twice_in_ten_minutes_and_only_before_its_dot() {
        let presets = Presets::load();
        let provider = presets.find("smtp").unwrap();
        let redone =
            |phase, line: &str| is_redone(&Outcome::Answered(Answer::parse(phase, line)), provider);
        assert!(redone(Phase::Mail, "421 4.4.2 timed out") && redone(Phase::Rcpt, "421 bye"));
        assert!(!redone(Phase::Eod, "421 4.4.2 timed out") && !redone(Phase::Mail, "451 busy"));
        let most = |first_at| redone_at_most(first_at, DAY);
        assert_eq!((most(None), most(Some(DAY - 5 * MINUTE)), most(Some(0))), (2, 0, 2));
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
        check(Mail, "530 5.7.57 not authenticated", 0, "not sent, Some(ConfigurationRefused)");
        check(Mail, "535 5.7.8 no", 0, "not sent, Some(CredentialsRefused)");
        check(Mail, "421 4.4.2 timed out", 0, "retry after 5, Some(Deferred)");
        check(Eod, "421 4.4.2 timed out", 0, "not sent, None");
        check(Eod, "432 4.3.2 sender thread limit", 1, "retry after 15, Some(TooFast)");
        check(Rcpt, "556 5.1.10 null MX", 0, "rejected dead_domain, Some(HardBounce)");
        check(Rcpt, "550 5.7.1 Access denied", 0, "rejected sender, Some(SenderRejected)");
        check(Rcpt, "541 what", 0, "rejected recipient, None");
        check(Eod, "552 5.3.4 too big", 0, "rejected message, None");
    }
}
