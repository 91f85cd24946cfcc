//! A mailbox of Dovecot, read part by part, its bookmarks kept as the books keep them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use warmfront_core::reading::{Bookmarks, Reading};
use warmfront_core::span::Millis;
use warmfront_mail::imap::Imap;
use warmfront_mail::inbox::{Inbox as _, Unreadable};
use warmfront_mail::server::Tls;
use warmfront_tests::dovecot::Dovecot;

/// The Dovecot that the tests of this process share; each has users of its own.
pub(crate) fn dovecot() -> Arc<Dovecot> {
    static SHARED: OnceLock<Arc<Dovecot>> = OnceLock::new();
    Arc::clone(SHARED.get_or_init(|| Arc::new(Dovecot::start())))
}

/// Somebody with a mailbox of his own, and whoever reads it.
pub(crate) struct Reader {
    pub(crate) dovecot: Arc<Dovecot>,
    pub(crate) user: String,
    pub(crate) inbox: Imap,
    pub(crate) bookmarks: Bookmarks,
}

impl Reader {
    pub(crate) fn new(dovecot: Arc<Dovecot>, tls: Tls) -> Self {
        static USERS: AtomicU32 = AtomicU32::new(0);
        let user = format!("user{}@one.example", USERS.fetch_add(1, Ordering::Relaxed));
        dovecot.admit(&user, PASSWORD);
        let inbox = Imap::new(dovecot.account(&user, PASSWORD, tls));
        Self { dovecot, user, inbox, bookmarks: Bookmarks::default() }
    }

    /// One part of a reading, remembered.
    pub(crate) async fn part(&mut self) -> Result<Reading, Unreadable> {
        self.part_at(now()).await
    }

    /// The same at another time.
    pub(crate) async fn part_at(&mut self, now: Millis) -> Result<Reading, Unreadable> {
        let reading = self.inbox.read(&self.bookmarks, now).await?;
        for mark in &reading.marks {
            self.bookmarks.marks.retain(|known| known.folder != mark.folder);
            self.bookmarks.marks.push(mark.clone());
        }
        Ok(reading)
    }

    /// A whole reading, part by part.
    pub(crate) async fn whole(&mut self) -> Reading {
        let mut whole = Reading::default();
        loop {
            let part = self.part().await.expect("a reading");
            assert_eq!(part.trouble, None);
            whole.arrivals.extend(part.arrivals);
            whole.sent.extend(part.sent);
            if !part.has_more {
                assert!(part.is_whole);
                return Reading { marks: part.marks, is_whole: true, ..whole };
            }
        }
    }
}

/// The names of the messages that a reading brought: each answers one of that name.
pub(crate) fn names(reading: &Reading) -> Vec<String> {
    let names = reading.arrivals.iter().map(|one| one.inbound.names.join(" "));
    names.map(|name| name.trim_matches(['<', '>']).replace("@ours.example", "")).collect()
}

/// A reply to our message `<name@ours.example>`.
pub(crate) fn reply(name: &str) -> String {
    format!(
        "From: Pat <{name}@people.example>\r\nTo: ann@one.example\r\n\
         Message-ID: <re.{name}@people.example>\r\nIn-Reply-To: <{name}@ours.example>\r\n\
         Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nSubject: Re: A question\r\n\r\nYes, do call.\r\n"
    )
}

/// The present moment, by the clock of the file system.
pub(crate) fn now() -> Millis {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let written = file.as_file().metadata().and_then(|file| file.modified()).expect("a moment");
    let since = written.duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before 292 million AD")
}

pub(crate) const PASSWORD: &str = "correct \"horse\" battery \\staple";
