//! What settles a doubt, wherever and whenever it is found: that a message was sent counts for more
//! than that it was not.

use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::reading::SentCopy;

use crate::books::{Books, HOUR, MINUTE, NOW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted, in_doubt};
use crate::sent_copies::{copy, sent};

/// Ann's Sent folder, which lacks the message in the middle and nothing else.
fn without_it() -> Vec<SentCopy> {
    vec![copy(1, &["<0@one.test>"], PEOPLE[0]), copy(2, &["<4@one.test>"], PEOPLE[4])]
}

/// One that names the message in the middle.
fn answer(kind: Kind) -> Inbound {
    Inbound { names: vec!["<2@one.test>".to_owned()], ..Inbound::told("k".to_owned(), NOW, kind) }
}

fn its_copy() -> SentCopy {
    copy(9, &["<2@one.test>"], PEOPLE[2])
}

/// Whoever finds it asked for the time before whoever else had the books was done.
#[tokio::test]
async fn evidence_written_by_a_clock_that_is_behind_settles_a_doubt_too() {
    let early = NOW + 10 * MINUTE;
    for kind in [None, Some(Kind::Reply), Some(Kind::AutoReply)] {
        for_each_database(async |books| {
            let scene = Scene::begin_in_doubt(books).await;
            let settled = "SELECT settled_at FROM messages WHERE id = 3";
            assert!(early < scene.books.number(settled).await);
            match kind {
                Some(kind) => {
                    let arrivals = [answer(kind)];
                    let store = &scene.books.store;
                    store.record_inbound(scene.mailboxes[0], &arrivals, early).await.unwrap();
                }
                None => _ = scene.read(sent(vec![its_copy()]), early).await,
            }
            assert_eq!(scene.settle_by_evidence(early).await, "accepted", "{kind:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_copy_read_early_settles_a_doubt_by_a_clock_that_is_behind() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(2, NOW).await);
        scene.read(sent(vec![its_copy()]), NOW).await;
        assert!(scene.settle(2, NOW + HOUR, in_doubt(), None).await);
        assert_eq!(scene.settle_by_evidence(NOW + MINUTE).await, "accepted");
    })
    .await;
}

/// A first step that was given back may leave by another mailbox, with the id that it has; of that an
/// older copy of the books knows nothing.
#[tokio::test]
async fn a_copy_that_another_mailbox_has_proves_that_a_message_was_sent() {
    let late = NOW + 2 * HOUR;
    let elsewhere = async |scene: &Scene| {
        scene.read_of(1, sent(vec![its_copy()]), late).await;
        let manual = "SELECT CAST(sum(manual) AS BIGINT) FROM mailbox_days";
        assert_eq!(scene.books.number(manual).await, 0, "it is none by hand");
    };
    let before = async |books: Books| {
        let scene = Scene::begin_in_doubt(books).await;
        elsewhere(&scene).await;
        assert_eq!(scene.look_into_sent(without_it(), late).await, "accepted");
    };
    let behind = async |books: Books| {
        let scene = Scene::begin_in_doubt(books).await;
        scene.read(sent(without_it()), late).await;
        elsewhere(&scene).await;
        assert_eq!(scene.settle_by_evidence(late).await, "accepted");
    };
    let on_its_way = async |books: Books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        assert!(scene.claim(2, NOW + 10 * MINUTE).await);
        elsewhere(&scene).await;
        assert!(scene.settle(2, NOW + 10 * MINUTE, in_doubt(), None).await);
        scene.send(4, NOW + 20 * MINUTE, accepted(), None).await;
        assert_eq!(scene.look_into_sent(without_it(), late).await, "accepted");
    };
    for_each_database(before).await;
    for_each_database(behind).await;
    for_each_database(on_its_way).await;
}

/// Two daemons: the one has seen that it is absent, the other then sees that it is not.
#[tokio::test]
async fn absence_counts_for_nothing_once_a_proof_has_come() {
    for by_its_copy in [false, true] {
        for_each_database(async |books| {
            let scene = Scene::begin_in_doubt(books).await;
            scene.read(sent(without_it()), NOW + 2 * HOUR).await;
            let store = &scene.books.store;
            let absent = store.doubts_with_evidence().await.unwrap();
            assert_eq!(absent.iter().map(|doubt| doubt.was_sent).collect::<Vec<_>>(), [false]);
            match by_its_copy {
                true => _ = scene.read(sent(vec![its_copy()]), NOW + 3 * HOUR).await,
                false => _ = scene.arrive(0, &[answer(Kind::AutoReply)]).await,
            }
            store.settle_doubt(&absent[0], None, NOW + 3 * HOUR).await.unwrap();
            assert_eq!(scene.state(2).await, "in_doubt");
            assert_eq!(scene.settle_by_evidence(NOW + 4 * HOUR).await, "accepted");
        })
        .await;
    }
}

#[tokio::test]
async fn evidence_is_told_in_the_order_in_which_it_was_found() {
    for_each_database(async |books| {
        let scene = Scene::begin_in_doubt(books).await;
        for (kind, at) in [("reply", 5), ("absence", 3), ("bounce", 4)] {
            let at = NOW + at * HOUR;
            let row = format!("VALUES (3, {at}, '{kind}')");
            scene.books.write(&format!("INSERT INTO evidence (message_id, at, kind) {row}")).await;
        }
        let doubts = scene.books.store.doubts().await.unwrap();
        assert_eq!(doubts[0].evidence, "reply,absence,bounce");
    })
    .await;
}
