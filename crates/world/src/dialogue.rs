//! The servers' side of one letter, from MAIL to the answer to the dot.
//!
//! A dialogue that is dropped before its end was given up by the sender. Then what counts is
//! whether the dot had come, and whether the server files a letter with the dot or only as it
//! answers: servers of both sorts exist (RFC 1047), and luck says which one it was.

use warmfront_core::address::Address;
use warmfront_core::answer::{Answer, Phase};
use warmfront_core::span::{DAY, MINUTE, Millis};
use warmfront_mail::submit::{Halt, Letter, Outcome, Trouble};

use crate::chance::{Chance, Purpose, WHOLE};
use crate::headers::Headers;
use crate::refusal::Refusal;
use crate::tally::{Event, Violation};
use crate::temper::Fate;
use crate::world::World;

/// One letter on its way.
pub(crate) struct Dialogue<'a> {
    world: &'a World,
    mailbox: &'a Address,
    letter: &'a Letter,
    headers: Option<Headers>,
    now: Millis,
    chance: Chance,
    lost_at: Option<Leg>,
    reached: Reached,
}

/// A part of the way on which a connection can be lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leg {
    Mail,
    Rcpt,
    Body,
    LastLook,
}

/// How far it got.
enum Reached {
    BeforeDot,
    /// The final Message-ID is there once the letter is held.
    Dot {
        verdict: Verdict,
        held_as: Option<String>,
    },
    End,
}

/// What becomes of a letter at its dot.
#[derive(Clone, Copy)]
enum Verdict {
    Accept,
    Refuse(Refusal),
    LoseKept,
    LoseLost,
}

impl<'a> Dialogue<'a> {
    /// The luck of an attempt depends on sender, recipient and how many attempts there were.
    pub(crate) fn new(
        world: &'a World,
        mailbox: &'a Address,
        letter: &'a Letter,
        now: Millis,
    ) -> Self {
        let mut state = world.state();
        let (seed, weather) = (state.seed, state.weather);
        let pair = state.pairs.entry((mailbox.clone(), letter.to.clone())).or_default();
        pair.attempts += 1;
        let whom = [mailbox.as_str(), letter.to.as_str()];
        let mut chance = Chance::new(seed, Purpose::Attempt, &whom, pair.attempts);
        let legs = [Leg::Mail, Leg::Rcpt, Leg::Body, Leg::LastLook];
        let leg = legs[chance.below(4) as usize];
        let lost_at = chance.hits(weather.lost_before_dot).then_some(leg);
        let headers = Headers::parse(&letter.bytes);
        let reached = Reached::BeforeDot;
        Self { world, mailbox, letter, headers, now, chance, lost_at, reached }
    }

    /// MAIL.
    pub(crate) fn mail(&mut self) -> Result<(), Trouble> {
        self.survive(Leg::Mail, Phase::Mail)?;
        let weather = self.world.state().weather;
        if self.chance.hits(weather.closing) {
            return Err(self.refuse(Refusal::Closing));
        }
        if self.chance.hits(weather.mail_deferred) {
            return Err(self.refuse(Refusal::MailDeferred));
        }
        Ok(())
    }

    /// RCPT.
    pub(crate) fn rcpt(&mut self) -> Result<(), Trouble> {
        self.survive(Leg::Rcpt, Phase::Rcpt)?;
        let to = &self.letter.to;
        let message_id = self.headers.as_ref().map_or("", |headers| &headers.message_id);
        let mut state = self.world.state();
        state.note_after_no(to, message_id, self.now);
        let refusal = match state.fate(to) {
            Fate::Unknown => {
                state.person(to).refused.get_or_insert((message_id.to_owned(), self.now));
                Some(Refusal::Unknown)
            }
            Fate::Full => Some(Refusal::Full),
            Fate::Silent
            | Fate::Bounces { .. }
            | Fate::Replies { .. }
            | Fate::Away { .. }
            | Fate::OptsOut { .. }
            | Fate::Complains { .. }
            | Fate::SoftBounces { .. }
            | Fate::Delayed { .. }
            | Fate::Blocks { .. } => None,
        };
        drop(state);
        if let Some(refusal) = refusal {
            return Err(self.refuse(refusal));
        }
        if self.is_greylisted() {
            return Err(self.refuse(Refusal::Greylisted));
        }
        Ok(())
    }

    /// DATA and the body.
    pub(crate) fn data(&mut self) -> Result<(), Trouble> {
        self.survive(Leg::Body, Phase::Data)
    }

    /// The last moment at which the letter is surely not sent.
    pub(crate) fn last_look(&mut self) -> Result<(), Trouble> {
        self.survive(Leg::LastLook, Phase::Data)
    }

    /// The sender stops before the dot.
    pub(crate) fn halt(&mut self, halt: Halt) -> Trouble {
        self.end(Event::Halted);
        Trouble::Halted(halt.0)
    }

    /// The dot has come: the server decides, and perhaps files the letter already.
    pub(crate) fn dot(&mut self) {
        let verdict = self.judge();
        let files_first = self.chance.hits(WHOLE / 2);
        let held_as = match verdict {
            Verdict::Accept if files_first => Some(self.take()),
            Verdict::LoseKept => Some(self.take()),
            Verdict::Accept | Verdict::Refuse(_) | Verdict::LoseLost => None,
        };
        self.reached = Reached::Dot { verdict, held_as };
    }

    /// The answer to the dot, if one comes.
    pub(crate) fn answer(mut self) -> Outcome {
        let lost = || Outcome::InDoubt { why: "connection reset by peer".to_owned() };
        match std::mem::replace(&mut self.reached, Reached::End) {
            Reached::Dot { verdict: Verdict::Accept, held_as } => {
                let id = held_as.unwrap_or_else(|| self.take());
                self.end(Event::Accepted);
                Outcome::Answered(self.acceptance(&id))
            }
            Reached::Dot { verdict: Verdict::Refuse(refusal), .. } => {
                self.end(Event::Refused(refusal));
                Outcome::Answered(refusal.answer())
            }
            Reached::Dot { verdict: Verdict::LoseKept, .. } => {
                self.end(Event::LostAfterDotKept);
                lost()
            }
            Reached::Dot { verdict: Verdict::LoseLost, .. } => {
                self.end(Event::LostAfterDotLost);
                lost()
            }
            Reached::BeforeDot | Reached::End => unreachable!("the dot comes before its answer"),
        }
    }

    fn judge(&mut self) -> Verdict {
        if self.headers.is_none() {
            return Verdict::Refuse(Refusal::Malformed);
        }
        if let Some(refusal) = self.over_limit() {
            return Verdict::Refuse(refusal);
        }
        let weather = self.world.state().weather;
        let rates = [
            (weather.blocked_as_spam, Verdict::Refuse(Refusal::BlockedAsSpam)),
            (weather.sender_refused, Verdict::Refuse(Refusal::SenderRefused)),
            (weather.deferred_after_dot, Verdict::Refuse(Refusal::DeferredAfterDot)),
            (weather.lost_after_dot_kept, Verdict::LoseKept),
            (weather.lost_after_dot_lost, Verdict::LoseLost),
        ];
        let struck = rates.into_iter().find(|&(rate, _)| self.chance.hits(rate));
        struck.map_or(Verdict::Accept, |(_, verdict)| verdict)
    }

    /// Whether the provider has had enough of this mailbox. If not, the letter counts, whatever
    /// becomes of it.
    fn over_limit(&self) -> Option<Refusal> {
        let (mailbox, at) = (self.mailbox.clone(), self.now);
        let mut state = self.world.state();
        let provider = state.provider(&mailbox);
        let account = state.mailbox(&mailbox);
        let full = |limit: Option<u32>, span| {
            limit.is_some_and(|limit| account.sent_within(span, at) >= limit)
        };
        let (minute, day) = (full(provider.per_minute, MINUTE), full(provider.per_day, DAY));
        if !minute && !day {
            account.note_sent(at);
            return None;
        }
        let (violation, refusal) = if minute {
            (Violation::PerMinute { mailbox, at }, Refusal::PerMinute)
        } else {
            (Violation::PerDay { mailbox, at }, Refusal::PerDay)
        };
        state.tally.violations.push(violation);
        Some(refusal)
    }

    /// Greylisting: the first attempts of a pair are put off for five minutes, as Postgrey does.
    fn is_greylisted(&self) -> bool {
        let mut state = self.world.state();
        let whom = [self.mailbox.as_str(), self.letter.to.as_str()];
        let mut chance = Chance::new(state.seed, Purpose::Greylist, &whom, 0);
        if !chance.hits(state.weather.greylisted) {
            return false;
        }
        let pair = state.pairs.entry((self.mailbox.clone(), self.letter.to.clone())).or_default();
        self.now - *pair.first_seen_at.get_or_insert(self.now) < GREYLIST
    }

    /// The letter is the world's. Returns the Message-ID it has from here on.
    fn take(&self) -> String {
        let headers = self.headers.as_ref().expect("judged to be a message");
        self.world.state().take(self.mailbox, self.letter, headers, self.now)
    }

    fn acceptance(&self, id: &str) -> Answer {
        let text = if self.world.state().provider(self.mailbox).rewrites_ids {
            format!("2.0.0 OK {id} [Hostname=WORLD.PROD.OUTLOOK.COM]")
        } else {
            "2.0.0 OK".to_owned()
        };
        Answer::new(Phase::Eod, 250, &text)
    }

    fn survive(&mut self, leg: Leg, phase: Phase) -> Result<(), Trouble> {
        if self.lost_at != Some(leg) {
            return Ok(());
        }
        self.end(Event::LostBeforeDot);
        Err(Trouble::Lost { phase, why: "connection reset by peer".to_owned() })
    }

    fn refuse(&mut self, refusal: Refusal) -> Trouble {
        self.reached = Reached::End;
        self.world.state().refuse(refusal)
    }

    fn end(&mut self, event: Event) {
        self.reached = Reached::End;
        self.world.state().tally.count(event);
    }
}

impl Drop for Dialogue<'_> {
    fn drop(&mut self) {
        let event = match &self.reached {
            Reached::BeforeDot => Event::AbandonedBeforeDot,
            Reached::Dot { held_as: Some(_), .. } => Event::AbandonedKept,
            Reached::Dot { held_as: None, .. } => Event::AbandonedLost,
            Reached::End => return,
        };
        self.world.state().tally.count(event);
    }
}

/// Postgrey's default delay.
const GREYLIST: Millis = 5 * MINUTE;
