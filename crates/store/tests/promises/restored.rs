//! Books that are an older copy of what has sent since: nobody sends from them, and what a Sent folder
//! holds of theirs is taken up, once and as what it is.

use warmfront_core::address::Address;
use warmfront_core::reading::{Reading, SentCopy};
use warmfront_core::send_id::{Errand, Whose};
use warmfront_store::{Found, Read, StoreError, Stray, TakenUp, Today, Verdict, Watermark};

use crate::books::{Books, DAY, HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted, deferred, in_doubt};
use crate::sent_copies::{copy, sent};

const YESTERDAY: &str = "2027-01-14";

impl Scene {
    /// A copy of a message of these books that they do not have, to a person of theirs.
    async fn lost(&self, uid: u32, address: &str, step: u32) -> SentCopy {
        let signet = self.books.store.signet().await.unwrap();
        let errand = Errand { campaign: "spring", address, step };
        let id = signet.send_id(NOW, u128::from(uid), &errand);
        let token = signet.send_id(NOW, u128::from(uid) << 64, &errand);
        SentCopy { token: Some(token), ..copy(uid, &[&format!("<{id}@one.test>")], address) }
    }

    async fn taken(&self, copy: &SentCopy, step: u32) -> (TakenUp, Stray) {
        let address = copy.to[0].as_str();
        let taken = TakenUp {
            mailbox: self.mailboxes[0],
            enrolment: self.enrolment(address).await,
            campaign: self.campaign,
            step,
            rfc_message_id: copy.ids[0].clone(),
            unsubscribe_token: copy.token.clone().unwrap(),
            revision: 1,
            subject: Some("Hello".to_owned()),
            sent_at: copy.sent_at,
            day: TODAY.to_owned(),
            next: (step == 1).then_some((2, NOW + 3 * DAY)),
        };
        (taken, self.stray(copy))
    }

    fn stray(&self, copy: &SentCopy) -> Stray {
        let (mailbox, rfc_id) = (self.mailboxes[0], copy.ids[0].clone());
        Stray { mailbox, copy: copy.clone(), rfc_id, day: TODAY.to_owned() }
    }

    /// Writes down what brings the books up to date; says how many were taken up.
    async fn reconcile(&self, found: Found, copies: Vec<SentCopy>, now: i64) -> u32 {
        let store = &self.books.store;
        let leases = store.lease_readings(&self.mailboxes[..1], "here", now, HOUR).await.unwrap();
        let read = Read { lease: leases[0], begun_at: now, reading: sent(copies) };
        let today = Today { day: TODAY.to_owned(), since: NOW - HOUR };
        let taken = store.record_reconciling(&read, &found, &today, now, HOUR).await.unwrap();
        self.books.add_up().await;
        taken.expect("the lease stands")
    }

    /// The same for one message.
    async fn take_up(&self, copy: &SentCopy, step: u32) -> bool {
        let taken = vec![self.taken(copy, step).await];
        let found = Found { taken, ..Found::default() };
        self.reconcile(found, vec![copy.clone()], NOW + HOUR).await == 1
    }
}

#[tokio::test]
async fn a_message_that_was_never_claimed_is_taken_up_by_its_copy_only_and_counts() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let id = scene.messages[0];
        let by_hand = format!(
            "UPDATE messages SET state = 'accepted', attempts = 1, settled_at = {NOW},
                    verdict = 'accepted', sending_since = {NOW}, sending_on = '{TODAY}',
                    rfc_message_id = '<x@y>', unsubscribe_token = 't', revision_id = 1
             WHERE id = {id}"
        );
        scene.books.refuse(&by_hand, "taken up by its copy only").await;
        let evidence = |kind: &str| {
            format!("INSERT INTO evidence (message_id, at, kind) VALUES ({id}, {NOW}, '{kind}')")
        };
        for kind in ["operator", "reply", "absence", "bounce"] {
            let outcome = scene.books.may(&[&evidence(kind), &by_hand]).await;
            assert!(outcome.is_err(), "{kind}");
        }
        let uncounted = by_hand.replace("attempts = 1, ", "");
        let outcome = scene.books.may(&[&evidence("sent_copy"), &uncounted]).await;
        assert!(outcome.is_err_and(|why| why.contains("an attempt is counted by its claim")));

        let copy = scene.lost(7, PEOPLE[0], 1).await;
        assert!(scene.take_up(&copy, 1).await);
        let row = "SELECT state, attempts, sending_since, settled_at, rfc_message_id FROM messages
                   WHERE id = 1";
        let at = copy.sent_at;
        assert_eq!(scene.books.row(row).await, format!("accepted 1 {at} {at} {}", copy.ids[0]));
        let day = format!(
            "SELECT attempted, accepted, settled FROM mailbox_days WHERE mailbox_id = 1
             AND day = '{TODAY}'"
        );
        assert_eq!(scene.books.row(&day).await, "1 1 1");
        let budgets = "SELECT scope, attempted FROM budget_days WHERE attempted > 0 ORDER BY scope";
        assert_eq!(scene.books.rows(budgets).await, ["company 1", "domain 1", "tenant 1"]);
        let person = "SELECT last_attempt_at, last_message_id FROM prospects WHERE id = 1";
        assert_eq!(scene.books.row(person).await, format!("{at} 1"));
        let enrolment = "SELECT state, next_step, mailbox_id FROM enrolments WHERE id = 1";
        assert_eq!(scene.books.row(enrolment).await, "active 2 1");
        let told = "SELECT kind FROM events WHERE message_id = 1";
        assert_eq!(scene.books.rows(told).await, ["message_accepted"]);
        let kept = "SELECT message_id, keeps_id FROM sent_copies";
        assert_eq!(scene.books.rows(kept).await, ["1 1"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_is_taken_up_wherever_the_copy_had_it_planned() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        // Planned for the other mailbox, full, deferred by the other, or not planned at all.
        let moved = scene.lost(1, PEOPLE[1], 1).await;
        assert!(scene.take_up(&moved, 1).await);
        scene.books.write("UPDATE mailbox_days SET ceiling = attempted").await;
        scene.books.write("UPDATE budget_days SET ceiling = attempted").await;
        let full = scene.lost(2, PEOPLE[2], 1).await;
        assert!(scene.take_up(&full, 1).await, "nothing refuses what has happened");
        let second = scene.lost(3, PEOPLE[2], 2).await;
        assert!(scene.take_up(&second, 2).await, "no plan has made the second step");
        let state = "SELECT state, next_step FROM enrolments WHERE id = 3";
        assert_eq!(scene.books.row(state).await, "finished 2");
        let none = "SELECT count(*) FROM strays";
        assert_eq!(scene.books.number(none).await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_kept_as_a_stray_and_its_reader_waits() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(1, NOW, deferred(NOW), None).await;
        let too_soon = scene.lost(1, PEOPLE[0], 2).await;
        let elsewhere = scene.lost(2, PEOPLE[1], 1).await;
        for (copy, step) in [(&too_soon, 2), (&elsewhere, 1)] {
            assert!(!scene.take_up(copy, step).await);
        }
        let held = "SELECT p.address FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
                    WHERE e.state = 'held' ORDER BY 1";
        assert_eq!(scene.books.rows(held).await, PEOPLE[..2]);
        let manual =
            format!("SELECT manual FROM mailbox_days WHERE mailbox_id = 1 AND day = '{TODAY}'");
        assert_eq!(scene.books.number(&manual).await, 2);
        // The step before it has come to be known.
        let first = scene.lost(3, PEOPLE[0], 1).await;
        assert!(scene.take_up(&first, 1).await);
        let strays = scene.books.store.strays().await.unwrap();
        let (taken, _) = scene.taken(&too_soon, 2).await;
        let store = &scene.books.store;
        assert!(store.take_up_stray(strays[0].id, &taken, NOW + HOUR).await.unwrap());
        let state = "SELECT state FROM enrolments WHERE id = 1";
        assert_eq!(scene.books.row(state).await, "finished");
        assert_eq!(store.strays().await.unwrap().len(), 1);
        assert!(store.files_copies(scene.mailboxes[0]).await.unwrap());
        assert!(!store.files_copies(scene.mailboxes[1]).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn whoever_got_a_stray_is_held_when_a_list_brings_them() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let copy = SentCopy {
            to: vec![Address::parse("new@late.test").unwrap()],
            ..scene.lost(1, PEOPLE[0], 1).await
        };
        let found = Found { strays: vec![scene.stray(&copy)], ..Found::default() };
        assert_eq!(scene.reconcile(found.clone(), vec![copy.clone()], NOW + HOUR).await, 0);
        scene.reconcile(found, vec![copy.clone()], NOW + 2 * HOUR).await;
        let manual =
            format!("SELECT manual FROM mailbox_days WHERE mailbox_id = 1 AND day = '{TODAY}'");
        assert_eq!(scene.books.number(&manual).await, 1, "counted once");
        let copies = [copy];
        let unknown = scene.books.store.unknown_copies(scene.mailboxes[0], &copies).await.unwrap();
        assert!(unknown.is_empty(), "{unknown:?}");
        scene.books.import("late", 1, &["new@late.test", "other@late.test"]).await;
        let states = "SELECT e.state FROM enrolments e JOIN campaigns c ON c.id = e.campaign_id
                      WHERE c.slug = 'late' ORDER BY e.id";
        assert_eq!(scene.books.rows(states).await, ["held", "active"]);
    })
    .await;
}

#[tokio::test]
async fn a_day_of_which_nothing_is_known_earns_no_warmth_by_little() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let copy = scene.lost(1, PEOPLE[0], 1).await;
        let (taken, stray) = scene.taken(&copy, 1).await;
        let taken = TakenUp { sent_at: NOW - DAY, day: YESTERDAY.to_owned(), ..taken };
        let found = Found { taken: vec![(taken, stray)], ..Found::default() };
        assert_eq!(scene.reconcile(found, vec![copy], NOW).await, 1);
        let day =
            format!("SELECT cap, allowance, attempted FROM mailbox_days WHERE day = '{YESTERDAY}'");
        assert_eq!(scene.books.row(&day).await, "50 50 1");
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_ours_that_the_books_lack_stops_everybody_at_once() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        scene.send(0, NOW, accepted(), None).await;
        assert!(scene.claim(1, NOW + 5 * MINUTE).await, "the other mailbox is at work");
        let lost = scene.lost(9, PEOPLE[4], 1).await;
        let leases = store.lease_readings(&scene.mailboxes[..1], "here", NOW, HOUR).await.unwrap();
        let read = Read { lease: leases[0], begun_at: NOW, reading: sent(vec![lost.clone()]) };
        let today = Today { day: TODAY.to_owned(), since: NOW - HOUR };
        let told = store.record_readings(&[read], &today, NOW + HOUR, HOUR).await.unwrap_err();
        let words = "the Sent folder of ann@one.test holds mail of ours that they do not have";
        assert!(matches!(&told, StoreError::Outdated { because } if because == words), "{told:?}");
        assert_eq!(scene.books.number("SELECT count(*) FROM folders").await, 0, "nothing is read");

        let id = scene.messages[1];
        let epoch = scene.leases[1].epoch;
        assert!(!store.mark_dot(id, epoch, NOW + 5 * MINUTE).await.unwrap(), "no dot leaves");
        assert!(!scene.claim(2, NOW + 9 * MINUTE).await, "nothing is claimed");
        let refused = store.lease(scene.mailboxes[0], "there", NOW, HOUR).await.unwrap_err();
        assert!(matches!(refused, StoreError::Outdated { .. }), "{refused:?}");
        let by_hand = format!(
            "UPDATE mailboxes SET lease_owner = 'x', lease_expires_at = {NOW} WHERE id = 1"
        );
        scene.books.refuse(&by_hand, "these books are an older copy").await;
    })
    .await;
}

#[tokio::test]
async fn mail_that_is_known_or_of_other_books_stops_nobody() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let ours = scene.lost(1, PEOPLE[0], 1).await;
        let claim = warmfront_store::Claim {
            rfc_message_id: ours.ids[0].clone(),
            unsubscribe_token: ours.token.clone().unwrap(),
            ..scene.claim_of(0, NOW)
        };
        assert!(scene.books.store.claim(claim).await.unwrap());
        assert!(scene.settle(0, NOW + 1_000, accepted(), None).await);
        let renamed = SentCopy { ids: vec!["<theirs@srv.test>".to_owned()], ..ours.clone() };
        let others = warmfront_core::send_id::Signet::of("others");
        let errand = Errand { campaign: "spring", address: PEOPLE[2], step: 1 };
        let id = format!("<{}@one.test>", others.send_id(NOW, 1, &errand));
        let foreign = copy(3, &[&id], PEOPLE[2]);
        assert_eq!(scene.books.store.signet().await.unwrap().whose(&foreign, &[]), Whose::Theirs);
        let second = SentCopy { place: crate::readings::place("Sent", 7, 2), ..renamed };
        scene.read(sent(vec![ours, second, foreign]), NOW + HOUR).await;
        scene.books.store.refuse_if_outdated().await.unwrap();
        let manual =
            format!("SELECT manual FROM mailbox_days WHERE mailbox_id = 1 AND day = '{TODAY}'");
        assert_eq!(scene.books.number(&manual).await, 1, "the other books' counts as by hand");
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_of_which_nothing_shows_what_it_sent_waits_for_the_operator() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        store.pause_mailbox(scene.mailboxes[1], "holidays", NOW).await.unwrap();
        for _ in 0..2 {
            store.stop_unproven(&scene.mailboxes, "who knows", NOW + HOUR).await.unwrap();
        }
        let paused = "SELECT state, paused_reason, paused_because FROM mailboxes ORDER BY id";
        assert_eq!(
            scene.books.rows(paused).await,
            ["paused restored who knows", "paused operator holidays; who knows"]
        );
        let planned = "SELECT count(*) FROM messages WHERE plan_day IS NOT NULL";
        assert_eq!(scene.books.number(planned).await, 0, "first steps wait");
        assert!(!scene.claim(0, NOW + HOUR).await);
        assert_eq!(store.resume_due(NOW + 100 * DAY).await.unwrap(), 0, "no pause ends by itself");
        store.resume_mailbox(scene.mailboxes[0], NOW + 100 * DAY).await.unwrap();
        let back = "SELECT state, unproven, probe, warm_days FROM mailboxes WHERE id = 1";
        assert_eq!(scene.books.row(back).await, "active 0 0 20", "it says nothing of its health");
    })
    .await;
}

#[tokio::test]
async fn books_catch_up_with_the_watermark_when_they_are_up_to_date_and_not_before() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        let folder = tempfile::tempdir().unwrap();
        let watermark = Watermark::beside(&folder.path().join("warmfront.toml"));
        assert!(!store.begin_reconciling(&watermark, NOW).await.unwrap(), "they are the newest");
        store.begin_epoch(&watermark).await.unwrap();
        assert!(scene.claim(0, NOW).await);
        let file = folder.path().join("warmfront.epochs");
        let ahead = std::fs::read_to_string(&file).unwrap().replace(" 1\n", " 70\n");
        std::fs::write(&file, ahead).unwrap();
        assert!(store.begin_reconciling(&watermark, NOW + HOUR).await.unwrap());
        assert_eq!(scene.state(0).await, "in_doubt", "it may have gone out since");
        std::fs::remove_file(&file).unwrap();
        assert!(store.begin_reconciling(&watermark, NOW + HOUR).await.unwrap(), "still known");
        // As earlier versions wrote it; the name is the key of every id, and is not left there.
        let name = scene.books.row("SELECT name FROM identity").await;
        std::fs::write(&file, format!("{name} 70\n")).unwrap();
        let refused = store.refuse_if_restored(&watermark).await.unwrap_err();
        assert!(matches!(refused, StoreError::Restored { found: 1, seen: 70, .. }), "{refused:?}");
        store.end_reconciling(&watermark).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.ends_with(" 71\n") && text.lines().count() == 1, "{text}");
        assert!(!text.contains(&name), "{text}");
        store.refuse_if_restored(&watermark).await.unwrap();
        store.refuse_if_outdated().await.unwrap();
        assert_eq!(scene.books.number("SELECT epoch FROM identity").await, 71);
        let fresh = Watermark::beside(&folder.path().join("warmfront.toml"));
        store.begin_epoch(&fresh).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_operators_word_settles_a_doubt_and_is_kept_as_evidence() {
    for_each_database(async |books: Books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        scene.send(0, NOW, in_doubt(), None).await;
        scene.send(1, NOW, in_doubt(), None).await;
        let doubts = store.doubts().await.unwrap();
        let listed: Vec<_> = doubts.iter().map(|d| (d.id, d.mailbox.as_str(), d.step)).collect();
        assert_eq!(listed, [(1, "ann@one.test", 1), (2, "bea@one.test", 1)]);
        assert_eq!((doubts[0].evidence.as_str(), doubts[0].rcpt.as_deref()), ("", Some(PEOPLE[0])));
        for id in ["1", "<0@one.test>", "0@one.test"] {
            let known = store.message_state(id).await.unwrap();
            assert_eq!(known, Some((1, "in_doubt".to_owned())), "{id}");
        }
        assert_eq!(store.message_state("99").await.unwrap(), None);
        let next = Some((2, NOW + 3 * DAY));
        let later = NOW + HOUR;
        let settle = async |ids: &[i64], verdict| {
            let messages: Vec<_> = ids.iter().map(|id| (*id, next)).collect();
            store.settle_by_operator(&messages, verdict, later).await.unwrap()
        };
        assert_eq!(settle(&[1], Verdict::Accepted).await, None);
        assert_eq!(settle(&[2, 1], Verdict::Planned).await, Some(1), "settled meanwhile");
        assert_eq!(store.doubts().await.unwrap().len(), 1, "all of them, or none");
        assert_eq!(settle(&[2], Verdict::Planned).await, None);
        let rows = "SELECT m.state, e.next_step FROM messages m
                    JOIN enrolments e ON e.id = m.enrolment_id WHERE m.id < 3 ORDER BY m.id";
        assert_eq!(scene.books.rows(rows).await, ["accepted 2", "planned 1"]);
        let kinds = "SELECT message_id, kind FROM evidence ORDER BY id";
        assert_eq!(scene.books.rows(kinds).await, ["1 operator", "2 operator"]);
        assert_eq!(store.doubts().await.unwrap(), []);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn a_reading_by_a_lease_that_is_over_takes_nothing_up() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        let copy = scene.lost(1, PEOPLE[0], 1).await;
        let taken = vec![scene.taken(&copy, 1).await];
        let found = Found { taken, ..Found::default() };
        let late = store.lease_readings(&scene.mailboxes[..1], "here", NOW, MINUTE).await.unwrap();
        let taken_over = store.take_reading_over(scene.mailboxes[0], "there", NOW, HOUR).await;
        assert_ne!(taken_over.unwrap().epoch, late[0].epoch, "though its time was not over");
        assert_eq!(store.reader(scene.mailboxes[0]).await.unwrap().as_deref(), Some("there"));
        let read = Read { lease: late[0], begun_at: NOW, reading: Reading::default() };
        let today = Today { day: TODAY.to_owned(), since: NOW - HOUR };
        let written = store.record_reconciling(&read, &found, &today, NOW, HOUR).await.unwrap();
        assert_eq!((written, scene.state(0).await.as_str()), (None, "planned"));
    })
    .await;
}
