//! What the Sent folder says: mail by hand counts, a copy settles a doubt, and only a folder in which
//! nothing is missing proves that something was not sent.

use warmfront_core::address::Address;
use warmfront_core::reading::{Reading, Role, SentCopy};
use warmfront_store::Claim;

use crate::books::{DAY, HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::readings::{mark, place};
use crate::scene::{PEOPLE, Scene, accepted, in_doubt};

pub(crate) fn copy(uid: u32, ids: &[&str], to: &str) -> SentCopy {
    SentCopy {
        place: place("Sent", 7, uid),
        key: format!("key-{uid}"),
        ids: ids.iter().map(|&id| id.to_owned()).collect(),
        token: None,
        subject: None,
        sent_at: NOW + MINUTE,
        to: vec![Address::parse(to).unwrap()],
    }
}

/// A copy that soon after the doubt bears neither an id nor a token of ours.
fn renamed(subject: &str, to: &str) -> SentCopy {
    let subject = Some(subject.to_owned());
    SentCopy { subject, sent_at: NOW + 11 * MINUTE, ..copy(2, &["<rewritten@srv.test>"], to) }
}

pub(crate) fn sent(copies: Vec<SentCopy>) -> Reading {
    let last = copies.iter().map(|copy| copy.place.uid).max().unwrap_or_default();
    let marks = vec![mark("Sent", Role::Sent, 7, last)];
    Reading { sent: copies, marks, is_whole: true, ..Reading::default() }
}

impl Scene {
    async fn today(&self) -> String {
        let day = "SELECT manual, ceiling, allowance FROM mailbox_days
                   WHERE mailbox_id = 1 AND day = ";
        self.books.row(&format!("{day}'{TODAY}'")).await
    }

    /// Ann's three messages, the one in the middle in doubt.
    pub(crate) async fn begin_in_doubt(books: crate::books::Books) -> Self {
        let scene = Self::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        scene.send(2, NOW + 10 * MINUTE, in_doubt(), None).await;
        scene.send(4, NOW + 20 * MINUTE, accepted(), None).await;
        scene
    }

    /// Reads the Sent folder, and settles what it speaks of.
    pub(crate) async fn look_into_sent(&self, copies: Vec<SentCopy>, now: i64) -> String {
        self.read(sent(copies), now).await;
        self.settle_by_evidence(now).await
    }

    /// Settles what there is evidence for; the state of the message in the middle.
    pub(crate) async fn settle_by_evidence(&self, now: i64) -> String {
        let store = &self.books.store;
        for doubt in store.doubts_with_evidence().await.unwrap() {
            store.settle_doubt(&doubt, Some((2, now + 3 * DAY)), now).await.unwrap();
        }
        self.books.add_up().await;
        self.state(2).await
    }
}

#[tokio::test]
async fn mail_by_hand_counts_on_its_day_once_and_lowers_what_is_left() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let copies = vec![
            copy(1, &["<0@one.test>"], PEOPLE[0]),
            copy(2, &["<hand@one.test>"], "friend@away.test"),
            copy(3, &["<inside@one.test>"], "bea@one.test"),
            SentCopy { sent_at: NOW - DAY, ..copy(4, &["<old@one.test>"], "friend@away.test") },
        ];
        scene.read(sent(copies.clone()), NOW + HOUR).await;
        assert_eq!(scene.today().await, "1 39 40");
        scene.read(sent(copies), NOW + 2 * HOUR).await;
        assert_eq!(scene.today().await, "1 39 40", "seen again");
        // A plan that was made before it was seen knows nothing of it.
        scene.plan_again().await;
        assert_eq!(scene.today().await, "1 39 40");
        let use_of_day = scene.books.store.day_use(TODAY).await.unwrap().mailboxes;
        assert_eq!(use_of_day[0], (scene.mailboxes[0], 1, 1));
    })
    .await;
}

#[tokio::test]
async fn mail_by_hand_counts_before_there_is_a_plan() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test"]).await;
        let mailboxes = books.mailboxes().await;
        let scene = Scene { books, campaign: 0, mailboxes, leases: vec![], messages: vec![] };
        let copies = (1..=3).map(|uid| copy(uid, &[&format!("<{uid}@x>")], "friend@away.test"));
        scene.read(sent(copies.collect()), NOW).await;
        assert_eq!(scene.today().await, "3 0 0");
    })
    .await;
}

#[tokio::test]
async fn a_copy_settles_a_doubt_by_its_id_or_by_its_subject_and_whom_it_went_to() {
    let by_id = copy(2, &["<2@one.test>"], "somebody@else.test");
    let original = copy(2, &["<theirs@srv.test>", "<2@one.test>"], "somebody@else.test");
    for copy in [by_id, original, renamed("Hello", PEOPLE[2])] {
        for_each_database(async |books| {
            let scene = Scene::begin_in_doubt(books).await;
            assert_eq!(scene.look_into_sent(vec![copy.clone()], NOW + HOUR).await, "accepted");
            let enrolment = "SELECT e.state, e.next_step FROM enrolments e
                             JOIN messages m ON m.enrolment_id = e.id WHERE m.id = 3";
            assert_eq!(scene.books.row(enrolment).await, "active 2");
            assert_eq!(
                scene.books.number("SELECT CAST(sum(manual) AS BIGINT) FROM mailbox_days").await,
                0
            );
        })
        .await;
    }
}

#[tokio::test]
async fn a_copy_of_another_hour_to_another_or_of_another_subject_settles_nothing() {
    let cases = [
        ("late", SentCopy { sent_at: NOW + 5 * HOUR, ..renamed("Hello", PEOPLE[2]) }),
        ("to another", renamed("Hello", PEOPLE[3])),
        ("by hand to the same person", renamed("Lunch on Friday?", PEOPLE[2])),
        ("without a subject", SentCopy { subject: None, ..renamed("", PEOPLE[2]) }),
    ];
    for (what, copy) in cases {
        for_each_database(async |books| {
            let scene = Scene::begin_in_doubt(books).await;
            let state = scene.look_into_sent(vec![copy.clone()], NOW + 6 * HOUR).await;
            assert_eq!(state, "in_doubt", "{what}");
        })
        .await;
    }
}

/// Whoever answers in a thread by hand has its subject too.
#[tokio::test]
async fn a_reply_in_the_thread_is_known_by_no_subject() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let claim = Claim { subject: "Re: Hello".to_owned(), ..scene.claim_of(2, NOW) };
        assert!(scene.books.store.claim(claim).await.unwrap());
        assert!(scene.settle(2, NOW, in_doubt(), None).await);
        let by_hand = renamed("Re: Hello", PEOPLE[2]);
        assert_eq!(scene.look_into_sent(vec![by_hand], NOW + HOUR).await, "in_doubt");
    })
    .await;
}

#[tokio::test]
async fn a_message_without_a_subject_in_the_books_stays_in_doubt() {
    for_each_database(async |books| {
        let scene = Scene::begin_in_doubt(books).await;
        scene.books.write("UPDATE messages SET subject = NULL WHERE id = 3").await;
        for subject in [None, Some(String::new())] {
            let copy = SentCopy { subject, ..renamed("", PEOPLE[2]) };
            assert_eq!(scene.look_into_sent(vec![copy], NOW + HOUR).await, "in_doubt");
        }
    })
    .await;
}

#[tokio::test]
async fn absence_is_proven_by_a_folder_in_which_nothing_is_missing() {
    let before = || copy(1, &["<0@one.test>"], PEOPLE[0]);
    let behind = |uid| copy(uid, &["<4@one.test>"], PEOPLE[4]);
    let by_hand = || copy(2, &["<hand@one.test>"], "friend@away.test");
    let soon = NOW + 11 * MINUTE;
    let late = NOW + 2 * HOUR;
    let cases = [
        ("all is there", vec![before(), behind(2)], late, "planned"),
        ("and mail by hand", vec![before(), by_hand(), behind(3)], late, "planned"),
        ("it may come yet", vec![before(), behind(2)], soon, "in_doubt"),
        ("one was deleted", vec![before(), behind(3)], late, "in_doubt"),
        ("nothing came behind it", vec![before(), by_hand()], late, "in_doubt"),
        ("nothing went before it", vec![behind(2)], late, "in_doubt"),
        (
            "ids are given anew there",
            vec![before(), copy(2, &["<final@srv.test>"], PEOPLE[4])],
            late,
            "in_doubt",
        ),
    ];
    for (what, copies, now, want) in cases {
        for_each_database(async |books| {
            let scene = Scene::begin_in_doubt(books).await;
            assert_eq!(scene.look_into_sent(copies.clone(), now).await, want, "{what}");
            if want == "planned" {
                let row =
                    "SELECT attempts, coalesce(plan_day, 'no day') FROM messages WHERE id = 3";
                assert_eq!(scene.books.row(row).await, "1 no day", "the attempt stays counted");
                let kinds = "SELECT kind FROM evidence";
                assert_eq!(scene.books.rows(kinds).await, ["absence"]);
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_part_of_a_reading_proves_no_absence() {
    for_each_database(async |books| {
        let scene = Scene::begin_in_doubt(books).await;
        let copies =
            vec![copy(1, &["<0@one.test>"], PEOPLE[0]), copy(2, &["<4@one.test>"], PEOPLE[4])];
        let part = Reading { has_more: true, ..sent(copies.clone()) };
        scene.read(part, NOW + 2 * HOUR).await;
        let broken = Reading { trouble: Some("lost".to_owned()), ..sent(copies) };
        scene.read(broken, NOW + 3 * HOUR).await;
        assert_eq!(scene.books.number("SELECT count(*) FROM evidence").await, 0);
    })
    .await;
}

/// The provider files the copy at once, and its 250 is lost: a crash leaves an orphan, a silent
/// connection is given up after minutes.
#[tokio::test]
async fn a_copy_read_while_its_message_was_on_its_way_settles_the_doubt_that_comes_later() {
    for is_orphan in [false, true] {
        for_each_database(async |books| {
            let mut scene = Scene::begin(books).await;
            scene.send(0, NOW, accepted(), None).await;
            assert!(scene.claim(2, NOW + 10 * MINUTE).await);
            let lost = scene.leases[0];
            let store = scene.books.store.clone();
            let message = scene.messages[2];
            assert!(store.mark_dot(message, lost.epoch, NOW + 10 * MINUTE).await.unwrap());
            let early = [(1, "<0@one.test>", PEOPLE[0]), (2, "<2@one.test>", PEOPLE[2])];
            let early = early.map(|(uid, id, to)| copy(uid, &[id], to)).to_vec();
            assert_eq!(scene.look_into_sent(early, NOW + 11 * MINUTE).await, "sending");

            let later = NOW + 20 * MINUTE;
            if is_orphan {
                store.release(lost).await.unwrap();
                scene.leases[0] = scene.books.lease(lost.mailbox, later).await;
            } else {
                assert!(scene.settle(2, later, in_doubt(), None).await);
            }
            assert_eq!(scene.state(2).await, "in_doubt");
            scene.send(4, NOW + 30 * MINUTE, accepted(), None).await;
            let behind = vec![copy(3, &["<4@one.test>"], PEOPLE[4])];
            assert_eq!(scene.look_into_sent(behind, NOW + 2 * HOUR).await, "accepted");
            assert_eq!(scene.books.rows("SELECT kind FROM evidence").await, ["sent_copy"]);
        })
        .await;
    }
}
