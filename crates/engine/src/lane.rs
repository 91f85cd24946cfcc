//! A lane: one mailbox's way through its day, one message at a time.
//!
//! Render and compose first; then connect; then claim, submit, settle. Whatever ends a lane in
//! between, the books know how far it got, and whoever leases the mailbox next goes on from there.

mod claimed;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tracing::warn;
use warmfront_core::calendar;
use warmfront_core::health::{self, Blow, PauseReason, Record, Thresholds};
use warmfront_core::provider::Preset;
use warmfront_core::reason::{self, Hold};
use warmfront_core::span::{self, HOUR, MINUTE, Millis, SECOND, Span};
use warmfront_mail::submit::{Submit, Trouble};
use warmfront_store::{DueMessage, Lease};

use self::claimed::Claimed;
use crate::EngineError;
use crate::fleet::Mailbox;
use crate::judge::{follows_from, jitter, spread};
use crate::letter::{LetterProblem, write_letter};
use crate::office::Office;
use crate::roster::Campaign;

/// One mailbox at work.
#[derive(Debug)]
pub struct Lane<O> {
    office: Office,
    mailbox: Mailbox,
    lease: Lease,
    out: O,
    queue: VecDeque<DueMessage>,
    /// When the first is due that the queue was too early for.
    next_due: Option<Millis>,
    /// The day the queue was read for.
    day: String,
    /// Messages that are due and may not leave, and when to look at them again.
    held: BTreeMap<i64, Millis>,
    /// Connection failures in a row.
    failures: u32,
    /// Claimed beside the settlement of the one before it, and not handed over yet.
    claimed: Option<Claimed>,
}

/// When a lane wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At that moment.
    At(Millis),
    /// Not before that moment: its server could not be reached.
    NotBefore(Millis),
    /// Not before the next plan, or not at all under this lease.
    Done,
}

impl<O: Submit> Lane<O> {
    /// A lane under a lease.
    #[must_use]
    pub fn new(office: Office, mailbox: Mailbox, lease: Lease, out: O) -> Self {
        let (queue, day, held) = (VecDeque::new(), String::new(), BTreeMap::new());
        Self {
            office,
            mailbox,
            lease,
            out,
            queue,
            next_due: None,
            day,
            held,
            failures: 0,
            claimed: None,
        }
    }

    /// The lease it works under.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// The mailbox's row.
    #[must_use]
    pub fn mailbox_id(&self) -> i64 {
        self.lease.mailbox
    }

    /// Takes leave of the server and gives the lease back.
    pub async fn close(mut self) {
        self.give_back().await;
        self.out.close().await;
        if let Err(error) = self.office.store.release(self.lease).await {
            warn!(mailbox = self.lease.mailbox, %error, "a lease was not given back");
        }
    }

    /// Sends at most one message that is due by `now`.
    pub async fn tick(&mut self, now: Millis) -> Result<Next, EngineError> {
        if let Some(claimed) = self.claimed.take() {
            return self.hand_over_and_settle(claimed).await;
        }
        let day = self.office.day(now).to_string();
        if self.day != day {
            self.queue.clear();
            self.day = day;
        }
        if self.queue.is_empty() {
            self.refill(now).await?;
        }
        let Some(due) = self.queue.pop_front() else {
            let again = self.held.values().min().copied();
            return Ok(self.next_due.into_iter().chain(again).min().map_or(Next::Done, Next::At));
        };
        let roster = self.office.roster();
        let Some(campaign) = roster.get(due.campaign_id) else {
            self.held.insert(due.id, now + HELD_FOR);
            return Ok(Next::At(now));
        };
        self.send(campaign, due, now).await
    }

    async fn refill(&mut self, now: Millis) -> Result<(), EngineError> {
        self.held.retain(|_, until| *until > now);
        let ahead = AHEAD + u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        let due = self.office.store.due(self.lease.mailbox, &self.day, now, ahead).await?;
        self.next_due = due.last().map(|due| due.due_at).filter(|at| *at > now);
        let due = due.into_iter().filter(|due| due.due_at <= now);
        self.queue.extend(due.filter(|due| !self.held.contains_key(&due.id)));
        Ok(())
    }

    async fn send(
        &mut self,
        campaign: &Arc<Campaign>,
        due: DueMessage,
        now: Millis,
    ) -> Result<Next, EngineError> {
        let hours = self.next_open(campaign, &due, now);
        if now >= due.closes_at || hours.is_none_or(|hours| hours.start() > now) {
            self.office.store.hold_message(due.id, hours, "its hours were missed").await?;
            return Ok(Next::At(now));
        }
        let composed = write_letter(&self.office, &self.mailbox, campaign, &due, now).await;
        let composed = match composed {
            Ok(composed) => composed,
            Err(LetterProblem::Blocked(why)) => {
                warn!(message = due.id, "an enrolment is blocked: its text cannot be rendered");
                self.office.store.block_enrolment(due.enrolment_id, due.id, &why).await?;
                return Ok(Next::At(now));
            }
            Err(LetterProblem::Store(error)) => return Err(error.into()),
        };
        if !self.out.is_open(now)
            && let Some(next) = self.hold(campaign, &due, now).await?
        {
            return Ok(next);
        }
        if let Err(trouble) = self.out.ready(now).await {
            let why = format!("its server cannot be used: {trouble}");
            self.office.store.explain_message(due.id, &why).await?;
            self.queue.push_front(due);
            return self.give_way(&trouble, now).await;
        }
        self.failures = 0;
        let now = self.office.clock.now().max(now);
        let claimed = Claimed { campaign: Arc::clone(campaign), due, composed, at: now };
        if !self.office.store.claim(self.claim(&claimed)).await? {
            let next = self.hold(campaign, &claimed.due, now).await?;
            // The lease is what is left: whoever has it now goes on.
            return Ok(next.unwrap_or(Next::Done));
        }
        self.hand_over_and_settle(claimed).await
    }

    /// What to do when the server cannot be reached or does not let us in. No attempt is counted.
    async fn give_way(&mut self, trouble: &Trouble, now: Millis) -> Result<Next, EngineError> {
        let store = &self.office.store;
        let mailbox = self.lease.mailbox;
        match trouble {
            Trouble::Refused(answer) => {
                let blow = follows_from(answer, &self.mailbox.provider).blow;
                let reason = blow.and_then(|blow| {
                    health::pause_for(blow, &Record::default(), &Thresholds::default())
                });
                if let Some(reason) = reason {
                    warn!(mailbox, reason = reason.as_str(), "paused before any message");
                    store.stop_mailbox(mailbox, reason, &answer.to_string(), now).await?;
                    return Ok(Next::Done);
                }
            }
            Trouble::Unsafe(why) => {
                warn!(mailbox, why, "paused: its server cannot be used safely");
                store.stop_mailbox(mailbox, PauseReason::Configuration, why, now).await?;
                return Ok(Next::Done);
            }
            Trouble::NoSecret(why) => {
                warn!(mailbox, why, "paused: what it logs in with is not to be had");
                store.stop_mailbox(mailbox, PauseReason::Configuration, why, now).await?;
                return Ok(Next::Done);
            }
            // Whoever looked for a token has told the books, unless other tokens had come by then.
            Trouble::NeedsLogin(_) => return Ok(Next::Done),
            Trouble::Lost { .. }
            | Trouble::NoToken(_)
            | Trouble::SecretAway(_)
            | Trouble::Halted(_) => {}
        }
        self.failures += 1;
        let is_too_often = is_too_often(trouble, &self.mailbox.provider);
        let away = away_for(self.failures, if is_too_often { TOO_OFTEN } else { BACKOFF });
        let wait = spread(away, jitter(mailbox, self.failures));
        warn!(mailbox, %trouble, again_in_s = wait / SECOND, "it has no connection to its server");
        Ok(Next::NotBefore(now + wait))
    }

    /// Whether a reason in the books keeps a message back: if so, notes it, and says when to go on.
    async fn hold(
        &mut self,
        campaign: &Campaign,
        due: &DueMessage,
        now: Millis,
    ) -> Result<Option<Next>, EngineError> {
        let store = &self.office.store;
        let today = calendar::day_span(&self.office.fleet.timezone, self.office.day(now));
        let Some(facts) = store.facts(due.id, &self.day, today).await? else {
            return Ok(Some(Next::At(now)));
        };
        // Of a mailbox that stands still no message is moved for another reason.
        if facts.mailbox.state != "active" {
            return Ok(Some(Next::Done));
        }
        let Some(hold) = reason::binding(&facts, now) else { return Ok(None) };
        let why = hold.to_string();
        match hold {
            Hold::MailboxGap { until: at, .. } => {
                self.queue.push_front(due.clone());
                return Ok(Some(Next::At(at)));
            }
            Hold::PersonGap { until: at, .. } | Hold::NotDue(at) => {
                let hours = self.next_open(campaign, due, at);
                store.hold_message(due.id, hours, &why).await?;
            }
            Hold::HoursOver(_) => {
                let hours = self.next_open(campaign, due, now);
                store.hold_message(due.id, hours, &why).await?;
            }
            Hold::MailboxDay(_)
            | Hold::DomainDay(_)
            | Hold::TenantDay(_)
            | Hold::CompanyDay(_)
            | Hold::AnotherThread
            | Hold::DomainFails(_)
            | Hold::Unproven(_)
            | Hold::NextPlan => store.hold_message(due.id, None, &why).await?,
            Hold::InboxStale { .. }
            | Hold::Enrolment { .. }
            | Hold::Suppressed
            | Hold::Campaign { .. } => {
                store.explain_message(due.id, &why).await?;
                self.held.insert(due.id, now + HELD_FOR);
            }
            Hold::Attempts(_) => store.give_up(due.id, &why, now).await?,
            Hold::MailboxPaused { .. }
            | Hold::MailboxLogin { .. }
            | Hold::MailboxDisabled
            | Hold::InFlight(_)
            | Hold::Unleased
            | Hold::Outdated => return Ok(Some(Next::Done)),
            Hold::NotPlanned(_) => {}
        }
        Ok(Some(Next::At(now)))
    }

    /// What is left of the day's hours from `from` on: the first stretch, or `None` where the next
    /// plan must say.
    fn next_open(&self, campaign: &Campaign, due: &DueMessage, from: Millis) -> Option<Span> {
        if self.office.day(from).to_string() != self.day {
            return None;
        }
        let hours = self.hours(campaign, due, from);
        let open = hours.iter().find(|span| from < span.end())?;
        Span::new(from.max(open.start()), open.end())
    }

    /// When this message may leave on the day of `moment`: the person's hours and the mailbox's.
    fn hours(&self, campaign: &Campaign, due: &DueMessage, moment: Millis) -> Vec<Span> {
        let day = self.office.day(moment);
        let within = calendar::day_span(&self.office.fleet.timezone, day);
        let hours = campaign.hours(&due.zone, day, within);
        match &self.mailbox.window {
            Some(windows) => {
                let none = BTreeSet::new();
                let own = calendar::open_spans(windows, &self.mailbox.timezone, &none, within);
                span::intersection(&hours, &own)
            }
            None => hours.to_vec(),
        }
    }
}

/// Whether a server lets nobody in for a while, because somebody came too often.
fn is_too_often(trouble: &Trouble, provider: &Preset) -> bool {
    let Trouble::Refused(answer) = trouble else { return false };
    follows_from(answer, provider).blow == Some(Blow::TooFast)
}

/// How long a lane stays away after so many failures in a row.
fn away_for(failures: u32, (doubled, most): (Millis, Millis)) -> Millis {
    (doubled << failures.min(DOUBLINGS)).min(most)
}

/// Due messages read at once: enough to keep the database quiet, few enough to be fresh.
const AHEAD: u32 = 50;

/// How often a message that is held is looked at again.
const HELD_FOR: Millis = MINUTE;

/// Reconnecting waits 2, 4, 8 … seconds, up to five minutes: what is doubled, and the most.
const BACKOFF: (Millis, Millis) = (SECOND, 5 * MINUTE);

/// The same with a server that finds us too hasty: 5, 10, 20 … minutes, up to an hour.
const TOO_OFTEN: (Millis, Millis) = (5 * MINUTE / 2, HOUR);

/// After so many every wait is the longest.
const DOUBLINGS: u32 = 12;

#[cfg(test)]
mod tests {
    use warmfront_core::answer::{Answer, Phase};
    use warmfront_core::provider::Presets;

    use super::*;

    #[test]
    fn a_server_that_counts_log_ins_is_left_alone_for_longer() {
        let presets = Presets::load();
        let said = |text: &str| {
            let answer = Answer::parse(Phase::Auth, text);
            is_too_often(&Trouble::Refused(answer), presets.find("google").expect("a preset"))
        };
        assert!(said("454 4.7.0 Too many login attempts, please try again later."));
        assert!(!said("454 4.7.0 Cannot authenticate due to a temporary system problem."));
        let waits = |which| [1, 2, 3, 4, 5, 40].map(|n| away_for(n, which) / SECOND);
        assert_eq!(waits(BACKOFF), [2, 4, 8, 16, 32, 300]);
        assert_eq!(waits(TOO_OFTEN), [300, 600, 1_200, 2_400, 3_600, 3_600]);
    }
}
