//! The world's seams with a record beside them, and a gate at which a letter can be held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use warmfront_core::address::Address;
use warmfront_core::reading::{Bookmarks, Reading};
use warmfront_core::span::Millis;
use warmfront_mail::inbox::{Inbox, Unreadable};
use warmfront_mail::submit::{Halt, Letter, Outcome, Progress, Stage, Submit, Trouble};
use warmfront_world::{WayOut, WorldInbox};

use super::letter;
use super::record::{Attempt, Dot, End, Log, Told};

/// Where a letter can be held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Claimed; nothing is said to the server yet.
    Claimed,
    /// The engine is about to hear of a stage.
    Before(Stage),
    /// The engine has heard of a stage and said yes.
    After(Stage),
    /// The server has answered; the engine does not know it yet.
    Answered,
}

/// Every point, in the order a letter passes them.
pub const POINTS: [Point; 7] = [
    Point::Claimed,
    Point::After(Stage::Mail),
    Point::After(Stage::Rcpt),
    Point::Before(Stage::BodyWritten),
    Point::After(Stage::BodyWritten),
    Point::After(Stage::DotWritten),
    Point::Answered,
];

/// Holds the nth letter up that passes a point, until it is opened.
#[derive(Debug)]
pub struct Gate {
    point: Point,
    nth: u64,
    passed: AtomicU64,
    reached: Semaphore,
    open: Semaphore,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new(point: Point, nth: u64) -> Arc<Self> {
        let (reached, open) = (Semaphore::new(0), Semaphore::new(0));
        Arc::new(Self { point, nth, passed: AtomicU64::new(0), reached, open })
    }

    /// Comes back once a letter stands before it.
    pub async fn reached(&self) {
        self.reached.acquire().await.expect("never closed").forget();
    }

    /// Lets the letter go on.
    pub fn open(&self) {
        self.open.add_permits(1);
    }

    async fn pass(&self, point: Point) {
        if point == self.point && self.passed.fetch_add(1, Ordering::Relaxed) + 1 == self.nth {
            self.reached.add_permits(1);
            self.open.acquire().await.expect("never closed").forget();
        }
    }
}

/// A way out with a record beside it.
pub struct WatchedOut {
    out: WayOut,
    mailbox: Address,
    log: Log,
    gate: Option<Arc<Gate>>,
}

impl WatchedOut {
    /// Watches `out`.
    pub(super) fn new(out: WayOut, mailbox: Address, log: Log, gate: Option<Arc<Gate>>) -> Self {
        Self { out, mailbox, log, gate }
    }
}

impl Submit for WatchedOut {
    fn is_open(&self, now: Millis) -> bool {
        self.out.is_open(now)
    }

    async fn ready(&mut self, now: Millis) -> Result<(), Trouble> {
        self.out.ready(now).await
    }

    async fn submit<P: Progress>(
        &mut self,
        letter: &Letter,
        now: Millis,
        progress: &mut P,
    ) -> Outcome {
        let read = letter::read(&letter.bytes).expect("a letter with the scenario's mark in it");
        let attempt = {
            let (mailbox, to) = (self.mailbox.clone(), letter.to.clone());
            let attempts = &mut self.log.open().attempts;
            let fresh =
                Attempt { mailbox, to, at: now, letter: read, dot: Dot::Unasked, end: None };
            // Done again at once over a new connection: one claim, one attempt.
            let before = attempts.iter().rposition(|last| last.mailbox == fresh.mailbox);
            let again = before.filter(|&at| attempts[at].is_hung_up_on(&fresh));
            let place = again.unwrap_or(attempts.len());
            match attempts.get_mut(place) {
                Some(last) => *last = fresh,
                None => attempts.push(fresh),
            }
            place
        };
        pass(&self.gate, Point::Claimed).await;
        let mut watched = Watched { progress, log: &self.log, attempt, gate: &self.gate };
        let outcome = self.out.submit(letter, now, &mut watched).await;
        pass(&self.gate, Point::Answered).await;
        self.log.open().attempts[attempt].end = Some(match &outcome {
            Outcome::Answered(answer) => End::Answered(answer.code),
            Outcome::NotSent(_) => End::NotSent,
            Outcome::InDoubt { .. } => End::InDoubt,
        });
        outcome
    }

    async fn close(&mut self) {
        self.out.close().await;
    }
}

struct Watched<'a, P> {
    progress: &'a mut P,
    log: &'a Log,
    attempt: usize,
    gate: &'a Option<Arc<Gate>>,
}

impl<P: Progress> Progress for Watched<'_, P> {
    async fn reached(&mut self, stage: Stage) -> Result<(), Halt> {
        pass(self.gate, Point::Before(stage)).await;
        if stage == Stage::BodyWritten {
            self.log.open().attempts[self.attempt].dot = Dot::Asked;
        }
        self.progress.reached(stage).await?;
        if stage == Stage::BodyWritten {
            self.log.open().attempts[self.attempt].dot = Dot::Allowed;
        }
        pass(self.gate, Point::After(stage)).await;
        Ok(())
    }
}

async fn pass(gate: &Option<Arc<Gate>>, point: Point) {
    if let Some(gate) = gate {
        gate.pass(point).await;
    }
}

/// An inbox with a record beside it.
pub struct WatchedInbox {
    inbox: WorldInbox,
    mailbox: Address,
    log: Log,
}

impl WatchedInbox {
    /// Watches `inbox`.
    pub(super) fn new(inbox: WorldInbox, mailbox: Address, log: Log) -> Self {
        Self { inbox, mailbox, log }
    }
}

impl Inbox for WatchedInbox {
    async fn read(&mut self, bookmarks: &Bookmarks, now: Millis) -> Result<Reading, Unreadable> {
        let reading = self.inbox.read(bookmarks, now).await?;
        let mut record = self.log.open();
        record.readings.push((self.mailbox.clone(), now));
        let arrivals = reading.arrivals.iter().map(|arrived| &arrived.inbound);
        record.told.extend(arrivals.map(|arrival| Told {
            about: arrival.names.first().cloned(),
            kind: arrival.kind,
            back_on: arrival.return_on,
            at: now,
        }));
        drop(record);
        Ok(reading)
    }

    fn is_open(&self) -> bool {
        self.inbox.is_open()
    }

    async fn news(&mut self, within: Duration) -> bool {
        self.inbox.news(within).await
    }

    async fn close(&mut self) {
        self.inbox.close().await;
    }
}
