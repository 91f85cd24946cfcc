//! The daemon: every loop by the machine's clock, each mailbox's lane a task of its own, until it is
//! told to stop or nothing is left for today.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use warmfront_core::span::{self, MINUTE, Millis};
use warmfront_mail::inbox::Inbox;
use warmfront_mail::submit::Submit;
use warmfront_store::{Lease, StoreError};

use crate::EngineError;
use crate::examiner::Examiner;
use crate::lanes::{LaneEnd, Lanes};
use crate::office::{Office, Ways};
use crate::planner::Planner;
use crate::sender::Sender;
use crate::watcher::Watcher;

/// When a daemon ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is told to.
    Stopped,
    /// When nothing may leave any more today.
    Idle,
}

/// Runs until `stop` or, where wanted, until nothing is left for today. What is in flight is
/// finished either way, for at most [`FINISH_MAX`].
pub async fn run<O, I>(
    office: Office,
    ways: Ways<O, I>,
    until: Until,
    stop: CancellationToken,
) -> Result<(), EngineError>
where
    O: Submit + 'static,
    I: Inbox + 'static,
{
    refuse_a_clock_set_back(&office).await?;
    refuse_a_restored_backup(&office).await?;
    let (tell, inboxes_are_read) = watch::channel(false);
    let begun_at = office.clock.now();
    office.store.report_worker(&office.owner, begun_at, begun_at).await?;
    let mut daemon = Daemon {
        planner: Planner::new(office.clone()),
        sender: Sender::new(office.clone(), ways.clone()).among_others(office.clock.now()),
        lanes: Lanes::default(),
        stop: stop.clone(),
        told: String::new(),
        inboxes_are_read,
        begun_at,
        latest: begun_at,
        epoch_at: begun_at,
        office,
    };
    let examining = tokio::spawn(examine(daemon.office.clone()));
    let mut watching = tokio::spawn(watch(daemon.office.clone(), ways, tell, stop.clone()));
    let ended = tokio::select! {
        ended = daemon.work(until) => ended,
        () = broken(&watching, &stop) => {
            (&mut watching).await.unwrap_or(Err(EngineError::Broken("watcher")))
        }
    };
    daemon.finish().await;
    watching.abort();
    examining.abort();
    ended
}

/// A clock behind the books would repeat days and refuse every claim; say so instead.
async fn refuse_a_clock_set_back(office: &Office) -> Result<(), EngineError> {
    let latest = office.store.latest_moment().await?.unwrap_or(Millis::MIN);
    let behind = latest.saturating_sub(office.clock.now());
    if behind > CLOCK_TOLERANCE {
        return Err(EngineError::ClockSetBack { behind: span::length_text(behind) });
    }
    Ok(())
}

/// Older books do not know what newer ones have sent.
async fn refuse_a_restored_backup(office: &Office) -> Result<(), EngineError> {
    office.store.refuse_if_outdated().await?;
    let Some(watermark) = &office.watermark else { return Ok(()) };
    office.store.refuse_if_restored(watermark).await?;
    Ok(office.store.begin_epoch(watermark).await?)
}

/// What a round led to.
enum Round {
    /// Nothing may leave any more today.
    Idle,
    /// Nothing is due before that.
    Until(Millis),
}

struct Daemon<O, I> {
    office: Office,
    planner: Planner,
    sender: Sender<O, I>,
    lanes: Lanes,
    stop: CancellationToken,
    /// The trouble last told, so that it is told once.
    told: String,
    /// When it began.
    begun_at: Millis,
    /// The latest moment seen.
    latest: Millis,
    /// When the present epoch began.
    epoch_at: Millis,
    /// Whether every mailbox was read once, or cannot be.
    inboxes_are_read: watch::Receiver<bool>,
}

impl<O, I> Daemon<O, I>
where
    O: Submit + 'static,
    I: Inbox + 'static,
{
    async fn work(&mut self, until: Until) -> Result<(), EngineError> {
        let begun_on = self.office.day(self.office.clock.now());
        while !self.stop.is_cancelled() {
            let now = self.office.clock.now();
            if until == Until::Idle && self.office.day(now) > begun_on {
                return Ok(());
            }
            let wake = match self.round(now, until).await {
                Ok(Round::Idle) => return Ok(()),
                Ok(Round::Until(wake)) => {
                    self.told.clear();
                    wake
                }
                Err(error) if error.is_transient() => {
                    self.rest(&error);
                    now + TRY_AGAIN
                }
                Err(error) => return Err(error),
            };
            let clock = self.office.clock.clone();
            tokio::select! {
                () = self.stop.cancelled() => {}
                Ok(()) = self.inboxes_are_read.changed() => {}
                Some((lease, ended)) = self.lanes.next() => self.lane_ended(lease, ended).await,
                () = clock.wait_until(wake) => {}
            }
        }
        Ok(())
    }

    /// Nothing is sent while the books cannot be written or the clock is wrong.
    fn rest(&mut self, error: &EngineError) {
        if matches!(error, EngineError::ClockSetBack { .. }) {
            self.lanes.stop();
        }
        let trouble = error.to_string();
        if trouble != self.told {
            warn!("{trouble}");
            self.told = trouble;
        }
    }

    /// Plans and recruits; says when to come back.
    async fn round(&mut self, now: Millis, until: Until) -> Result<Round, EngineError> {
        if now < self.latest - CLOCK_TOLERANCE {
            let behind = span::length_text(self.latest - now);
            return Err(EngineError::ClockSetBack { behind });
        }
        self.latest = self.latest.max(now);
        if now - self.epoch_at >= EPOCH {
            self.begin_epoch(now).await?;
            self.report(now).await;
        }
        let plan_at = self.planner.tick(now).await?;
        // Mail that the books do not have may lie in any Sent folder: nothing leaves before.
        if !*self.inboxes_are_read.borrow() {
            return Ok(Round::Until(plan_at));
        }
        let (lanes, recruit_at) = self.sender.tick(now).await?;
        for lane in lanes {
            self.lanes.add(lane, &self.office, &self.stop);
        }
        let may_be_idle = self.planner.has_planned() && self.lanes.is_empty();
        if until == Until::Idle && may_be_idle && self.is_idle(now).await? {
            return Ok(Round::Idle);
        }
        Ok(Round::Until(plan_at.min(recruit_at)))
    }

    /// What cannot be written now is tried again; mail does not wait for it. Older books under our
    /// feet end the daemon.
    async fn begin_epoch(&mut self, now: Millis) -> Result<(), EngineError> {
        self.epoch_at = now;
        let Some(watermark) = &self.office.watermark else { return Ok(()) };
        match self.office.store.begin_epoch(watermark).await {
            Ok(()) => Ok(()),
            Err(error @ StoreError::Restored { .. }) => Err(error.into()),
            Err(error) => {
                warn!(%error, "a copy of the database made before this could pass for the newest");
                Ok(())
            }
        }
    }

    /// What others know of this daemon beside its leases, of which it may have none for minutes.
    async fn report(&self, now: Millis) {
        let Office { store, owner, .. } = &self.office;
        if let Err(error) = store.report_worker(owner, self.begun_at, now).await {
            warn!(%error, "others may take this daemon for gone");
        }
    }

    async fn is_idle(&self, now: Millis) -> Result<bool, EngineError> {
        let day = self.office.day(now).to_string();
        Ok(self.office.store.claimable_left(&day, now).await? == 0)
    }

    async fn lane_ended(&mut self, lease: Lease, ended: Result<(), LaneEnd>) {
        let mailbox = lease.mailbox;
        match ended {
            Ok(()) => {}
            Err(LaneEnd::Failed(error)) => {
                error!(mailbox, %error, "a lane broke; its mailbox rests a little");
            }
            Err(LaneEnd::Panicked(why)) => {
                error!(mailbox, why, "a lane panicked; its mailbox rests a little");
                if let Err(error) = self.office.store.release(lease).await {
                    warn!(mailbox, %error, "a lease was not given back");
                }
            }
        }
        self.sender.dismiss(mailbox, self.office.clock.now());
    }

    /// Waits for what is in flight.
    async fn finish(&mut self) {
        self.stop.cancel();
        let all = async { while self.lanes.next().await.is_some() {} };
        if tokio::time::timeout(FINISH_MAX, all).await.is_err() {
            warn!("stopped with a message in flight; the next start settles it");
        }
        if let Err(error) = self.begin_epoch(self.office.clock.now()).await {
            warn!("{error}");
        }
        if let Err(error) = self.office.store.dismiss_worker(&self.office.owner).await {
            warn!(%error, "others will take this daemon for one at work for a minute");
        }
        info!("stopped");
    }
}

/// Comes back when the watcher has ended though nobody stopped it. Where somebody did, the round that
/// is under way may take longer to end than the watcher does.
async fn broken(watching: &JoinHandle<Result<(), EngineError>>, stop: &CancellationToken) {
    while !watching.is_finished() || stop.is_cancelled() {
        tokio::time::sleep(LOOKS_AFTER).await;
    }
}

/// Reads inboxes beside the sending, so that a slow one holds nobody up, once each was looked at or
/// could not be. Ends by itself where the books prove to be an older copy.
async fn watch<O, I: Inbox + 'static>(
    office: Office,
    ways: Ways<O, I>,
    tell: watch::Sender<bool>,
    stop: CancellationToken,
) -> Result<(), EngineError> {
    let mut watcher = Watcher::new(office.clone(), ways);
    let begun_at = office.clock.now();
    while !stop.is_cancelled() {
        let now = office.clock.now();
        let wake = match watcher.tick(now).await {
            Ok(wake) => wake,
            Err(error @ EngineError::Store(StoreError::Outdated { .. })) => return Err(error),
            Err(error) => {
                warn!(%error, "not all that the inboxes hold was written down; it is tried again");
                now + TRY_AGAIN
            }
        };
        if !*tell.borrow() && (watcher.has_looked() || now - begun_at >= FIRST_LOOK_MAX) {
            let slow: Vec<i64> = watcher.not_looked_at().collect();
            if !slow.is_empty() {
                warn!(mailboxes = ?slow, "still being read; the others no longer wait for these");
            }
            tell.send_replace(true);
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = watcher.news() => {}
            () = office.clock.wait_until(wake) => {}
        }
    }
    Ok(())
}

/// Looks at the DNS of the sending domains, beside everything else. Ends at once where there is nobody
/// to ask, or nothing to ask about.
async fn examine(office: Office) {
    let Some(dns) = office.dns.clone() else { return };
    let mut examiner = Examiner::new(office.clone(), dns);
    loop {
        let now = office.clock.now();
        let wake = examiner.tick(now).await.unwrap_or_else(|error| {
            warn!(%error, "what the DNS says was not written down; it is tried again");
            now + MINUTE
        });
        office.clock.wait_until(wake).await;
    }
}

/// A clock may be corrected by this much without anybody minding.
const CLOCK_TOLERANCE: Millis = MINUTE;

/// How often a new epoch of the books begins, and others hear of this daemon: a copy of them made
/// longer ago than this, and restored, is found out.
const EPOCH: Millis = 20 * span::SECOND;

/// How long all mailboxes wait for one whose first reading does not end. Whoever cannot be read at all
/// holds up nobody either.
const FIRST_LOOK_MAX: Millis = 5 * MINUTE;

/// How long to wait when the database is full or locked.
const TRY_AGAIN: Millis = 2 * span::SECOND;

/// How often the daemon looks after its watcher.
const LOOKS_AFTER: Duration = Duration::from_secs(1);

/// How long a stop waits for what is in flight.
const FINISH_MAX: Duration = Duration::from_secs(30);
