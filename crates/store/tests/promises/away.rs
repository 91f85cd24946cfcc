//! Whoever is away is reminded when they are back, however early their machine said so.

use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::reason::{self, Turn};
use warmfront_core::span::Span;
use warmfront_store::{Fate, Verdict};

use crate::books::{DAY, HOUR, NOW, TODAY, TOMORROW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted, deferred, in_doubt, not_sent};

/// Noon of the day of return in Greenwich: it has begun everywhere.
const BACK: i64 = 1_801_483_200_000;

fn away() -> Inbound {
    Inbound {
        names: vec!["<0@one.test>".to_owned()],
        return_on: Some("2027-02-01".parse().unwrap()),
        ..Inbound::told("k".to_owned(), NOW, Kind::AutoReply)
    }
}

#[tokio::test]
async fn what_is_told_while_the_step_is_on_its_way_moves_the_next_one() {
    for fate in [accepted(), in_doubt()] {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            let store = &scene.books.store;
            assert!(scene.claim(0, NOW).await);
            scene.arrive(0, &[away()]).await;
            assert!(scene.settle(0, NOW + HOUR, fate.clone(), None).await);
            store.look_again(NOW + 2 * HOUR).await.unwrap();
            for doubt in store.doubts_with_evidence().await.unwrap() {
                let next = Some((2, NOW + 3 * DAY));
                store.settle_doubt(&doubt, next, NOW + 2 * HOUR).await.unwrap();
            }
            let next = "SELECT state, next_step, next_at FROM enrolments WHERE id = 1";
            assert_eq!(scene.books.row(next).await, format!("active 2 {BACK}"));

            let today = Span::new(NOW - 9 * HOUR, NOW + 15 * HOUR).unwrap();
            let trails = store.trails(PEOPLE[0], TODAY, today).await.unwrap();
            let turn = trails.enrolments[0].turn.clone().expect("nothing is planned");
            let turn = Turn { open: vec![Span::new(NOW, BACK).unwrap()], ..turn };
            let why = reason::unplanned(&turn, NOW + HOUR).swap_remove(0);
            let want = "away until 2027-02-01, says their out-of-office of 2027-01-15";
            assert_eq!((why.as_str(), why.to_string().as_str()), ("away", want));
        })
        .await;
    }
}

#[tokio::test]
async fn a_wait_that_is_longer_than_the_absence_stays() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        scene.arrive(0, &[away()]).await;
        let next = Some((2, BACK + DAY));
        let fate = Fate::Accepted { final_message_id: None, next };
        assert!(scene.settle(0, NOW + HOUR, fate, None).await);
        let next = "SELECT next_at FROM enrolments WHERE id = 1";
        assert_eq!(scene.books.number(next).await, BACK + DAY);
    })
    .await;
}

#[tokio::test]
async fn a_follow_up_that_is_planned_waits_too() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        scene.send(0, NOW, accepted(), None).await;
        let follow_up = scene.follow_up(NOW + DAY, NOW + DAY + 8 * HOUR).await;
        assert!(store.save_plan(scene.plan(TOMORROW, vec![follow_up])).await.unwrap());
        scene.arrive(0, &[away()]).await;
        let row = "SELECT plan_day, due_at, why FROM messages WHERE position = 2";
        assert_eq!(scene.books.row(row).await, format!("- {BACK} recipient_away"));
        let of_step_2 = async |until| {
            let work = store.work_begun("2027-03-01", until).await.unwrap();
            work.iter().filter(|one| one.step == 2).count()
        };
        assert_eq!((of_step_2(BACK).await, of_step_2(BACK + 1).await), (0, 1));
        scene.books.add_up().await;
    })
    .await;
}

/// A follow-up that is planned for today, and tried.
async fn with_a_follow_up_on_its_way(books: crate::books::Books) -> Scene {
    let mut scene = Scene::begin(books).await;
    scene.send(0, NOW, accepted(), None).await;
    scene.books.write("UPDATE settings SET person_gap_ms = 0").await;
    let follow_up = scene.follow_up(NOW, NOW + 8 * HOUR).await;
    assert!(scene.books.store.save_plan(scene.plan(TODAY, vec![follow_up])).await.unwrap());
    scene.messages.push(scene.message(PEOPLE[0], 2).await);
    scene.arrive(0, &[]).await;
    assert!(scene.claim(6, NOW + HOUR).await);
    scene
}

const FOLLOW_UP: &str =
    "SELECT state, plan_day, due_at, first_attempt_at, why FROM messages WHERE position = 2";

#[tokio::test]
async fn a_follow_up_that_comes_back_while_they_are_away_waits_too() {
    let now = NOW + HOUR;
    let dead = Fate::NotSent {
        since: Some(NOW),
        retry_at: now,
        closes_at: Some(now + DAY),
        why: "the line went dead".to_owned(),
    };
    for fate in [deferred(now), not_sent(now), dead, in_doubt()] {
        for_each_database(async |books| {
            let scene = with_a_follow_up_on_its_way(books).await;
            scene.arrive(0, &[away()]).await;
            assert!(scene.settle(6, now + 1_000, fate.clone(), None).await);
            if scene.state(6).await == "in_doubt" {
                let (store, id) = (&scene.books.store, scene.messages[6]);
                let unsent = Verdict::Planned;
                let settled = store.settle_by_operator(&[(id, None)], unsent, now + 2_000).await;
                assert_eq!(settled.unwrap(), None);
            }
            let want = format!("planned - {BACK} - recipient_away");
            assert_eq!(scene.books.row(FOLLOW_UP).await, want, "{fate:?}");
            scene.books.add_up().await;
        })
        .await;
    }
}

/// A plan takes a while to be made, and whoever makes it may not know of what comes in meanwhile.
#[tokio::test]
async fn a_plan_that_knows_nothing_of_an_absence_reminds_nobody() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        scene.send(0, NOW, accepted(), None).await;
        let mut follow_up = scene.follow_up(NOW + DAY, NOW + DAY + 8 * HOUR).await;
        scene.arrive(0, &[away()]).await;
        for _ in 0..2 {
            let plan = scene.plan(TOMORROW, vec![follow_up]);
            assert!(store.save_plan(plan).await.unwrap());
            let want = format!("planned - {BACK} - recipient_away");
            assert_eq!(scene.books.row(FOLLOW_UP).await, want);
            follow_up.message_id = Some(scene.message(PEOPLE[0], 2).await);
        }
        scene.books.add_up().await;
    })
    .await;
}

/// Else its first attempt were weeks old when they are back, and it were given up at the first delay.
#[tokio::test]
async fn a_follow_up_that_was_tried_begins_anew_when_they_are_back() {
    for_each_database(async |books| {
        let scene = with_a_follow_up_on_its_way(books).await;
        assert!(scene.settle(6, NOW + HOUR, deferred(NOW + HOUR), None).await);
        scene.arrive(0, &[away()]).await;
        let want = format!("planned - {BACK} - recipient_away");
        assert_eq!(scene.books.row(FOLLOW_UP).await, want);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_back_is_away_no_more() {
    for_each_database(async |books| {
        let scene = with_a_follow_up_on_its_way(books).await;
        scene.arrive(0, &[away()]).await;
        let back = format!("UPDATE enrolments SET away_until = {NOW} WHERE id = 1");
        scene.books.write(&back).await;
        let now = NOW + HOUR;
        assert!(scene.settle(6, now, deferred(now), None).await);
        let want = format!("planned {TODAY} {} {now} busy", now + HOUR);
        assert_eq!(scene.books.row(FOLLOW_UP).await, want);
    })
    .await;
}
