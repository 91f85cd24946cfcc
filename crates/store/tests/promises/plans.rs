//! Plans: saved whole or not at all, revised without touching what stands.

use warmfront_core::health::Blow;
use warmfront_store::{DayPlan, NewMessage, ReckonedBy};

use crate::books::{DAY, HOUR, NOW, TODAY, TOMORROW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted, deferred};

/// Only the first three people are planned.
const PLANNED: [&str; 3] = [PEOPLE[0], PEOPLE[1], PEOPLE[2]];

impl Scene {
    async fn in_an_hour(&self, address: &str, mailbox: usize) -> NewMessage {
        NewMessage { due_at: NOW + HOUR, ..self.first_step(address, mailbox).await }
    }

    fn leftover(&self, message: usize, mut new: NewMessage) -> NewMessage {
        new.message_id = Some(self.messages[message]);
        new
    }

    async fn save(&self, plan: &DayPlan) -> bool {
        self.books.store.save_plan(plan.clone()).await.unwrap()
    }
}

#[tokio::test]
async fn a_pause_takes_the_room_and_leaves_the_day_what_it_was() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        let mut revision = scene.plan(TODAY, vec![]);
        assert!(store.has_ceilings_of(&revision).await.unwrap());
        (revision.mailboxes[0].allowance, revision.mailboxes[0].ceiling) = (0, 0);
        assert!(!store.has_ceilings_of(&revision).await.unwrap());
        assert!(scene.save(&revision).await);
        assert!(store.has_ceilings_of(&revision).await.unwrap());
        let day = "SELECT cap, allowance, ceiling FROM mailbox_days ORDER BY mailbox_id LIMIT 1";
        assert_eq!(scene.books.rows(day).await, ["50 40 0"]);
        // A cap that falls takes the day's allowance along.
        let day_of = &mut revision.mailboxes[0];
        (day_of.cap, day_of.allowance, day_of.ceiling) = (5, 5, 5);
        assert!(scene.save(&revision).await);
        assert_eq!(scene.books.rows(day).await, ["5 5 5"]);
        revision.domains[0].1 = 7;
        assert!(!store.has_ceilings_of(&revision).await.unwrap());
        revision.domains = vec![("new.test".to_owned(), 80)];
        assert!(!store.has_ceilings_of(&revision).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_revision_has_the_next_number_and_leaves_planned_rows_alone() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PLANNED).await;
        scene.books.import("spring", 2, &PEOPLE).await;
        let before = scene.books.rows("SELECT * FROM messages").await;
        let mut revision = scene.plan(TODAY, vec![scene.in_an_hour(PEOPLE[3], 0).await]);
        revision.campaigns[0].target = 5;
        revision.campaigns[0].shortfalls =
            vec![("mailbox_days".to_owned(), 4, "warm another mailbox".to_owned())];
        assert!(scene.save(&revision).await);
        let after = scene.books.rows("SELECT * FROM messages").await;
        assert_eq!(before[..], after[..3]);
        let plans = "SELECT revision, target, planned, shortfall FROM plans ORDER BY revision";
        assert_eq!(scene.books.rows(plans).await, ["1 3 3 0", "2 5 1 4"]);

        let saved = scene.books.store.saved_plan(TODAY).await.unwrap().unwrap();
        assert_eq!((saved.revisions, saved.campaigns), (2, vec![(scene.campaign, 4)]));
        assert_eq!(saved.shortfalls.len(), 1);
        assert_eq!(
            (saved.mailboxes[0].first_at, saved.mailboxes[0].last_at),
            (Some(NOW), Some(NOW + HOUR))
        );
        assert!(scene.books.store.is_planned(TODAY).await.unwrap());
        assert!(!scene.books.store.is_planned(TOMORROW).await.unwrap());
        assert_eq!(scene.books.store.saved_plan(TOMORROW).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn of_two_planners_with_one_idea_the_second_saves_nothing() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PLANNED).await;
        scene.books.import("spring", 2, &PEOPLE).await;
        // The second is one short of the same, and brings one of its own before it.
        let first = scene.plan(TODAY, vec![scene.in_an_hour(PEOPLE[4], 0).await]);
        let second = scene.plan(
            TODAY,
            vec![scene.in_an_hour(PEOPLE[5], 1).await, scene.in_an_hour(PEOPLE[4], 1).await],
        );
        // Who is first of two at once is for the database to say.
        let saved = [scene.save(&first).await, scene.save(&second).await];
        assert_eq!(saved, [true, false]);
        assert_eq!(scene.books.number("SELECT count(*) FROM messages").await, 4);
        assert_eq!(scene.books.number("SELECT count(*) FROM plans").await, 2);
        assert_eq!(scene.books.number("SELECT CAST(sum(planned) AS BIGINT) FROM plans").await, 4);
        let told = "SELECT count(*) FROM events WHERE kind = 'planned'";
        assert_eq!(scene.books.number(told).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_leftover_moves_once_and_a_planner_that_moves_it_too_saves_nothing() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PLANNED).await;
        let moved = scene.leftover(0, scene.in_an_hour(PEOPLE[0], 1).await);
        let plan = scene.plan(TOMORROW, vec![moved]);
        assert!(scene.save(&plan).await);
        let query =
            "SELECT mailbox_id, plan_day, due_at - 1800003600000 FROM messages WHERE id = 1";
        let want = format!("{} {TOMORROW} {HOUR}", scene.mailboxes[1]);
        assert_eq!(scene.books.row(query).await, want);
        assert!(!scene.save(&plan).await, "another planner was faster");
        assert_eq!(scene.books.number("SELECT count(*) FROM plans").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_was_tried_cannot_be_planned_elsewhere() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PLANNED).await;
        scene.send(0, NOW, deferred(NOW), None).await;
        let moved = scene.leftover(0, scene.in_an_hour(PEOPLE[0], 1).await);
        let refused = scene.books.store.save_plan(scene.plan(TOMORROW, vec![moved])).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("a message that was tried keeps its mailbox"), "{refused}");
        assert!(!scene.books.store.is_planned(TOMORROW).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn somebody_who_answers_while_the_plan_is_made_gets_nothing_of_it() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PLANNED).await;
        scene.books.import("spring", 2, &PEOPLE).await;
        let leftover = scene.leftover(0, scene.in_an_hour(PEOPLE[0], 0).await);
        let plan = scene.plan(TOMORROW, vec![leftover, scene.in_an_hour(PEOPLE[4], 1).await]);
        for address in [PEOPLE[0], PEOPLE[4]] {
            let id = scene.enrolment(address).await;
            scene
                .books
                .write(&format!(
                    "UPDATE enrolments SET state = 'replied', ended_at = {NOW} WHERE id = {id}"
                ))
                .await;
        }
        assert!(scene.save(&plan).await);
        let states = scene.books.rows("SELECT state, why FROM messages ORDER BY id").await;
        let cancelled = "cancelled enrolment_replied";
        assert_eq!(states, [cancelled, "planned -", "planned -", cancelled]);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn a_plan_reckoned_before_an_answer_gives_nothing_back() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PLANNED).await;
        let reckoned = |mailbox: usize, ease_percent, probe, manual| ReckonedBy {
            mailbox_id: scene.mailboxes[mailbox],
            ease_percent,
            probe,
            manual,
        };
        let plan = |reckoned_by| DayPlan { reckoned_by, ..scene.plan(TODAY, vec![]) };
        let before = plan(vec![reckoned(0, 100, false, 0), reckoned(1, 100, false, 0)]);
        assert!(scene.save(&before).await);
        scene.send(0, NOW, deferred(NOW), Some(Blow::Deferred)).await;
        assert!(!scene.save(&before).await, "it knows nothing of the deferral");
        let query = "SELECT ceiling FROM mailbox_days WHERE mailbox_id = 1";
        assert_eq!(scene.books.number(query).await, 20);
        assert!(scene.save(&plan(vec![reckoned(0, 50, false, 0)])).await);
        assert!(!scene.save(&plan(vec![reckoned(0, 50, true, 0)])).await);
        assert!(!scene.save(&plan(vec![reckoned(0, 50, false, 1)])).await);
        scene.books.store.pause_mailbox(scene.mailboxes[0], "looked at", NOW).await.unwrap();
        assert!(!scene.save(&plan(vec![reckoned(0, 50, false, 0)])).await);
        assert!(scene.save(&plan(vec![reckoned(1, 100, false, 0)])).await);
    })
    .await;
}

#[tokio::test]
async fn a_ceiling_may_fall_below_what_was_tried_and_nothing_more_is_tried_then() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PLANNED).await;
        scene.send(0, NOW, accepted(), None).await;
        let mut plan = scene.plan(TODAY, vec![]);
        for day in &mut plan.mailboxes {
            (day.cap, day.allowance, day.ceiling) = (0, 0, 0);
        }
        assert!(scene.save(&plan).await);
        let query =
            "SELECT cap, allowance, ceiling, attempted FROM mailbox_days WHERE mailbox_id = 1";
        assert_eq!(scene.books.row(query).await, "1 1 0 1");
        assert!(!scene.claim(2, NOW + HOUR).await);
    })
    .await;
}

#[tokio::test]
async fn work_begun_comes_before_new_people() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PLANNED).await;
        scene.books.import("spring", 2, &PEOPLE).await;
        scene.send(0, NOW, accepted(), None).await;
        let store = &scene.books.store;
        for (planned_at, now, want) in [
            (NOW, NOW + 3 * DAY, true),
            (NOW, NOW + 3 * DAY - 1, false),
            // That plan saw it come, and the last one had it already.
            (NOW + 1_001, NOW + 3 * DAY, false),
            (NOW + 3 * DAY, NOW + 3 * DAY, false),
        ] {
            assert_eq!(store.has_new_follow_up(planned_at, now).await.unwrap(), want, "{now}");
        }
        assert_eq!(store.work_begun(TODAY, NOW + 3 * DAY).await.unwrap(), []);
        let work = store.work_begun(TOMORROW, NOW + 3 * DAY + 1).await.unwrap();
        let steps: Vec<_> = work.iter().map(|c| (c.message_id, c.step, c.mailbox_id)).collect();
        let ann = Some(scene.mailboxes[0]);
        assert_eq!(steps, [(Some(2), 1, None), (Some(3), 1, None), (None, 2, ann)]);

        let mut new = Vec::new();
        store
            .new_enrolments(scene.campaign, 100, |candidate| {
                new.push(candidate.enrolment_id);
                new.len() < 2
            })
            .await
            .unwrap();
        assert_eq!(new, [4, 5], "and no more than wanted");
        let day_use = store.day_use(TODAY).await.unwrap();
        assert_eq!(day_use.mailboxes, [(1, 1, 0), (2, 0, 0)]);
        assert_eq!(day_use.booked.len(), 2);
        assert_eq!(day_use.domains, [("one.test".to_owned(), 3)]);
        assert_eq!(day_use.tenants, [("lab".to_owned(), 3)]);
        assert_eq!(day_use.campaigns, [(scene.campaign, 3)]);
        assert_eq!(day_use.companies[0].used, 3);
        assert_eq!(day_use.people, [2, 3]);
    })
    .await;
}
