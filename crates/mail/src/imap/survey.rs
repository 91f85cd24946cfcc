//! One reading: folder by folder, from the books' marks to the end, or until it is enough.

use std::collections::BTreeMap;

use warmfront_core::calendar;
use warmfront_core::inbound::classify;
use warmfront_core::reading::{Arrived, Bookmarks, Mark, Place, Reading, Role, SentCopy};
use warmfront_core::span::Millis;

use super::Open;
use super::copy::Copy;
use super::folders::Folder;
use super::message::{Fetched, What};
use super::session::{Opened, Session};
use crate::arrival;
use crate::inbox::Unreadable;

/// A reading under way.
pub(super) struct Survey<'a> {
    pub(super) bookmarks: &'a Bookmarks,
    pub(super) now: Millis,
    /// How many more messages may be read.
    pub(super) room: usize,
    pub(super) stumbles: &'a mut BTreeMap<Place, u32>,
    pub(super) is_careful: &'a mut bool,
    pub(super) reading: Reading,
}

impl Survey<'_> {
    /// Reads every folder. What a server refuses of one folder keeps from no other; a lost connection
    /// ends it all.
    pub(super) async fn read(&mut self, open: &mut Open) -> Result<(), Unreadable> {
        let Open { session, folders, inbox_next } = open;
        for folder in folders.iter() {
            match self.read_folder(session, folder).await {
                Ok(opened) if folder.role == Role::Inbox => *inbox_next = opened.uid_next,
                Ok(_) => {}
                Err(trouble @ Unreadable::Refused { .. }) => {
                    self.reading.is_whole &= folder.role == Role::Sent;
                    self.reading.trouble = Some(format!("{}: {trouble}", folder.name));
                }
                Err(trouble) => return Err(trouble),
            }
        }
        *self.is_careful = false;
        Ok(())
    }

    async fn read_folder(
        &mut self,
        session: &mut Session,
        folder: &Folder,
    ) -> Result<Opened, Unreadable> {
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
        if uids.len() > self.room {
            uids.truncate(self.room);
            self.reading.has_more = true;
            self.reading.is_whole &= folder.role == Role::Sent;
        }
        self.room -= uids.len();
        let before = match (mark, first) {
            (Some(_), _) => read_to,
            // What is older than the horizon is never asked for again.
            (None, Some(first)) => first - 1,
            (None, None) => last_of(session, &opened).await?,
        };
        self.advance(folder, life, before);
        for chunk in uids.chunks(FETCHED_AT_ONCE) {
            self.fetch(session, folder, life, chunk).await?;
        }
        Ok(opened)
    }

    /// The day from which a folder is read that was never read, or whose numbers are new.
    fn since(&self, folder: &Folder) -> String {
        let from = self.bookmarks.horizon(&folder.name, folder.role, self.now);
        format!("SINCE {}", calendar::timestamp(from).strftime("%d-%b-%Y"))
    }

    async fn fetch(
        &mut self,
        session: &mut Session,
        folder: &Folder,
        life: u32,
        uids: &[u32],
    ) -> Result<(), Unreadable> {
        if !*self.is_careful {
            match self.take(session, folder, life, uids, What::Whole).await {
                Ok(()) => {
                    self.advance(folder, life, uids.last().copied().unwrap_or_default());
                    return Ok(());
                }
                // One of them is to blame, or none: one by one it is seen which.
                Err(Unreadable::Refused { .. }) => *self.is_careful = true,
                Err(trouble) => {
                    *self.is_careful = true;
                    return Err(trouble);
                }
            }
        }
        for &uid in uids {
            self.fetch_one(session, folder, life, uid).await?;
            self.advance(folder, life, uid);
        }
        Ok(())
    }
    /// Reads one message; of one that the server cannot show as a whole, its header. Where it cannot
    /// be read at all the reading ends before it, and after a few of those it is passed.
    async fn fetch_one(
        &mut self,
        session: &mut Session,
        folder: &Folder,
        life: u32,
        uid: u32,
    ) -> Result<(), Unreadable> {
        let place = place(folder, life, uid);
        let stumbles = self.stumbles.get(&place).copied().unwrap_or_default();
        if stumbles >= STUMBLES_MAX {
            self.stumbles.remove(&place);
            self.reading.passed.push(place);
            return Ok(());
        }
        let mut taken = self.take(session, folder, life, &[uid], What::Whole).await;
        if matches!(taken, Err(Unreadable::Refused { .. })) {
            taken = self.take(session, folder, life, &[uid], What::Header).await;
        }
        match taken {
            Ok(()) => drop(self.stumbles.remove(&place)),
            Err(_) => drop(self.stumbles.insert(place, stumbles + 1)),
        }
        taken
    }

    async fn take(
        &mut self,
        session: &mut Session,
        folder: &Folder,
        life: u32,
        uids: &[u32],
        what: What,
    ) -> Result<(), Unreadable> {
        let (reading, now) = (&mut self.reading, self.now);
        session.fetch(uids, what, |fetched| note(reading, folder, life, &fetched, now)).await
    }

    fn advance(&mut self, folder: &Folder, life: u32, last_uid: u32) {
        self.reading.advance(Mark {
            folder: folder.name.clone(),
            role: folder.role,
            uidvalidity: life,
            last_uid,
            read_at: self.now,
        });
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

/// How often a reading may end at the same message. A connection may break there by chance.
const STUMBLES_MAX: u32 = 3;
