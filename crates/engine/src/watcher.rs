//! The watcher: reads every mailbox's folders often enough that no follow-up leaves after a reply.
//!
//! Readings are errands of their own, a limited number side by side, so that a slow server holds up
//! its own mailbox only; what they bring is written down together. Connections are kept as long as
//! there are not too many, those first whose follow-up is near; where the server tells of news it is
//! read at once.

mod errand;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::{JoinError, JoinSet};
use tracing::{info, warn};
use warmfront_core::calendar;
use warmfront_core::reading::{Bookmarks, Place, Reading};
use warmfront_core::span::{HOUR, MINUTE, Millis, SECOND};
use warmfront_mail::inbox::{Inbox, Unreadable};
use warmfront_store::{Consequence, FRESH_MS, Read, ReadingLease, Recorded, RefusedArrival, Today};

use self::errand::{Back, Brought, Reader};
use self::watched::{AGAIN, Watched};
use crate::EngineError;
use crate::clock::Clock;
use crate::doubts::settle_doubts;
use crate::office::{Office, Ways};

/// The watcher of one process.
pub struct Watcher<O, I> {
    office: Office,
    ways: Ways<O, I>,
    mailboxes: BTreeMap<i64, Watched<I>>,
    errands: JoinSet<Back<I>>,
    /// How many errands are readings; the others wait for news.
    reading: usize,
    /// Whose follow-ups are near, and when the books were asked that.
    awaiting: BTreeSet<i64>,
    asked_at: Millis,
    has_looked: bool,
    /// The doubts of which was told that they cannot be settled.
    told: BTreeSet<i64>,
}

impl<O, I: Inbox + 'static> Watcher<O, I> {
    /// A watcher that has read nothing yet.
    #[must_use]
    pub fn new(office: Office, ways: Ways<O, I>) -> Self {
        Self {
            office,
            ways,
            mailboxes: BTreeMap::new(),
            errands: JoinSet::new(),
            reading: 0,
            awaiting: BTreeSet::new(),
            asked_at: Millis::MIN,
            has_looked: false,
            told: BTreeSet::new(),
        }
    }

    /// Reads every mailbox that is due by `now`, and waits a little for the slow ones; says when to
    /// come back.
    pub async fn tick(&mut self, now: Millis) -> Result<Millis, EngineError> {
        // Between news and slow readings the books are not asked the same over and over.
        let is_busy = self.is_reading() || self.mailboxes.values().any(|one| one.has_news);
        if !is_busy || now.saturating_sub(self.asked_at) >= ASKED_ANEW_AFTER {
            self.ask_the_books(now).await?;
        }
        let (mut moment, mut has_taken_in) = (now, false);
        while moment - now < ROUND_MAX {
            self.send_out(moment).await?;
            let back = self.gather().await;
            moment = self.office.clock.now().max(now);
            if back.is_empty() {
                break;
            }
            self.take_in(back, moment).await?;
            has_taken_in = true;
        }
        self.has_looked |= !self.is_reading();
        if has_taken_in || self.asked_at == now {
            settle_doubts(&self.office, &mut self.told, moment).await?;
        }
        if self.is_reading() {
            return Ok(moment);
        }
        let retries = self.mailboxes.values().map(|one| one.not_before).filter(|at| *at > moment);
        Ok(retries.min().unwrap_or(Millis::MAX).min(moment + OFTEN))
    }

    /// Whether somebody is still reading, or goes on at once.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        let now = self.office.clock.now();
        let goes_on = |one: &Watched<I>| one.lease.is_some() && one.not_before <= now;
        self.reading > 0 || self.mailboxes.values().any(goes_on)
    }

    /// Whether every mailbox was read once, or could not be.
    #[must_use]
    pub(crate) fn has_looked(&self) -> bool {
        self.has_looked
    }

    /// The mailboxes that are being read for the first time.
    pub(crate) fn not_looked_at(&self) -> impl Iterator<Item = i64> {
        let is_new = |one: &Watched<I>| !one.is_known && matches!(one.reader, Reader::Away);
        self.mailboxes.iter().filter(move |(_, one)| is_new(one)).map(|(id, _)| *id)
    }

    async fn ask_the_books(&mut self, now: Millis) -> Result<(), EngineError> {
        self.look_for_new_mailboxes().await?;
        let day = self.office.day(now).to_string();
        let soon = now + FRESH_MS;
        let awaiting = self.office.store.mailboxes_awaiting_follow_ups(&day, soon).await?;
        self.awaiting = awaiting.into_iter().collect();
        self.asked_at = now;
        Ok(())
    }

    /// Comes back when some mailbox has news; never, where nobody waits for any.
    pub async fn news(&mut self) {
        // What a reading brings is for a tick to take in.
        while self.reading == 0
            && let Some(ended) = self.errands.join_next().await
        {
            if let Some(back) = self.returned(ended)
                && self.put_back(back.mailbox, back.inbox, &back.with)
            {
                return;
            }
        }
        std::future::pending().await
    }

    async fn look_for_new_mailboxes(&mut self) -> Result<(), EngineError> {
        for (id, address, read_at) in self.office.store.inboxes().await? {
            let Some(config) = self.office.fleet.mailboxes.get(address.as_str()) else {
                continue;
            };
            let ways = &self.ways;
            let watched = self.mailboxes.entry(id).or_insert_with(|| {
                Watched::new((ways.inbox)(config).map_or(Reader::Nobody, Reader::Here))
            });
            // Another daemon may have read it.
            watched.read_at = watched.read_at.max(read_at);
        }
        Ok(())
    }

    /// Sends readers to the mailboxes that are due.
    async fn send_out(&mut self, now: Millis) -> Result<(), EngineError> {
        let (mut leases, free) = self.due(now);
        let Office { store, owner, .. } = &self.office;
        if !free.is_empty() {
            let got = store.lease_readings(&free, owner, now, LEASE_TTL).await?;
            for id in free.iter().filter(|id| got.iter().all(|lease| lease.mailbox != **id)) {
                // Somebody else reads it, and the books will say so.
                if let Some(watched) = self.mailboxes.get_mut(id) {
                    watched.not_before = now + AGAIN;
                }
            }
            leases.extend(got);
        }
        if leases.is_empty() {
            return Ok(());
        }
        let mailboxes: Vec<i64> = leases.iter().map(|lease| lease.mailbox).collect();
        let mut bookmarks = store.bookmarks(&mailboxes).await?;
        let kept = self.mailboxes.values().filter(|one| one.reader.is_kept()).count()
            + self.errands.len().saturating_sub(self.reading);
        for (kept, lease) in (kept..).zip(leases) {
            let most = if self.awaiting.contains(&lease.mailbox) { KEPT } else { KEPT_IN_QUIET };
            let bookmarks = bookmarks.remove(&lease.mailbox).unwrap_or_default();
            self.send(lease, bookmarks, kept < most, now);
        }
        Ok(())
    }

    /// The mailboxes that are due, as many as may be read beside those under way: those whose reading
    /// goes on, by its lease, then those that were not read for longest.
    fn due(&self, now: Millis) -> (Vec<ReadingLease>, Vec<i64>) {
        let is_due = |(id, one): &(&i64, &Watched<I>)| {
            let is_near = one.reader.is_kept() || self.awaiting.contains(id);
            let every = if is_near { OFTEN } else { SELDOM };
            matches!(one.reader, Reader::Here(_))
                && one.not_before <= now
                && (!one.is_known
                    || one.lease.is_some()
                    || one.has_news
                    // When one that failed is tried again it says itself.
                    || one.has_failed()
                    || one.read_at.is_none_or(|at| now - at >= every))
        };
        let mut due: Vec<_> = self.mailboxes.iter().filter(is_due).collect();
        due.sort_by_key(|(id, one)| (one.lease.is_none(), one.read_at, **id));
        due.truncate(READERS.saturating_sub(self.reading));
        let leases = due.iter().filter_map(|(_, one)| one.lease).collect();
        let free = due.iter().filter(|(_, one)| one.lease.is_none()).map(|(id, _)| **id);
        (leases, free.collect())
    }

    fn send(&mut self, lease: ReadingLease, bookmarks: Bookmarks, lingers: bool, now: Millis) {
        let Some(watched) = self.mailboxes.get_mut(&lease.mailbox) else { return };
        let Reader::Here(mut inbox) = std::mem::replace(&mut watched.reader, Reader::Away) else {
            return;
        };
        (watched.has_news, watched.lease) = (false, None);
        self.reading += 1;
        self.errands.spawn(async move {
            let read = AssertUnwindSafe(inbox.read(&bookmarks, now)).catch_unwind().await;
            let read =
                read.unwrap_or_else(|_| Err(Unreadable::Lost("its reader broke".to_owned())));
            let stays = read.as_ref().is_ok_and(|reading| {
                reading.trouble.is_none() && (reading.has_more || lingers && reading.is_whole)
            });
            if !stays {
                // Whatever it does to us: an errand that does not come back is waited for for ever.
                let _ = AssertUnwindSafe(inbox.close()).catch_unwind().await;
            }
            let with = Brought::Reading { lease, begun_at: now, read };
            Back { mailbox: lease.mailbox, inbox, with }
        });
    }

    /// Whoever is back by now, or within a little while if readings are under way.
    async fn gather(&mut self) -> Vec<Back<I>> {
        let mut back = Vec::new();
        // By a clock that stands still nobody is late, however slow the machine.
        let patience = match self.office.clock {
            Clock::Wall => PATIENCE,
            Clock::Simulated(_) => Duration::MAX,
        };
        let waiting = async {
            while self.reading > 0
                && let Some(ended) = self.errands.join_next().await
            {
                back.extend(self.returned(ended));
            }
        };
        // Whoever is late is taken in by a later tick.
        let _ = tokio::time::timeout(patience, waiting).await;
        while let Some(ended) = self.errands.try_join_next() {
            back.extend(self.returned(ended));
        }
        back.sort_by_key(|back| back.mailbox);
        back
    }

    fn returned(&mut self, ended: Result<Back<I>, JoinError>) -> Option<Back<I>> {
        let back = ended.ok()?;
        self.reading -= usize::from(matches!(back.with, Brought::Reading { .. }));
        Some(back)
    }

    /// Writes down what was brought, and lets everybody rest, go on, or wait for news.
    async fn take_in(&mut self, back: Vec<Back<I>>, now: Millis) -> Result<(), EngineError> {
        let reads: Vec<Read> = back.iter().filter_map(Back::read).collect();
        let day = self.office.day(now);
        let since = calendar::day_span(&self.office.fleet.timezone, day).start();
        let today = Today { day: day.to_string(), since };
        let recorded = match reads.is_empty() {
            true => Ok(Recorded::default()),
            false => self.office.store.record_readings(&reads, &today, now, LEASE_TTL).await,
        };
        // Where nothing was written, everything is read again.
        let nothing = Recorded::default();
        let Recorded { taken, led_to, refused, .. } = recorded.as_ref().unwrap_or(&nothing);
        tell_refused(refused);
        for Back { mailbox, inbox, with } in back {
            self.put_back(mailbox, inbox, &with);
            if let Brought::Reading { lease, begun_at, mut read } = with {
                let Some(watched) = self.mailboxes.get_mut(&mailbox) else { continue };
                let is_whole =
                    |one: &&RefusedArrival| one.mailbox == mailbox && one.place.is_none();
                if let Some(whole) = refused.iter().find(is_whole) {
                    let trouble = Some(whole.why.clone());
                    read = Ok(Reading { trouble, ..Reading::default() });
                }
                match taken.contains(&mailbox) {
                    true => watched.judge(lease, begun_at, &read, now),
                    // Should it be the books that failed, its lease goes on.
                    false => watched.rest(recorded.is_err().then_some(lease), now),
                }
                if watched.may_wait_for_news(&read) {
                    self.wait_for_news(mailbox);
                }
            }
        }
        let ended = led_to.iter().filter(|one| **one == Consequence::Ended).count();
        if ended > 0 {
            info!(inboxes = reads.len(), arrived = led_to.len(), ended, "inboxes read");
        }
        recorded?;
        Ok(())
    }

    /// Puts an inbox back in its place; says whether there is news for it.
    fn put_back(&mut self, mailbox: i64, inbox: I, with: &Brought) -> bool {
        let Some(watched) = self.mailboxes.get_mut(&mailbox) else { return false };
        watched.reader = Reader::Here(inbox);
        watched.has_news = matches!(with, Brought::News(true));
        watched.has_news
    }

    fn wait_for_news(&mut self, mailbox: i64) {
        let Some(watched) = self.mailboxes.get_mut(&mailbox) else { return };
        // By a clock that stands still no news would ever come.
        let is_simulated = matches!(self.office.clock, Clock::Simulated(_));
        if is_simulated || !watched.reader.is_kept() {
            return;
        }
        let Reader::Here(mut inbox) = std::mem::replace(&mut watched.reader, Reader::Away) else {
            return;
        };
        self.errands.spawn(async move {
            let within = Duration::from_millis(OFTEN.unsigned_abs());
            let news = AssertUnwindSafe(inbox.news(within)).catch_unwind().await;
            let with = Brought::News(news.unwrap_or_default());
            Back { mailbox, inbox, with }
        });
    }
}

/// Tells what was passed. Of a whole reading nothing is: that is what keeps the mailbox from being read.
pub(crate) fn tell_refused(refused: &[RefusedArrival]) {
    for RefusedArrival { mailbox, place, why } in refused {
        let Some(Place { folder, uid, .. }) = place else { continue };
        warn!(mailbox, folder, uid, why, "the books refuse what was read; it is passed");
    }
}

impl<O, I> fmt::Debug for Watcher<O, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watcher({} mailboxes)", self.mailboxes.len())
    }
}

/// How often a mailbox is read while a follow-up of it is near, or over a connection that is kept:
/// well within the quarter of an hour after which a reading proves nothing.
const OFTEN: Millis = 10 * MINUTE;

/// How often it is read otherwise.
const SELDOM: Millis = HOUR;

/// The most mailboxes that are read side by side: each is a connection and some megabytes.
const READERS: usize = 64;

/// The most connections that are kept.
const KEPT: usize = 256;

/// The most that are kept for mailboxes without a follow-up near: the rest is for those with one.
const KEPT_IN_QUIET: usize = 128;

/// How long a tick waits for readings under way. Long enough to write many down together.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a tick goes on taking in, where there is always more.
const ROUND_MAX: Millis = 20 * SECOND;

/// How soon the books are asked again whose follow-ups are near, while readings are under way.
const ASKED_ANEW_AFTER: Millis = 10 * SECOND;

/// How long the right to read lasts, from part to part of a reading: longer than any part takes.
const LEASE_TTL: Millis = 10 * MINUTE;
