//! What became of a message, told as it happened: stories drawn by seed go along the edges of the
//! diagram, write down what the books would keep, and know what happened last. No seed finds a
//! message that is settled without its reason, or with another one's.

use std::collections::BTreeSet;

use rand::RngExt as _;
use rand::rngs::ChaCha12Rng;

use crate::reason::*;
use crate::rng;
use crate::span::{MINUTE, Millis};

/// Stories drawn.
const SEEDS: u64 = 4_000;

/// What happened last, where that is how the message stands now.
#[derive(Clone, Debug)]
struct Last {
    word: &'static str,
    at: Millis,
    /// What people must be told of it.
    says: String,
}

/// A message's story so far.
struct Story {
    past: Past,
    now: Millis,
    last: Option<Last>,
}

impl Story {
    fn begin() -> Self {
        Self { past: becomes("planned", 0, Past::default()), now: 0, last: None }
    }

    /// It is settled, and that is told so.
    fn ends(&mut self, state: &str, word: &'static str, says: String) {
        self.past = becomes(state, self.now, self.past.clone());
        self.past.settled_at = Some(self.now);
        self.last = Some(Last { word, at: self.now, says });
    }

    /// It is planned or on its way again.
    fn goes_on(&mut self, state: &str) {
        self.past = becomes(state, self.now, self.past.clone());
        self.past.settled_at = None;
        self.last = None;
    }

    fn answered(&mut self, verdict: &str, code: u32, enhanced: &str, why: &str) {
        self.past.verdict = Some(verdict.to_owned());
        self.past.code = Some(code);
        self.past.enhanced = Some(enhanced.to_owned());
        self.past.why = Some(why.to_owned());
    }

    fn at_attempt(&self) -> String {
        format!("attempt {}", self.past.attempts)
    }
}

fn becomes(state: &str, at: Millis, past: Past) -> Past {
    Past { state: state.to_owned(), changed_at: at, ..past }
}

fn one_of<T: Copy>(rng: &mut ChaCha12Rng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

/// One edge on.
fn happen(story: &mut Story, rng: &mut ChaCha12Rng) {
    story.now += MINUTE * rng.random_range(1..90);
    match story.past.state.as_str() {
        "planned" => of_a_planned_one(story, rng),
        "sending" => of_one_on_its_way(story, rng),
        "in_doubt" => of_a_doubt(story, rng),
        "accepted" => {
            let says = story.at_attempt();
            let settled_at = story.past.settled_at;
            story.ends("bounced", "bounced", says);
            // A report leaves the moment of the acceptance as it is.
            story.past.settled_at = settled_at;
            story.past.why = Some("a delivery report came back".to_owned());
        }
        _ => {}
    }
}

fn of_a_planned_one(story: &mut Story, rng: &mut ChaCha12Rng) {
    match rng.random_range(0..12) {
        0 => {
            let (state, says) = one_of(
                rng,
                &[
                    ("replied", "the person replied"),
                    ("bounced", "the address bounced"),
                    ("stopped", "the enrolment was stopped: 14 days late"),
                ],
            );
            story.past.why = Some(format!("enrolment_{state}"));
            story.past.because = (state == "stopped").then(|| "14 days late".to_owned());
            story.ends("cancelled", "enrolment_over", says.to_owned());
        }
        1 => {
            let why = "gave_up after 1d1m: the connection was lost at data: reset";
            story.past.verdict = Some("message".to_owned());
            story.past.why = Some(why.to_owned());
            story.ends("rejected", "gave_up", why.to_owned());
        }
        2 => {
            // Books that are an older copy take it up; what an answer said before stays.
            story.past.attempts += 1;
            proven(story, "sent_copy", "its copy lies in the Sent folder");
        }
        _ => {
            story.past.attempts += 1;
            story.goes_on("sending");
            let Past { verdict, code, enhanced, why, evidence, .. } = Past::default();
            story.past = Past { verdict, code, enhanced, why, evidence, ..story.past.clone() };
        }
    }
}

fn of_one_on_its_way(story: &mut Story, rng: &mut ChaCha12Rng) {
    let at_attempt = story.at_attempt();
    match rng.random_range(0..6) {
        0 => {
            story.answered("accepted", 250, "2.0.0", "");
            story.past.why = None;
            story.ends("accepted", "accepted", format!("at {at_attempt}: it answered 250 2.0.0"));
        }
        1 => {
            let (verdict, word, what, enhanced) = one_of(
                rng,
                &[
                    ("recipient", "recipient_refused", "the recipient", "5.7.1"),
                    ("hard_bounce", "address_dead", "the address for good", "5.1.1"),
                    ("message", "message_refused", "the message", "5.3.4"),
                    ("sender", "sender_refused", "the sender", "5.7.26"),
                ],
            );
            let why = format!("550 {enhanced} no (rcpt)");
            story.answered(verdict, 550, enhanced, &why);
            story.ends("rejected", word, format!("refused {what} at {at_attempt}: {why}"));
        }
        2 => {
            story.past.why = Some("the connection was lost".to_owned());
            story.ends("in_doubt", "in_doubt", format!("at {at_attempt}: the connection was lost"));
        }
        3 => {
            story.past.attempts -= 1;
            story.past.why = Some("interrupted before the final dot".to_owned());
            story.goes_on("planned");
        }
        _ if story.past.attempts < ATTEMPTS_MAX => {
            story.answered("deferred", 451, "4.7.1", "451 4.7.1 greylisted (rcpt)");
            story.goes_on("planned");
        }
        _ => {
            let verdict = one_of(rng, &["deferred", "recipient_deferred"]);
            let why = "gave_up after 5 attempts: 451 4.7.1 greylisted (rcpt)";
            story.answered(verdict, 451, "4.7.1", why);
            story.ends("rejected", "gave_up", why.to_owned());
        }
    }
}

fn of_a_doubt(story: &mut Story, rng: &mut ChaCha12Rng) {
    match rng.random_range(0..7) {
        0 => proven(story, "sent_copy", "its copy lies in the Sent folder"),
        1 => proven(story, "reply", "an answer to it came in"),
        2 => proven(story, "bounce", "a report about it came in"),
        3 => proven(story, "operator", "the operator said that it was sent"),
        4 => {
            story.past.why = Some("the Sent folder proves that it was not sent".to_owned());
            story.goes_on("planned");
        }
        5 => {
            story.past.evidence = Some("operator".to_owned());
            story.past.why = Some("the operator said that it was not sent".to_owned());
            story.goes_on("planned");
        }
        _ => {
            story.past.evidence = Some("bounce".to_owned());
            let says = story.at_attempt();
            story.ends("bounced", "bounced", says);
        }
    }
}

fn proven(story: &mut Story, evidence: &str, says: &str) {
    story.past.evidence = Some(evidence.to_owned());
    story.past.why = Some(says.to_owned());
    let word = match evidence {
        "sent_copy" => "copy_in_sent",
        "reply" => "answered",
        "bounce" => "reported",
        _ => "operator",
    };
    story.ends("accepted", word, says.to_owned());
}

#[test]
fn no_seed_finds_a_settled_message_without_the_reason_it_was_settled_for() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let rng = &mut rng::stream(seed, &[6]);
        let mut story = Story::begin();
        for _ in 0..rng.random_range(1..40) {
            happen(&mut story, rng);
            if story.past.attempts > ATTEMPTS_MAX {
                break;
            }
            let told = settled(&story.past);
            let word = told.as_ref().map(Settled::as_str);
            assert_eq!(word, story.last.as_ref().map(|l| l.word), "seed {seed}: {:?}", story.past);
            let Some((told, last)) = told.zip(story.last.as_ref()) else { continue };
            assert_eq!(told.since(), last.at, "seed {seed}: {told:?}");
            let says = told.to_string();
            assert!(says.contains(&last.says), "seed {seed}: {:?} in {says:?}", last.says);
            let clears = if last.word == "in_doubt" { Clears::Operator } else { Clears::Never };
            assert_eq!(told.clears(), clears, "seed {seed}");
            seen.insert(last.word);
        }
    }
    assert_eq!(seen.len(), 13, "reasons never seen: {seen:?}");
}

#[test]
fn a_settled_message_says_why() {
    #[track_caller]
    fn check(past: Past, want: &str) {
        assert_eq!(settled(&past).unwrap().to_string(), want);
    }
    let past = |state: &str| Past { state: state.to_owned(), attempts: 2, ..Past::default() };
    let because = |why: &str| Some(why.to_owned());
    check(past("accepted"), "the server took it over at attempt 2");
    check(
        Past { code: Some(250), enhanced: because("2.0.0"), ..past("accepted") },
        "the server took it over at attempt 2: it answered 250 2.0.0",
    );
    check(
        Past { verdict: because("sender"), why: because("550 5.7.1 no"), ..past("rejected") },
        "the server refused the sender at attempt 2: 550 5.7.1 no",
    );
    check(
        Past { why: because("enrolment_unsubscribed"), ..past("cancelled") },
        "the person unsubscribed",
    );
    check(
        Past { why: because("it was in flight when the books were copied"), ..past("in_doubt") },
        "nobody knows whether it left at attempt 2: it was in flight when the books were copied",
    );
    check(
        past("bounced"),
        "it left at attempt 2, and a report came back: its address takes no mail",
    );
    assert_eq!(settled(&past("planned")), None);
    assert_eq!(settled(&past("sending")), None);
}
