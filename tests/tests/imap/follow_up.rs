//! Follow-ups of mailboxes that are really read: they leave, but to nobody who answered, and not
//! while the inbox cannot be read.

use std::sync::Arc;
use std::time::Duration;

use warmfront_core::reading::{Bookmarks, Reading};
use warmfront_core::span::{HOUR, MINUTE, Millis};
use warmfront_engine::clock::Clock;
use warmfront_engine::{Loops, Ways};
use warmfront_mail::imap::Imap;
use warmfront_mail::inbox::{Inbox, Unreadable};
use warmfront_mail::server::Tls;
use warmfront_tests::dovecot::{Dovecot, Folder};
use warmfront_tests::simulation::{Play, Step, Wait, WatchedOut};

use super::reader::PASSWORD;
use super::scene::{FIRST, scenario};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follow_up_leaves_after_a_reading_and_to_nobody_who_answered() {
    let follow_up = Step { wait: Some(Wait::Hours(2)), own_subject: false };
    let mut play = Play::begin(scenario(2, 6, &[FIRST, follow_up])).await;
    let dovecot = Arc::new(Dovecot::start());
    for mailbox in &play.scenario.mailboxes {
        dovecot.admit(mailbox.address.as_str(), PASSWORD);
    }
    let (office, clock) = play.office();
    let server = Arc::clone(&dovecot);
    let ways: Ways<WatchedOut, Polled> = Ways {
        out: play.ways(None).out,
        inbox: Arc::new(move |mailbox| {
            let account = server.account(mailbox.address.as_str(), PASSWORD, Tls::Starttls);
            Some(Polled(Imap::new(account)))
        }),
    };
    let mut loops = Loops::new(office, ways);
    play.now += HOUR;
    pass(&mut play, &mut loops, &clock, 30 * MINUTE).await;
    assert_eq!(accepted(&play).await, (6, 0));

    let lines = play.store.ledger(None, 0, 10).await.expect("books");
    let (line, rcpt) = (&lines[0], lines[0].rcpt.as_ref().expect("nobody is erased"));
    let id = line.message_id.as_ref().expect("it was claimed");
    let reply = format!("From: {rcpt}\r\nIn-Reply-To: {id}\r\nSubject: Re: Hi\r\n\r\nYes.\r\n");
    dovecot.deliver(&line.mailbox, Folder::Junk, &reply);
    dovecot.shut();
    pass(&mut play, &mut loops, &clock, 4 * HOUR).await;
    assert_eq!(accepted(&play).await, (6, 0), "nobody knows who answered");
    let unread = play.store.mailboxes().await.expect("books");
    let why = unread[0].unread_because.as_deref().unwrap_or_default();
    assert!(why.starts_with("the connection was lost: Connection refused"), "{why}");

    dovecot.open();
    pass(&mut play, &mut loops, &clock, 2 * HOUR).await;
    assert_eq!(accepted(&play).await, (6, 5));
    let lines = play.store.ledger(None, 0, 20).await.expect("books");
    let twice = lines.iter().filter(|line| line.rcpt.as_ref() == Some(rcpt));
    assert!(twice.clone().all(|line| line.step == 1 || line.state == "cancelled"), "{lines:?}");
    let read = play.store.mailboxes().await.expect("books");
    assert!(read.iter().all(|mailbox| mailbox.unread_because.is_none()));
}

/// Lets time pass.
pub(crate) async fn pass(
    play: &mut Play,
    loops: &mut Loops<WatchedOut, Polled>,
    clock: &Clock,
    length: Millis,
) {
    let end = play.now + length;
    while play.now < end {
        clock.set(play.now);
        let next = loops.tick(play.now).await.expect("books");
        play.now = next.clamp(play.now + MINUTE, end);
    }
}

/// How many first messages were accepted, and how many follow-ups.
async fn accepted(play: &Play) -> (usize, usize) {
    let lines = play.store.ledger(None, 0, 100).await.expect("books");
    let of = |step| lines.iter().filter(|l| l.state == "accepted" && l.step == step).count();
    (of(1), of(2))
}

/// A real inbox that nobody waits at: news comes by the machine's clock, and here another rules.
pub(crate) struct Polled(pub(crate) Imap);

impl Inbox for Polled {
    async fn read(&mut self, bookmarks: &Bookmarks, now: Millis) -> Result<Reading, Unreadable> {
        let read = self.0.read(bookmarks, now).await;
        // A server that is shut takes a moment to end its connections, and that is hours here.
        self.0.close().await;
        read
    }

    fn is_open(&self) -> bool {
        false
    }

    async fn news(&mut self, _within: Duration) -> bool {
        false
    }

    async fn close(&mut self) {
        self.0.close().await;
    }
}
