//! One reading: folder by folder, from the books' marks to the end, or until it is enough.

use std::collections::{BTreeMap, BTreeSet};

use warmfront_core::calendar;
use warmfront_core::inbound::classify;
use warmfront_core::reading::{Arrived, Bookmarks, Mark, Place, Reading, Role, SentCopy};
use warmfront_core::span::{DAY, HOUR, Millis};

use super::Open;
use super::copy::Copy;
use super::folders::Folder;
use super::message::{Fetched, What};
use super::session::{Opened, Session};
use crate::arrival;
use crate::inbox::Unreadable;

/// Readings that failed over one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stumble {
    times: u32,
    since: Millis,
}

/// A reading under way.
pub(super) struct Survey<'a> {
    pub(super) bookmarks: &'a Bookmarks,
    pub(super) now: Millis,
    /// How many more messages may be read.
    pub(super) room: usize,
    pub(super) stumbles: &'a mut BTreeMap<Place, Stumble>,
    pub(super) is_careful: &'a mut bool,
    pub(super) reading: Reading,
}

impl Survey<'_> {
    /// Reads every folder. What a server refuses of one folder keeps from no other; a lost connection
    /// ends it all, so whoever broke a reading before is asked for when all else is read.
    pub(super) async fn read(&mut self, open: &mut Open) -> Result<(), Unreadable> {
        let Open { session, folders, inbox_next } = open;
        let mut unfinished = Vec::new();
        for folder in folders.iter() {
            match self.read_folder(session, folder).await {
                Ok((opened, visit)) => {
                    if folder.role == Role::Inbox {
                        *inbox_next = opened.uid_next;
                    }
                    if visit.unshown.is_empty() {
                        self.close(&visit);
                    } else {
                        unfinished.push(visit);
                    }
                }
                Err(trouble) => self.refused(folder, trouble)?,
            }
        }
        for mut visit in unfinished {
            let ended = self.read_broken(session, &mut visit).await;
            ended.or_else(|trouble| self.refused(visit.folder, trouble))?;
            self.close(&visit);
        }
        *self.is_careful = false;
        Ok(())
    }

    /// Notes what a server refuses of one folder; hands on what ends the reading.
    fn refused(&mut self, folder: &Folder, trouble: Unreadable) -> Result<(), Unreadable> {
        if !matches!(trouble, Unreadable::Refused { .. }) {
            return Err(trouble);
        }
        self.reading.is_whole &= folder.role == Role::Sent;
        self.reading.trouble = Some(format!("{}: {trouble}", folder.name));
        Ok(())
    }

    /// Says whether a folder is read to its end.
    fn close(&mut self, visit: &Visit<'_>) {
        let is_read = !visit.is_crowded && visit.unshown.is_empty();
        let unshown = visit.unshown.iter().map(|uid| place(visit.folder, visit.life, *uid));
        self.reading.unshown.extend(unshown);
        // The rest is read at once, unless it would be the same again.
        self.reading.has_more |= visit.is_crowded && visit.unshown.is_empty();
        self.reading.is_whole &= is_read || visit.folder.role == Role::Sent;
        let mark = self.reading.marks.iter_mut().find(|mark| mark.folder == visit.folder.name);
        if is_read && let Some(mark) = mark {
            mark.read_at = self.now;
        }
    }

    /// Reads what broke earlier readings, and this one.
    async fn read_broken(
        &mut self,
        session: &mut Session,
        visit: &mut Visit<'_>,
    ) -> Result<(), Unreadable> {
        if session.examine(visit.folder).await?.uidvalidity != visit.life {
            return Ok(());
        }
        for uid in visit.broken.clone() {
            self.fetch_one(session, visit, uid).await?;
        }
        self.go_on(visit, visit.last_uid);
        Ok(())
    }

    async fn read_folder<'f>(
        &mut self,
        session: &mut Session,
        folder: &'f Folder,
    ) -> Result<(Opened, Visit<'f>), Unreadable> {
        let opened = session.examine(folder).await?;
        let life = opened.uidvalidity;
        let mark = self.bookmarks.mark(&folder.name).filter(|mark| mark.uidvalidity == life);
        let read_to = mark.map_or(0, |mark| mark.last_uid);
        let mut uids = match mark {
            // Nothing is older than the next number: the server need not be asked.
            Some(_) if opened.uid_next.is_some_and(|next| next <= read_to.saturating_add(1)) => {
                Vec::new()
            }
            Some(_) => session.search(&format!("UID {}:*", read_to.saturating_add(1))).await?,
            None => session.search(&self.since(folder)).await?,
        };
        // `*` is the last message there is, however low its number.
        uids.retain(|uid| *uid > read_to);
        let first = uids.first().copied();
        let before = match (mark, first) {
            (Some(_), _) => read_to,
            // What is older than the horizon is never asked for again.
            (None, Some(first)) => first - 1,
            (None, None) => last_of(session, &opened).await?,
        };
        self.advance(folder, life, before);
        // Who answered matters more than what we wrote, whatever keeps the reader at that; unless the
        // books may not have what was answered: then nothing is read before that.
        let has_all = self.bookmarks.unknown_since.is_none();
        let most = if folder.role == Role::Sent && has_all { self.room / 2 } else { self.room };
        let is_crowded = uids.len() > most;
        uids.truncate(most);
        self.room -= uids.len();
        let last_uid = uids.last().copied().unwrap_or(before);
        let has_stumbled = |uid: &u32| self.has_stumbled(folder, life, *uid);
        let broken: BTreeSet<u32> = uids.iter().copied().filter(has_stumbled).collect();
        uids.retain(|uid| !broken.contains(uid));
        let unshown = broken.clone();
        let mut visit =
            Visit { folder, life, last_uid, is_crowded, broken, unshown, has_shown: false };
        for chunk in uids.chunks(FETCHED_AT_ONCE) {
            self.fetch(session, &mut visit, chunk).await?;
        }
        Ok((opened, visit))
    }

    fn has_stumbled(&self, folder: &Folder, life: u32, uid: u32) -> bool {
        self.stumbles.contains_key(&place(folder, life, uid))
    }

    /// The day from which a folder is read that was never read, or whose numbers are new.
    fn since(&self, folder: &Folder) -> String {
        let from = self.bookmarks.horizon(&folder.name, folder.role, self.now);
        format!("SINCE {}", calendar::timestamp(from).strftime("%d-%b-%Y"))
    }

    async fn fetch(
        &mut self,
        session: &mut Session,
        visit: &mut Visit<'_>,
        uids: &[u32],
    ) -> Result<(), Unreadable> {
        let mut rest: BTreeSet<u32> = uids.iter().copied().collect();
        // Whatever ends this, the next time they are fetched one by one: then it is seen who is to
        // blame.
        if !std::mem::replace(self.is_careful, true) {
            match self.take(session, visit, uids, What::Whole).await {
                Ok(shown) => {
                    *self.is_careful = false;
                    rest.retain(|uid| !shown.contains(uid));
                }
                Err(Unreadable::Refused { .. }) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        for uid in rest {
            self.fetch_one(session, visit, uid).await?;
        }
        self.go_on(visit, uids.last().copied().unwrap_or_default());
        Ok(())
    }

    /// Reads one message; of one that the server cannot show as a whole, its header. What cannot be
    /// read is tried again by later readings, and the mark stays before it until it is passed.
    async fn fetch_one(
        &mut self,
        session: &mut Session,
        visit: &mut Visit<'_>,
        uid: u32,
    ) -> Result<(), Unreadable> {
        let place = place(visit.folder, visit.life, uid);
        let before = self.stumbles.get(&place).copied();
        let stumble = before.unwrap_or(Stumble { times: 0, since: self.now });
        let is_given_up = before.is_some() && self.bookmarks.given_up.contains(&place);
        if is_given_up || stumble.is_hopeless(visit.has_shown, self.now) {
            self.stumbles.remove(&place);
            visit.unshown.remove(&uid);
            self.reading.passed.push(place);
            self.go_on(visit, uid);
            return Ok(());
        }
        // Noted beforehand: it may be the connection that it breaks, or its reader.
        self.stumbles.insert(place.clone(), Stumble { times: stumble.times + 1, ..stumble });
        visit.unshown.insert(uid);
        let trouble = match self.show(session, visit, uid).await {
            Ok(()) => {
                self.stumbles.remove(&place);
                visit.unshown.remove(&uid);
                self.go_on(visit, uid);
                return Ok(());
            }
            Err(trouble @ Unreadable::Refused { .. }) => trouble,
            Err(trouble) => {
                self.reading.unshown.push(place);
                return Err(trouble);
            }
        };
        if !visit.has_shown && visit.unshown.len() >= UNSHOWN_MAX {
            return Err(trouble);
        }
        self.reading.trouble = Some(format!("{}: message {uid}: {trouble}", visit.folder.name));
        Ok(())
    }

    /// Reads one message, whole or its header, unless it is gone.
    async fn show(
        &mut self,
        session: &mut Session,
        visit: &mut Visit<'_>,
        uid: u32,
    ) -> Result<(), Unreadable> {
        let mut refused = None;
        for what in [What::Whole, What::Header] {
            match self.take(session, visit, &[uid], what).await {
                Ok(shown) if !shown.is_empty() => return Ok(()),
                // Somebody may have deleted it meanwhile.
                Ok(_) if session.search(&format!("UID {uid}")).await?.is_empty() => return Ok(()),
                Ok(_) => {}
                Err(trouble @ Unreadable::Refused { .. }) => refused = Some(trouble),
                Err(trouble) => return Err(trouble),
            }
        }
        let said = "it shows nothing of a message that is there".to_owned();
        Err(refused.unwrap_or(Unreadable::Refused { what: "UID FETCH".to_owned(), said }))
    }

    /// Fetches messages; says which were shown. A server that says OK may have left some out.
    async fn take(
        &mut self,
        session: &mut Session,
        visit: &mut Visit<'_>,
        uids: &[u32],
        what: What,
    ) -> Result<BTreeSet<u32>, Unreadable> {
        let (reading, now) = (&mut self.reading, self.now);
        let mut shown = BTreeSet::new();
        let each = |fetched: Fetched<'_>| {
            shown.insert(fetched.uid);
            note(reading, visit.folder, visit.life, &fetched, now);
        };
        session.fetch(uids, what, each).await?;
        visit.has_shown |= !shown.is_empty();
        Ok(shown)
    }

    /// Moves the mark to a number, but not past one that was not shown yet.
    fn go_on(&mut self, visit: &Visit<'_>, uid: u32) {
        let to = visit.unshown.first().map_or(uid, |unshown| uid.min(unshown - 1));
        let known = self.reading.marks.iter().find(|mark| mark.folder == visit.folder.name);
        if known.is_none_or(|mark| mark.last_uid < to) {
            self.advance(visit.folder, visit.life, to);
        }
    }

    /// The moment of the last whole reading stays until this one is: should the numbers be given anew
    /// meanwhile, it is from there that the folder is read again.
    fn advance(&mut self, folder: &Folder, life: u32, last_uid: u32) {
        let read_at = self.bookmarks.mark(&folder.name).map_or(self.now, |mark| mark.read_at);
        self.reading.advance(Mark {
            folder: folder.name.clone(),
            role: folder.role,
            uidvalidity: life,
            last_uid,
            read_at,
        });
    }
}

/// One folder of a reading.
struct Visit<'a> {
    folder: &'a Folder,
    /// Its UIDVALIDITY.
    life: u32,
    /// The last message to be read.
    last_uid: u32,
    /// Whether there are more behind it.
    is_crowded: bool,
    /// The messages that broke earlier readings: asked for when all else is read.
    broken: BTreeSet<u32>,
    /// All that the server has not shown yet, though it was asked.
    unshown: BTreeSet<u32>,
    /// Whether it has shown any.
    has_shown: bool,
}

impl Stumble {
    /// Whether a message is given up. While a server shows nothing at all, it is the server.
    fn is_hopeless(self, shows_others: bool, now: Millis) -> bool {
        let since = now - self.since;
        self.times >= STUMBLES_MIN
            && (since >= GIVEN_UP_AFTER || shows_others && since >= PASSED_AFTER)
    }
}

fn note(reading: &mut Reading, folder: &Folder, life: u32, fetched: &Fetched<'_>, now: Millis) {
    let received_at = fetched.received_at.unwrap_or(now);
    let place = place(folder, life, fetched.uid);
    if folder.role == Role::Sent {
        let Copy { key, ids, token, subject, to } = Copy::read(fetched.octets);
        let sent_at = received_at;
        reading.sent.push(SentCopy { place, key, ids, token, subject, sent_at, to });
    } else {
        let inbound = classify(&arrival::read(fetched.octets, received_at));
        reading.arrivals.push(Arrived { place: Some(place), inbound });
    }
}

fn place(folder: &Folder, uidvalidity: u32, uid: u32) -> Place {
    Place { folder: folder.name.clone(), uidvalidity, uid }
}

/// The number of the last message there is.
async fn last_of(session: &mut Session, opened: &Opened) -> Result<u32, Unreadable> {
    match opened.uid_next {
        Some(next) => Ok(next.saturating_sub(1)),
        None => Ok(session.search("UID *").await?.last().copied().unwrap_or_default()),
    }
}

/// Messages of one FETCH: few enough that one which breaks it costs little.
const FETCHED_AT_ONCE: usize = 25;

/// Of a folder of which a server shows nothing, no more messages than this are tried.
const UNSHOWN_MAX: usize = 3;

/// How often a message is asked for at least before it is passed. A connection that breaks at one may
/// have broken for any reason: of a thousand replies behind a server that cut every connection, three
/// such chances were enough for two. An hour of trying has many more than eight.
const STUMBLES_MIN: u32 = 8;

/// How long it is asked for while the server shows others of its folder; a storage that is mended
/// within the hour loses nothing.
const PASSED_AFTER: Millis = HOUR;

/// How long where it shows no other.
const GIVEN_UP_AFTER: Millis = DAY;
