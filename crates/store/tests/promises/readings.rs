//! What readings write: each arrival once, marks that move with it, and nothing by a lease that is
//! over.

use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::reading::{Arrived, Mark, Place, Reading, Role};
use warmfront_store::{Consequence, Read, ReadingLease, Today};

use crate::books::{HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted};

/// How long the right to read lasts.
const TTL: i64 = 10 * MINUTE;

pub(crate) fn mark(folder: &str, role: Role, uidvalidity: u32, last_uid: u32) -> Mark {
    Mark { folder: folder.to_owned(), role, uidvalidity, last_uid, read_at: NOW + HOUR }
}

pub(crate) fn place(folder: &str, uidvalidity: u32, uid: u32) -> Place {
    Place { folder: folder.to_owned(), uidvalidity, uid }
}

fn reply(key: &str, place: Place) -> Arrived {
    let inbound = Inbound {
        names: vec!["<0@one.test>".to_owned()],
        ..Inbound::told(key.to_owned(), NOW + HOUR, Kind::Reply)
    };
    Arrived { place: Some(place), inbound }
}

fn whole(arrivals: Vec<Arrived>, marks: Vec<Mark>) -> Reading {
    Reading { arrivals, marks, is_whole: true, ..Reading::default() }
}

impl Scene {
    /// The right to read ann's mailbox, if nobody has it.
    async fn reader(&self, owner: &str, now: i64) -> Option<ReadingLease> {
        let leases = self.books.store.lease_readings(&self.mailboxes[..1], owner, now, TTL).await;
        leases.unwrap().pop()
    }

    pub(crate) async fn write_down(
        &self,
        lease: ReadingLease,
        reading: Reading,
        now: i64,
    ) -> Option<Vec<Consequence>> {
        let read = Read { lease, begun_at: now, reading };
        let today = Today { day: TODAY.to_owned(), since: NOW - HOUR };
        let recorded = self.books.store.record_readings(&[read], &today, now, TTL).await.unwrap();
        recorded.taken.contains(&lease.mailbox).then_some(recorded.led_to)
    }

    /// Reads ann's mailbox.
    pub(crate) async fn read(&self, reading: Reading, now: i64) -> Vec<Consequence> {
        self.read_of(0, reading, now).await
    }

    /// Reads a mailbox, from the lease on.
    pub(crate) async fn read_of(
        &self,
        mailbox: usize,
        reading: Reading,
        now: i64,
    ) -> Vec<Consequence> {
        let mailbox = &self.mailboxes[mailbox..=mailbox];
        let leases = self.books.store.lease_readings(mailbox, "here", now, TTL).await.unwrap();
        let lease = *leases.first().expect("nobody reads it");
        self.write_down(lease, reading, now).await.expect("the lease stands")
    }

    async fn inbox_read_at(&self) -> Option<i64> {
        self.books.store.mailboxes().await.unwrap()[0].inbox_read_at
    }
}

#[tokio::test]
async fn an_arrival_is_recorded_with_the_mark_that_passes_it_and_once() {
    use Consequence::{Ended, Known};
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let inbox = || mark("INBOX", Role::Inbox, 7, 3);
        let twice = vec![reply("k", place("INBOX", 7, 3)), reply("k", place("Junk", 1, 9))];
        let marks = vec![inbox(), mark("Junk", Role::Junk, 1, 9)];
        let led_to = scene.read(whole(twice, marks.clone()), NOW + HOUR).await;
        assert_eq!(led_to, [Ended, Known], "the same mail in two folders");
        let bookmarks = scene.books.store.bookmarks(&scene.mailboxes[..1]).await.unwrap();
        assert_eq!(bookmarks[&scene.mailboxes[0]].marks, marks);
        let places = "SELECT f.name, i.uidvalidity, i.uid FROM inbound i JOIN folders f ON f.id = i.folder_id";
        assert_eq!(scene.books.rows(places).await, ["INBOX 7 3"]);
        // The folder's numbers were given anew.
        let again = whole(vec![reply("k", place("INBOX", 8, 1))], vec![mark("INBOX", Role::Inbox, 8, 1)]);
        assert_eq!(scene.read(again, NOW + 2 * HOUR).await, [Known]);
        assert_eq!(scene.books.number("SELECT count(*) FROM inbound").await, 1);
        let back = "UPDATE folders SET last_uid = 0 WHERE name = 'INBOX'";
        scene.books.refuse(back, "a folder is not read backwards").await;
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn one_reads_a_mailbox_at_a_time_and_who_is_late_writes_nothing() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let late = scene.reader("here", NOW).await.expect("nobody reads it");
        assert_eq!(scene.reader("there", NOW + TTL - 1).await, None);
        let next = scene.reader("there", NOW + TTL).await.expect("the first is over");
        let found = || {
            whole(vec![reply("k", place("INBOX", 7, 3))], vec![mark("INBOX", Role::Inbox, 7, 3)])
        };
        assert_eq!(scene.write_down(late, found(), NOW + TTL).await, None);
        assert_eq!(scene.books.number("SELECT count(*) FROM inbound").await, 0);
        assert_eq!(scene.books.number("SELECT count(*) FROM folders").await, 0);
        assert_eq!(scene.inbox_read_at().await, None);
        // A part keeps the right for the next one; the last gives it back.
        let part = Reading { has_more: true, is_whole: false, ..found() };
        assert!(scene.write_down(next, part, NOW + TTL).await.is_some());
        assert_eq!(scene.reader("here", NOW + TTL + 1).await, None);
        assert!(scene.write_down(next, found(), NOW + TTL + 1).await.is_some());
        assert!(scene.reader("here", NOW + TTL + 2).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn only_a_whole_reading_proves_that_the_inbox_was_read() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let because = "SELECT coalesce(unread_because, 'none') FROM mailboxes WHERE id = 1";
        let trouble = Some("the connection was lost: reset".to_owned());
        let half = Reading { trouble, ..Reading::default() };
        scene.read(half.clone(), NOW).await;
        assert_eq!(scene.inbox_read_at().await, None);
        assert_eq!(scene.books.row(because).await, "the connection was lost: reset");
        scene.read(whole(vec![], vec![]), NOW + HOUR).await;
        assert_eq!(scene.inbox_read_at().await, Some(NOW + HOUR));
        assert_eq!(scene.books.row(because).await, "none");
        scene.read(half, NOW + 2 * HOUR).await;
        assert_eq!(scene.inbox_read_at().await, Some(NOW + HOUR));
        let passed = Reading {
            passed: vec![place("INBOX", 7, 2), place("INBOX", 7, 3)],
            ..whole(vec![], vec![mark("INBOX", Role::Inbox, 7, 3)])
        };
        scene.read(passed, NOW + 3 * HOUR).await;
        assert_eq!(scene.books.store.folders().await.unwrap()[0].passed, 2);
    })
    .await;
}

#[tokio::test]
async fn a_nul_in_what_came_in_is_no_more_than_a_character_too_many() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let mut hostile = reply("k", place("INBOX", 7, 3));
        hostile.inbound.names = vec!["<0@\0one.test>".to_owned()];
        hostile.inbound.tokens = vec!["a\0".to_owned(), r"\u0000".to_owned()];
        let mut reading = whole(vec![hostile], vec![mark("INBOX", Role::Inbox, 7, 3)]);
        reading.trouble = Some("BAD \0".to_owned());
        reading.sent = vec![crate::sent_copies::copy(1, &["<\0>"], PEOPLE[0])];
        reading.marks.push(mark("Sent", Role::Sent, 7, 1));
        assert_eq!(scene.read(reading, NOW + HOUR).await, [Consequence::Ended]);
        assert_eq!(scene.books.number("SELECT count(*) FROM sent_copies").await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_the_books_refuse_is_passed_and_keeps_nobody_else_from_being_read() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let poison = match scene.books.is_postgres() {
            true => "FOR EACH ROW WHEN (NEW.content_key = 'p') EXECUTE FUNCTION refuse('poison')",
            false => "WHEN NEW.content_key = 'p' BEGIN SELECT RAISE(ABORT, 'poison'); END",
        };
        scene
            .books
            .write(&format!("CREATE TRIGGER poison BEFORE INSERT ON inbound {poison}"))
            .await;
        let store = &scene.books.store;
        let leases = store.lease_readings(&scene.mailboxes, "here", NOW, TTL).await.unwrap();
        let marks = || vec![mark("INBOX", Role::Inbox, 7, 4)];
        let found = [
            vec![reply("p", place("INBOX", 7, 3)), reply("k", place("INBOX", 7, 4))],
            vec![reply("l", place("INBOX", 7, 4))],
        ];
        let reads = leases.iter().zip(found).map(|(&lease, arrivals)| Read {
            lease,
            begun_at: NOW,
            reading: whole(arrivals, marks()),
        });
        let reads: Vec<Read> = reads.collect();
        let today = Today { day: TODAY.to_owned(), since: NOW - HOUR };
        let recorded = store.record_readings(&reads, &today, NOW + HOUR, TTL).await.unwrap();
        assert_eq!(recorded.taken.into_iter().collect::<Vec<_>>(), scene.mailboxes);
        assert_eq!(recorded.led_to[0], Consequence::Ended);
        assert_eq!(recorded.led_to.len(), 2);
        let [refused] = recorded.refused.as_slice() else { panic!("{:?}", recorded.refused) };
        assert_eq!(refused.mailbox, scene.mailboxes[0]);
        assert_eq!(refused.place, Some(place("INBOX", 7, 3)));
        assert!(refused.why.contains("poison"), "{}", refused.why);
        let folders = store.folders().await.unwrap();
        let figures: Vec<_> = folders.iter().map(|folder| folder.passed).collect();
        assert_eq!(figures, [1, 0]);
        let keys = "SELECT content_key FROM inbound ORDER BY mailbox_id";
        assert_eq!(scene.books.rows(keys).await, ["k", "l"]);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn a_reading_that_is_refused_whole_says_so_and_is_over() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let inbox = |last| whole(vec![], vec![mark("INBOX", Role::Inbox, 7, last)]);
        scene.read(inbox(3), NOW).await;
        let (store, now) = (&scene.books.store, NOW + HOUR);
        let leases = store.lease_readings(&scene.mailboxes, "here", now, TTL).await.unwrap();
        let reads = leases.iter().zip([inbox(2), inbox(4)]);
        let reads = reads.map(|(&lease, reading)| Read { lease, begun_at: now, reading });
        let reads: Vec<Read> = reads.collect();
        let today = Today { day: TODAY.to_owned(), since: NOW - HOUR };
        let recorded = store.record_readings(&reads, &today, now, TTL).await.unwrap();
        assert_eq!(recorded.taken.into_iter().collect::<Vec<_>>(), scene.mailboxes);
        let [refused] = recorded.refused.as_slice() else { panic!("{:?}", recorded.refused) };
        assert_eq!((refused.mailbox, &refused.place), (scene.mailboxes[0], &None));
        assert!(refused.why.contains("a folder is not read backwards"), "{}", refused.why);
        let rows = "SELECT inbox_read_at, unread_because FROM mailboxes ORDER BY id";
        let because = format!("{NOW} {}", refused.why);
        assert_eq!(scene.books.rows(rows).await, [because, format!("{now} -")]);
        let again = store.lease_readings(&scene.mailboxes, "there", now, TTL).await.unwrap();
        assert_eq!(again.len(), 2, "nobody reads them any more");
    })
    .await;
}
