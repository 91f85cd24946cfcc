//! All loops in one thread, by one clock that somebody else sets: for simulations and tests. The
//! very code that sends.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use warmfront_core::span::Millis;
use warmfront_mail::inbox::Inbox;
use warmfront_mail::submit::Submit;

use crate::EngineError;
use crate::lane::{Lane, Next};
use crate::office::{Office, Ways};
use crate::planner::Planner;
use crate::sender::Sender;
use crate::watcher::Watcher;

/// Planner, sender and watcher, moved on by hand.
#[derive(Debug)]
pub struct Loops<O, I> {
    office: Office,
    planner: Planner,
    sender: Sender<O, I>,
    watcher: Watcher<O, I>,
    lanes: BTreeMap<i64, (Millis, Lane<O>)>,
    plan_at: Millis,
    read_at: Millis,
    recruit_at: Millis,
    in_turn: bool,
}

impl<O: Submit, I: Inbox + 'static> Loops<O, I> {
    /// Loops that have done nothing yet.
    #[must_use]
    pub fn new(office: Office, ways: Ways<O, I>) -> Self {
        Self {
            planner: Planner::new(office.clone()),
            sender: Sender::new(office.clone(), ways.clone()),
            watcher: Watcher::new(office.clone(), ways),
            lanes: BTreeMap::new(),
            plan_at: Millis::MIN,
            read_at: Millis::MIN,
            recruit_at: Millis::MIN,
            in_turn: false,
            office,
        }
    }

    /// The same with one lane at a time. Which of several lanes gets the last place of a company's
    /// day is up to whoever reaches the books first, and a database that serves many at once
    /// decides that by its own clock; so a story to be told twice is told like this.
    #[must_use]
    pub fn in_turn(self) -> Self {
        Self { in_turn: true, ..self }
    }

    /// Does everything due by `now`; says when the next thing is due.
    pub async fn tick(&mut self, now: Millis) -> Result<Millis, EngineError> {
        self.office.clock.set(now);
        if self.plan_at <= now {
            self.plan_at = self.planner.tick(now).await?;
            // A plan may bring work for mailboxes that have no lane.
            self.recruit_at = now;
        }
        if self.read_at <= now {
            self.read_at = self.watcher.tick(now).await?;
        }
        if self.recruit_at <= now {
            let (lanes, recruit_at) = self.sender.tick(now).await?;
            self.recruit_at = recruit_at;
            self.lanes.extend(lanes.into_iter().map(|lane| (lane.mailbox_id(), (now, lane))));
        }
        self.drive(now).await?;
        let lanes = self.lanes.values().map(|(at, _)| *at).min().unwrap_or(DONE);
        Ok(self.plan_at.min(self.read_at).min(self.recruit_at).min(lanes))
    }

    /// Lets every lane send what is due until none has anything left at `now`.
    async fn drive(&mut self, now: Millis) -> Result<(), EngineError> {
        loop {
            let due = self.lanes.values_mut().filter(|(at, _)| *at <= now);
            let ticks = due.map(async |(at, lane)| (at, lane.tick(now).await));
            let ticked = match self.in_turn {
                true => stream::iter(ticks).then(|tick| tick).collect().await,
                false => join_all(ticks).await,
            };
            let mut any = false;
            let mut done = Vec::new();
            let mut failed = None;
            for (at, next) in ticked {
                any = true;
                match next {
                    Ok(Next::At(next) | Next::NotBefore(next)) => *at = next,
                    Ok(Next::Done) => *at = DONE,
                    Err(error) => failed = Some(error),
                }
            }
            done.extend(self.lanes.iter().filter(|(_, (at, _))| *at == DONE).map(|(id, _)| *id));
            for mailbox in done {
                if let Some((_, lane)) = self.lanes.remove(&mailbox) {
                    lane.close().await;
                }
                self.sender.dismiss(mailbox, now);
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if !any {
                return Ok(());
            }
        }
    }
}

/// A moment that never comes.
const DONE: Millis = Millis::MAX;
