//! The watcher: reads every mailbox's folders often enough that no follow-up leaves after a reply.
//!
//! Readings are errands of their own, a limited number side by side, so that a slow server holds up
//! its own mailbox only; what they bring is written down together. Connections are kept as long as
//! there are not too many, those first whose follow-up is near; where the server tells of news it is
//! read at once.

mod errand;

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
}

struct Watched<I> {
    reader: Reader<I>,
    read_at: Option<Millis>,
    /// The lease of a reading that goes on.
    lease: Option<ReadingLease>,
    /// Whether this process has looked at it, however lately somebody else had.
    is_known: bool,
    /// Whether something is known to have come.
    has_news: bool,
    /// After a failure nobody tries before that.
    not_before: Millis,
    /// Failures in a row.
    failures: u32,
    /// What was last told of why it cannot be read.
    told: Option<String>,
}

impl<O, I: Inbox + 'static> Watcher<O, I> {
    /// A watcher that has read nothing yet.
    #[must_use]
    pub fn new(office: Office, ways: Ways<O, I>) -> Self {
        let (mailboxes, errands) = (BTreeMap::new(), JoinSet::new());
        Self { office, ways, mailboxes, errands, reading: 0 }
    }

    /// Reads every mailbox that is due by `now`, and waits a little for the slow ones; says when to
    /// come back.
    pub async fn tick(&mut self, now: Millis) -> Result<Millis, EngineError> {
        self.look_for_new_mailboxes().await?;
        let day = self.office.day(now).to_string();
        let soon = now + FRESH_MS;
        let awaiting = self.office.store.mailboxes_awaiting_follow_ups(&day, soon).await?;
        let awaiting: BTreeSet<i64> = awaiting.into_iter().collect();
        let mut moment = now;
        loop {
            self.send_out(&awaiting, moment).await?;
            let back = self.gather().await;
            moment = self.office.clock.now().max(now);
            if back.is_empty() {
                break;
            }
            self.take_in(back, moment).await?;
        }
        settle_doubts(&self.office, moment).await?;
        if self.reading > 0 {
            return Ok(moment);
        }
        let retries = self.mailboxes.values().map(|one| one.not_before).filter(|at| *at > moment);
        Ok(retries.min().unwrap_or(Millis::MAX).min(moment + OFTEN))
    }

    /// Whether somebody is still reading.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.reading > 0
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
            let watched = self.mailboxes.entry(id).or_insert_with(|| Watched {
                reader: (ways.inbox)(config).map_or(Reader::Nobody, Reader::Here),
                read_at: None,
                lease: None,
                is_known: false,
                has_news: false,
                not_before: Millis::MIN,
                failures: 0,
                told: None,
            });
            // Another daemon may have read it.
            watched.read_at = watched.read_at.max(read_at);
        }
        Ok(())
    }

    /// Sends readers to the mailboxes that are due.
    async fn send_out(&mut self, awaiting: &BTreeSet<i64>, now: Millis) -> Result<(), EngineError> {
        let (mut leases, free) = self.due(awaiting, now);
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
            let most = if awaiting.contains(&lease.mailbox) { KEPT } else { KEPT_IN_QUIET };
            let bookmarks = bookmarks.remove(&lease.mailbox).unwrap_or_default();
            self.send(lease, bookmarks, kept < most, now);
        }
        Ok(())
    }

    /// The mailboxes that are due, as many as may be read beside those under way: those whose reading
    /// goes on, by its lease, then those that were not read for longest.
    fn due(&self, awaiting: &BTreeSet<i64>, now: Millis) -> (Vec<ReadingLease>, Vec<i64>) {
        let is_due = |(id, one): &(&i64, &Watched<I>)| {
            let is_near = one.reader.is_kept() || awaiting.contains(id);
            let every = if is_near { OFTEN } else { SELDOM };
            matches!(one.reader, Reader::Here(_))
                && one.not_before <= now
                && (!one.is_known
                    || one.lease.is_some()
                    || one.has_news
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
                inbox.close().await;
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
                let is_whole =
                    |one: &&RefusedArrival| one.mailbox == mailbox && one.place.is_none();
                if let Some(whole) = refused.iter().find(is_whole) {
                    let trouble = Some(whole.why.clone());
                    read = Ok(Reading { trouble, ..Reading::default() });
                }
                self.judge(lease, begun_at, &read, taken.contains(&mailbox), now);
                if recorded.is_err()
                    && let Some(watched) = self.mailboxes.get_mut(&mailbox)
                {
                    watched.lease = Some(lease);
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

    /// What a reading means for the next one.
    fn judge(
        &mut self,
        lease: ReadingLease,
        begun_at: Millis,
        read: &Result<Reading, Unreadable>,
        was_taken: bool,
        now: Millis,
    ) {
        let mailbox = lease.mailbox;
        let Some(watched) = self.mailboxes.get_mut(&mailbox) else { return };
        if !was_taken {
            watched.not_before = now + AGAIN;
            return;
        }
        watched.is_known = true;
        let trouble = match read {
            Ok(reading) => {
                for place in &reading.passed {
                    let (folder, uid) = (&place.folder, place.uid);
                    warn!(mailbox, folder, uid, "the server cannot show a message; it is passed");
                }
                reading.trouble.clone()
            }
            Err(unreadable) => Some(unreadable.to_string()),
        };
        let got_on = matches!(read, Ok(r) if !r.arrivals.is_empty() || !r.sent.is_empty());
        watched.failures = match &trouble {
            None => 0,
            Some(_) if got_on => 1,
            Some(_) => watched.failures.saturating_add(1),
        };
        watched.not_before = match read {
            _ if trouble.is_none() => Millis::MIN,
            Err(unreadable) if unreadable.needs_an_operator() => now + UNTIL_MENDED,
            _ => now + (AGAIN << (watched.failures - 1).min(DOUBLINGS)).min(OFTEN),
        };
        if trouble != watched.told {
            match &trouble {
                Some(trouble) => warn!(mailbox, trouble, "the mailbox cannot be read"),
                None => info!(mailbox, "the mailbox can be read again"),
            }
            watched.told = trouble;
        }
        let Ok(reading) = read else { return };
        if reading.is_whole {
            watched.read_at = watched.read_at.max(Some(begun_at));
        }
        watched.lease = reading.has_more.then_some(lease);
        if reading.is_whole && !reading.has_more && reading.trouble.is_none() {
            self.wait_for_news(mailbox);
        }
    }

    fn wait_for_news(&mut self, mailbox: i64) {
        let Some(watched) = self.mailboxes.get_mut(&mailbox) else { return };
        if !watched.reader.is_kept() {
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

/// How long the right to read lasts, from part to part of a reading: longer than any part takes.
const LEASE_TTL: Millis = 10 * MINUTE;

/// Failures are tried again after 30 seconds, 1 minute, 2 …, up to [`OFTEN`].
const AGAIN: Millis = 30 * SECOND;
const DOUBLINGS: u32 = 6;

/// A refused log-in is not repeated sooner: servers shut out whoever insists.
const UNTIL_MENDED: Millis = HOUR;
