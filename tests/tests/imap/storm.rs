//! A thousand replies while connections are cut, folders numbered anew, and the server goes away for
//! a while: each is counted once, and none is missed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sqlx::{Connection as _, SqliteConnection};
use warmfront_core::span::{HOUR, MINUTE};
use warmfront_engine::clock::Clock;
use warmfront_engine::{Loops, Watcher, Ways};
use warmfront_mail::imap::Imap;
use warmfront_mail::server::Tls;
use warmfront_tests::dovecot::{Dovecot, Folder};
use warmfront_tests::simulation::{Play, WatchedOut};

use super::reader::PASSWORD;
use super::scene::{FIRST, scenario};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_replies_are_counted_once_each_whatever_happens_to_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut play = Play::begin_on_disk(scenario(MAILBOXES, 1_000, &[FIRST]), folder.path()).await;
    let dovecot = Arc::new(Dovecot::start());
    for mailbox in &play.scenario.mailboxes {
        dovecot.admit(mailbox.address.as_str(), PASSWORD);
    }
    send_to_all(&mut play).await;
    let replies = replies(&play).await;

    let (office, clock) = play.office();
    let server = Arc::clone(&dovecot);
    let ways: Ways<WatchedOut, Imap> = Ways {
        out: play.ways(None).out,
        inbox: Arc::new(move |mailbox| {
            let account = server.account(mailbox.address.as_str(), PASSWORD, Tls::Implicit);
            Some(Imap::new(account))
        }),
    };
    let mut watcher = Watcher::new(office, ways);
    let kicks = Kicks::begin(&dovecot);
    let mut renumbered = 0;
    let mut rounds = replies.chunks(20);
    for round in 0_usize.. {
        let delivered = rounds.next();
        for (nr, (mailbox, reply)) in delivered.into_iter().flatten().enumerate() {
            let folder = if nr % 3 == 0 { Folder::Junk } else { Folder::Inbox };
            dovecot.deliver(mailbox, folder, reply);
            if nr % 10 == 0 {
                // The same mail in another folder as well.
                dovecot.deliver(mailbox, Folder::Junk, reply);
            }
        }
        match round {
            30 => dovecot.shut(),
            33 => dovecot.open(),
            _ if renumbered < 20 && !(30..33).contains(&round) => {
                renumbered += 1;
                let mailbox = &play.scenario.mailboxes[round % MAILBOXES];
                let folder = if round % 2 == 0 { Folder::Inbox } else { Folder::Junk };
                dovecot.renumber(mailbox.address.as_str(), folder);
            }
            _ => {}
        }
        play.now += HOUR + MINUTE;
        clock.set(play.now);
        let next = play.now + HOUR / 2;
        // What failed is tried again before the next round.
        while play.now < next {
            let wake = watcher.tick(play.now).await.expect("books");
            play.now = wake.max(play.now + 1);
            clock.set(play.now);
        }
        if delivered.is_none() && renumbered == 20 && kicks.count() >= 50 {
            break;
        }
        assert!(round < 400, "{} kicks", kicks.count());
    }
    kicks.end();
    read_to_the_end(&mut play, &mut watcher, &clock).await;
    prove(&play, folder.path(), &dovecot).await;
}

/// Reads what is left. On a machine that is busy otherwise a reading outlasts a tick, and a leap of the
/// clock its lease: so each is waited for.
async fn read_to_the_end(play: &mut Play, watcher: &mut Watcher<WatchedOut, Imap>, clock: &Clock) {
    for _ in 0..3 {
        play.now += 2 * HOUR;
        clock.set(play.now);
        watcher.tick(play.now).await.expect("books");
        while watcher.is_reading() {
            watcher.tick(play.now).await.expect("books");
        }
    }
}

/// Everybody's reply is counted once, and nothing in the mailboxes has changed.
async fn prove(play: &Play, folder: &std::path::Path, dovecot: &Dovecot) {
    let books = format!("sqlite://{}", folder.join("books.db").display());
    let mut books = SqliteConnection::connect(&books).await.expect("books");
    let mut count = async |query: &str| -> i64 {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        sqlx::query_scalar(query).fetch_one(&mut books).await.expect("a number")
    };
    assert_eq!(count("SELECT count(*) FROM inbound").await, 1_000);
    assert_eq!(
        count("SELECT count(DISTINCT message_id) FROM inbound WHERE kind = 'reply'").await,
        1_000
    );
    assert_eq!(count("SELECT count(*) FROM enrolments WHERE state = 'replied'").await, 1_000);
    assert_eq!(count("SELECT count(*) FROM mailboxes WHERE unread_because IS NOT NULL").await, 0);
    assert_eq!(count("SELECT sum(passed) FROM folders").await, 0);
    let mut held = 0;
    for mailbox in &play.scenario.mailboxes {
        for folder in [Folder::Inbox, Folder::Junk] {
            held += dovecot.count(mailbox.address.as_str(), folder);
            assert_eq!(dovecot.marked(mailbox.address.as_str(), folder), [""; 0]);
        }
    }
    assert_eq!(held, 1_000 + 100, "nothing was moved or deleted");
}

async fn send_to_all(play: &mut Play) {
    let (office, clock) = play.office();
    let ways: Ways<WatchedOut, Imap> = Ways { out: play.ways(None).out, inbox: Arc::new(|_| None) };
    let mut loops = Loops::new(office, ways);
    for _ in 0..3 {
        play.now += MINUTE;
        clock.set(play.now);
        loops.tick(play.now).await.expect("books");
    }
}

/// A reply to each message of the books, and whose mailbox it comes to.
async fn replies(play: &Play) -> Vec<(String, String)> {
    let lines = play.store.ledger(None, 0, 2_000).await.expect("books");
    let states: BTreeSet<&str> = lines.iter().map(|line| line.state.as_str()).collect();
    assert_eq!((lines.len(), states), (1_000, BTreeSet::from(["accepted"])));
    let reply = |line: &warmfront_store::LedgerLine| {
        let (from, id) = (line.rcpt.as_ref().expect("one"), line.message_id.as_ref().expect("one"));
        format!(
            "From: {from}\r\nTo: {}\r\nMessage-ID: <re.{from}>\r\nIn-Reply-To: {id}\r\n\
             Subject: Re: A question\r\n\r\nYes, do call.\r\n",
            line.mailbox
        )
    };
    lines.iter().map(|line| (line.mailbox.clone(), reply(line))).collect()
}

/// Somebody who cuts every connection there is, again and again.
struct Kicks {
    done: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Kicks {
    fn begin(dovecot: &Arc<Dovecot>) -> Self {
        let (done, ended) = (Arc::<AtomicU32>::default(), Arc::<AtomicBool>::default());
        let (counting, ending, dovecot) = (done.clone(), ended.clone(), Arc::clone(dovecot));
        let thread = std::thread::spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                if dovecot.kick("*") {
                    counting.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { done, ended, thread }
    }

    fn count(&self) -> u32 {
        self.done.load(Ordering::Relaxed)
    }

    fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
    }
}

const MAILBOXES: usize = 5;
