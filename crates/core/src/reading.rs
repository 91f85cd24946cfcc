//! What one reading of a mailbox's folders shows: what came in, what went out, and how far it got.
//!
//! Nothing here talks to a server and nothing here writes: a reading is handed from the one who
//! reads to the books, which take it whole, marks and all.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::inbound::Inbound;
use crate::span::{DAY, Millis};

/// What a folder is for, whatever people call it (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Where mail comes in.
    Inbox,
    /// Where the server puts what it thinks is spam: replies and bounces land there too.
    Junk,
    /// Copies of what the mailbox has sent.
    Sent,
}

impl Role {
    /// The role as it is written in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Junk => "junk",
            Self::Sent => "sent",
        }
    }
}

/// How far a folder was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The folder's name, as the server writes it.
    pub folder: String,
    /// What the folder is for.
    pub role: Role,
    /// Which life of the folder the numbers are of (RFC 3501, section 2.3.1.1).
    pub uidvalidity: u32,
    /// Every message up to this number was seen, or is none of our business.
    pub last_uid: u32,
    /// When.
    pub read_at: Millis,
}

/// Where a message lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The folder's name.
    pub folder: String,
    /// Which life of the folder.
    pub uidvalidity: u32,
    /// The message's number there.
    pub uid: u32,
}

/// What the books know before a reading: it goes on from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bookmarks {
    /// How far each folder was read.
    pub marks: Vec<Mark>,
    /// The oldest message whose fate is in doubt: its copy may lie in Sent.
    pub in_doubt_since: Option<Millis>,
    /// Since when the books may lack what happened, where they are an older copy.
    pub unknown_since: Option<Millis>,
    /// What the reader will wait for no longer: of these whatever the server has not shown is passed.
    pub given_up: BTreeSet<Place>,
}

/// Something that came in, and where it lies; a pretended world has no places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Where it lies.
    pub place: Option<Place>,
    /// What it is.
    pub inbound: Inbound,
}

/// A message in the Sent folder: one of ours, or one that a person wrote by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCopy {
    /// Where it lies.
    pub place: Place,
    /// What tells it from any other of the mailbox, for ever.
    pub key: String,
    /// Its Message-ID, and those it bore before a provider gave it another.
    pub ids: Vec<String>,
    /// The token of its opt-out link, where it has one.
    pub token: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// When it went out.
    pub sent_at: Millis,
    /// Whom it went to.
    pub to: Vec<Address>,
}

/// One reading, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What came in.
    pub arrivals: Vec<Arrived>,
    /// What went out.
    pub sent: Vec<SentCopy>,
    /// How far the folders are read with this, one a folder.
    pub marks: Vec<Mark>,
    /// What the server could not show, however often it was asked.
    pub passed: Vec<Place>,
    /// What it did not show this time; a later reading asks for it again.
    pub unshown: Vec<Place>,
    /// Whether every folder in which mail comes in is read to its end.
    pub is_whole: bool,
    /// Whether there is more to be read at once.
    pub has_more: bool,
    /// What could not be read, and why.
    pub trouble: Option<String>,
}

impl Reading {
    /// Whether it shows no message, nor how far a folder is read.
    #[must_use]
    pub fn brings_nothing(&self) -> bool {
        self.arrivals.is_empty() && self.sent.is_empty() && self.marks.is_empty()
    }
}

impl Bookmarks {
    /// How far a folder was read.
    #[must_use]
    pub fn mark(&self, folder: &str) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.folder == folder)
    }

    /// From when on the messages of a folder concern us, if it is read for the first time, or anew
    /// because its numbers were given anew. What was read before is known again by its key.
    #[must_use]
    pub fn horizon(&self, folder: &str, role: Role, now: Millis) -> Millis {
        let first = match role {
            Role::Inbox | Role::Junk => now - FIRST_LOOK_BACK,
            Role::Sent => (now - SENT_LOOK_BACK).min(self.in_doubt_since.unwrap_or(now)),
        };
        let read_at = self.mark(folder).map_or(now, |mark| mark.read_at);
        let unknown = self.unknown_since.unwrap_or(now);
        // Servers search by civil days of their own zone, and their clocks differ from ours.
        first.min(read_at).min(unknown) - DAY
    }
}

impl SentCopy {
    /// What it bears that an id of ours may stand in: the left parts of its ids, and its token.
    pub fn send_ids(&self) -> impl Iterator<Item = &str> {
        let bare = self.ids.iter().filter_map(|id| id.strip_prefix('<'));
        bare.filter_map(|id| Some(id.split_once('@')?.0)).chain(self.token.as_deref())
    }
}

impl Reading {
    /// Notes how far a folder is read.
    pub fn advance(&mut self, mark: Mark) {
        match self.marks.iter_mut().find(|known| known.folder == mark.folder) {
            Some(known) => *known = mark,
            None => self.marks.push(mark),
        }
    }
}

/// How far back a mailbox is read the first time: answers to what was sent before Warmfront read it,
/// and not years of old mail.
pub const FIRST_LOOK_BACK: Millis = 14 * DAY;

/// The same for Sent: what counts today, and a night's doubt.
const SENT_LOOK_BACK: Millis = DAY;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 100 * DAY;

    fn mark(folder: &str, read_at: Millis) -> Mark {
        Mark { folder: folder.to_owned(), role: Role::Inbox, uidvalidity: 1, last_uid: 5, read_at }
    }

    #[test]
    fn a_folder_is_read_anew_from_where_nothing_can_be_missed() {
        #[track_caller]
        fn check(bookmarks: &Bookmarks, role: Role, want: Millis) {
            assert_eq!(bookmarks.horizon("INBOX", role, NOW) / DAY, want);
        }
        let never = Bookmarks::default();
        check(&never, Role::Inbox, 85);
        check(&never, Role::Junk, 85);
        check(&never, Role::Sent, 98);
        let doubt = Bookmarks { in_doubt_since: Some(NOW - 9 * DAY), ..Bookmarks::default() };
        check(&doubt, Role::Sent, 90);
        check(&doubt, Role::Inbox, 85);
        let lately = Bookmarks { marks: vec![mark("INBOX", NOW - DAY)], ..never.clone() };
        check(&lately, Role::Inbox, 85);
        let long_ago = Bookmarks { marks: vec![mark("INBOX", NOW - 60 * DAY)], ..never.clone() };
        check(&long_ago, Role::Inbox, 39);
        let another = Bookmarks { marks: vec![mark("Junk", NOW - 60 * DAY)], ..never.clone() };
        check(&another, Role::Inbox, 85);
        let restored = Bookmarks { unknown_since: Some(NOW - 30 * DAY), ..never };
        check(&restored, Role::Inbox, 69);
        check(&restored, Role::Sent, 69);
    }

    #[test]
    fn a_reading_has_one_mark_a_folder() {
        let mut reading = Reading::default();
        reading.advance(mark("INBOX", 1));
        reading.advance(mark("Junk", 1));
        reading.advance(mark("INBOX", 2));
        assert_eq!(reading.marks, [mark("INBOX", 2), mark("Junk", 1)]);
    }
}
