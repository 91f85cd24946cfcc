//! What is taken up of a Sent folder: once, each by itself, and counted like any other.

use warmfront_core::health::Blow;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::reading::{Arrived, Reading, SentCopy};
use warmfront_store::{Consequence, Found, TakenUp};

use crate::books::{HOUR, MINUTE, NOW, TOMORROW, for_each_database};
use crate::readings::place;
use crate::scene::{PEOPLE, Scene, deferred};
use crate::sent_copies::sent;

#[tokio::test]
async fn two_copies_of_one_message_are_one_message() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let copy = scene.lost(1, PEOPLE[0], 1).await;
        let again =
            SentCopy { place: place("Sent", 7, 2), key: "again".to_owned(), ..copy.clone() };
        let taken = vec![scene.taken(&copy, 1).await, scene.taken(&again, 1).await];
        let found = Found { taken, ..Found::default() };
        assert_eq!(scene.reconcile(found, vec![copy, again], NOW + HOUR).await, 1);
        assert_eq!(scene.books.store.strays().await.unwrap(), []);
        let state = "SELECT state, next_step FROM enrolments WHERE id = 1";
        assert_eq!(scene.books.row(state).await, "active 2");
        let kept = "SELECT message_id FROM sent_copies";
        assert_eq!(scene.books.rows(kept).await, ["1", "1"]);
    })
    .await;
}

#[tokio::test]
async fn what_the_books_refuse_to_take_up_is_a_stray_and_keeps_no_other_from_it() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let (refused, fine) =
            (scene.lost(1, PEOPLE[0], 1).await, scene.lost(2, PEOPLE[2], 1).await);
        let (taken, stray) = scene.taken(&refused, 1).await;
        // A text that the books do not have.
        let taken = vec![(TakenUp { revision: 99, ..taken }, stray), scene.taken(&fine, 1).await];
        let found = Found { taken, ..Found::default() };
        assert_eq!(scene.reconcile(found, vec![refused, fine], NOW + HOUR).await, 1);
        let states = "SELECT state FROM enrolments WHERE id IN (1, 3) ORDER BY id";
        assert_eq!(scene.books.rows(states).await, ["held", "active"]);
        assert_eq!(scene.books.store.strays().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_answers_it_in_the_same_reading_is_told() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let copy = scene.lost(1, PEOPLE[0], 1).await;
        let found = Found { taken: vec![scene.taken(&copy, 1).await], ..Found::default() };
        let inbound = Inbound {
            names: vec![copy.ids[0].clone()],
            ..Inbound::told("k".to_owned(), NOW + HOUR, Kind::Reply)
        };
        let arrivals = vec![Arrived { place: None, inbound }];
        let reading = Reading { arrivals, ..sent(vec![copy]) };
        let recorded = scene.reconcile_all(found, reading, NOW + HOUR).await;
        assert_eq!((recorded.led_to, recorded.taken_up), (vec![Consequence::Ended], 1));
        assert_eq!(recorded.refused, []);
    })
    .await;
}

#[tokio::test]
async fn easing_takes_of_a_day_that_was_taken_up_as_much_as_of_any_other() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let copy = scene.lost(1, PEOPLE[0], 1).await;
        let (taken, stray) = scene.taken(&copy, 1).await;
        let taken = vec![(TakenUp { day: TOMORROW.to_owned(), ..taken }, stray)];
        let found = Found { taken, ..Found::default() };
        scene.reconcile(found, vec![copy], NOW + HOUR).await;
        assert!(scene.books.store.save_plan(scene.plan(TOMORROW, vec![])).await.unwrap());
        let day =
            format!("SELECT ceiling FROM mailbox_days WHERE mailbox_id = 1 AND day = '{TOMORROW}'");
        assert_eq!(scene.books.number(&day).await, 40);
        let now = NOW + 10 * MINUTE;
        scene.send(2, now, deferred(now), Some(Blow::Deferred)).await;
        assert_eq!(scene.books.number(&day).await, 20);
    })
    .await;
}
