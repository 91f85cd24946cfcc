//! A mailbox from day to day: warmed, cooled, healed, paused and back again.

use warmfront_core::health::{Blow, PauseReason};
use warmfront_store::{MailboxRow, MailboxSpec};

use crate::books::{Books, DAY, HOUR, NOW, TODAY, for_each_database};
use crate::scene::{Scene, accepted, rejected, spec};

/// The days from one up to another, within January.
fn days_between(from: &str, to: &str) -> Vec<String> {
    let number = |day: &str| day[8..].parse::<u32>().unwrap();
    (number(from)..number(to)).map(|day| format!("2027-01-{day:02}")).collect()
}

impl Books {
    /// Begins a day of January.
    async fn roll_to(&self, day: u32) -> MailboxRow {
        let day = format!("2027-01-{day:02}");
        self.store.roll_days(&day, days_between, NOW).await.unwrap();
        self.store.mailboxes().await.unwrap().swap_remove(0)
    }

    async fn day_of(&self, day: u32, accepted: u32, deferred: u32, sender_rejections: u32) {
        let attempted = accepted + deferred + sender_rejections;
        self.write(&format!(
            "INSERT INTO mailbox_days (mailbox_id, day, cap, allowance, ceiling, attempted,
                 accepted, deferred, sender_rejections)
             VALUES (1, '2027-01-{day:02}', 50, 10, 10, {attempted}, {accepted}, {deferred},
                 {sender_rejections})"
        ))
        .await;
    }
}

#[tokio::test]
async fn a_day_is_warm_when_half_of_its_allowance_was_accepted_and_nothing_refused() {
    let rows =
        [(10, 0, 0, 21), (5, 0, 0, 21), (4, 0, 0, 20), (9, 0, 1, 20), (5, 5, 0, 21), (0, 0, 0, 20)];
    for (accepted, deferred, rejected, want) in rows {
        for_each_database(async |books| {
            books.fleet(&["ann@one.test"]).await;
            books.day_of(15, accepted, deferred, rejected).await;
            assert_eq!(books.roll_to(16).await.warm_days, want, "{accepted} {deferred} {rejected}");
            assert_eq!(books.roll_to(16).await.warm_days, want, "a day counts once");
        })
        .await;
    }
}

#[tokio::test]
async fn a_fortnight_of_silence_halves_the_warmth() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test"]).await;
        let row = books.roll_to(28).await;
        assert_eq!((row.warm_days, row.idle_days), (20, 13));
        let row = books.roll_to(29).await;
        assert_eq!((row.warm_days, row.idle_days), (10, 14));
        assert_eq!(row.rolled_on, "2027-01-29");
    })
    .await;
}

#[tokio::test]
async fn a_clean_day_heals_ten_points_and_no_other_does() {
    for (accepted, deferred, rejected, want) in
        [(3, 0, 0, 60), (3, 1, 0, 50), (3, 0, 1, 50), (0, 0, 0, 50)]
    {
        for_each_database(async |books| {
            books.fleet(&["ann@one.test"]).await;
            books.write("UPDATE mailboxes SET ease_percent = 50").await;
            books.day_of(15, accepted, deferred, rejected).await;
            assert_eq!(books.roll_to(16).await.ease_percent, want);
        })
        .await;
    }
}

#[tokio::test]
async fn a_mailbox_comes_back_lower_and_with_a_probe_that_an_acceptance_clears() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        scene.send(0, NOW, rejected("sender"), Some(Blow::Spam)).await;
        assert_eq!(store.resume_due(NOW + DAY).await.unwrap(), 0);
        let row = &store.mailboxes().await.unwrap()[0];
        assert_eq!(store.resume_due(row.paused_until.unwrap()).await.unwrap(), 1);
        let row = &store.mailboxes().await.unwrap()[0];
        assert_eq!((row.state.as_str(), row.warm_days, row.probe), ("active", 10, true));

        let mark = store.planning_mark().await.unwrap();
        scene.send(2, NOW + 25 * HOUR, rejected("recipient"), None).await;
        assert!(store.mailboxes().await.unwrap()[0].probe, "a refusal proves nothing");
        assert_eq!(store.planning_mark().await.unwrap(), mark);
        assert!(!scene.claim(4, NOW + 26 * HOUR).await, "one message first");
        scene.plan_again().await;
        scene.send(4, NOW + 26 * HOUR, accepted(), None).await;
        assert!(!store.mailboxes().await.unwrap()[0].probe);
        assert!(store.planning_mark().await.unwrap() > mark, "there is room for the planner");
    })
    .await;
}

#[tokio::test]
async fn neither_a_pause_nor_silence_leaves_a_long_warmed_mailbox_or_one_without_a_ramp_as_it_was()
{
    for (plateau, want) in [(23, (11, 100)), (0, (0, 50))] {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            let (store, ann) = (&scene.books.store, scene.mailboxes[0]);
            let warm = MailboxSpec { plateau, ..spec("ann@one.test") };
            let fleet = [warm, spec("bea@one.test")];
            assert_eq!(store.fleet_is(&fleet).await.unwrap(), plateau == 23);
            store.write_fleet(&fleet, TODAY, NOW).await.unwrap();
            let set = "UPDATE mailboxes SET warm_days = 100, ease_percent = 100";
            let earned = async || {
                let row = store.mailboxes().await.unwrap().swap_remove(0);
                (row.warm_days, row.ease_percent)
            };
            scene.books.write(set).await;
            store.stop_mailbox(ann, PauseReason::Banned, "553", NOW).await.unwrap();
            store.resume_mailbox(ann, NOW + DAY).await.unwrap();
            assert_eq!(earned().await, want);

            scene.books.write(set).await;
            let silence = "2027-01-29";
            let then = store.mailboxes_as_of(silence, days_between, NOW).await.unwrap();
            assert_eq!((then[0].warm_days, then[0].ease_percent), want);
            store.roll_days(silence, days_between, NOW).await.unwrap();
            assert_eq!(earned().await, want);
        })
        .await;
    }
}

#[tokio::test]
async fn a_pause_of_seven_days_costs_no_more_for_the_moment_after_which_it_is_ended() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        scene.send(0, NOW, rejected("sender"), Some(Blow::Spam)).await;
        let until = NOW + 7 * DAY;
        let set = format!("UPDATE mailboxes SET paused_at = {NOW}, paused_until = {until}");
        scene.books.write(&format!("{set} WHERE state = 'paused'")).await;
        assert_eq!(store.resume_due(until + HOUR).await.unwrap(), 1);
        assert_eq!(store.mailboxes().await.unwrap()[0].warm_days, 10);
    })
    .await;
}

#[tokio::test]
async fn an_operators_pause_costs_nothing_and_clears_no_probe() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let (store, ann) = (&scene.books.store, scene.mailboxes[0]);
        for probe in [false, true] {
            let set = format!("UPDATE mailboxes SET probe = {}", i64::from(probe));
            scene.books.write(&set).await;
            store.pause_mailbox(ann, "on holiday", NOW).await.unwrap();
            assert!(!scene.claim(0, NOW).await);
            assert_eq!(store.resume_due(NOW + 99 * DAY).await.unwrap(), 0);
            store.resume_mailbox(ann, NOW + 40 * DAY).await.unwrap();
            let row = &store.mailboxes().await.unwrap()[0];
            assert_eq!((row.state.as_str(), row.warm_days, row.probe), ("active", 20, probe));
        }
    })
    .await;
}

#[tokio::test]
async fn an_operators_pause_outlasts_one_that_ends_by_itself() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let (store, ann) = (&scene.books.store, scene.mailboxes[0]);
        scene.send(0, NOW, rejected("sender"), Some(Blow::Spam)).await;
        store.pause_mailbox(ann, "on holiday", NOW + HOUR).await.unwrap();
        assert_eq!(store.resume_due(NOW + 99 * DAY).await.unwrap(), 0);
        let row = &store.mailboxes().await.unwrap()[0];
        assert_eq!(row.paused_reason.as_deref(), Some("spam"), "no amnesty");
        assert!(row.paused_because.as_ref().unwrap().ends_with("; on holiday"));
        store.resume_mailbox(ann, NOW + 2 * DAY).await.unwrap();
        assert!(store.mailboxes().await.unwrap()[0].probe);
    })
    .await;
}

#[tokio::test]
async fn leaving_the_configuration_and_coming_back_is_no_way_out_of_a_pause() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test", "bea@one.test"]).await;
        let store = &books.store;
        let states = async || -> Vec<String> {
            store.mailboxes().await.unwrap().into_iter().map(|row| row.state).collect()
        };
        store.pause_mailbox(books.mailboxes().await[0], "x", NOW).await.unwrap();
        books.fleet(&[]).await;
        assert_eq!(states().await, ["paused", "disabled"]);
        books.fleet(&["ann@one.test", "bea@one.test"]).await;
        assert_eq!(states().await, ["paused", "active"]);

        let both = [spec("ann@one.test"), spec("bea@one.test")];
        assert!(store.fleet_is(&both).await.unwrap());
        assert!(!store.fleet_is(&both[1..]).await.unwrap(), "the paused one is gone");

        // A pause that ends while it is away ends in no work.
        books.write("UPDATE mailboxes SET paused_until = 5 WHERE id = 1").await;
        books.fleet(&["bea@one.test"]).await;
        assert_eq!(store.resume_due(NOW).await.unwrap(), 1);
        assert_eq!(states().await, ["disabled", "active"]);
        books.fleet(&["ann@one.test", "bea@one.test"]).await;
        assert_eq!(states().await, ["active", "active"]);
    })
    .await;
}

#[tokio::test]
async fn the_configuration_changes_limits_and_no_history() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test"]).await;
        let mut changed = spec("ann@one.test");
        (changed.cap, changed.gap_ms, changed.warm_days) = (9, 1, 0);
        changed.tenant = None;
        books.store.write_fleet(&[changed], TODAY, NOW).await.unwrap();
        let row = books.store.mailboxes().await.unwrap().swap_remove(0);
        assert_eq!((row.cap, row.gap_ms, row.warm_days, row.tenant), (9, 1, 20, None));
    })
    .await;
}

#[tokio::test]
async fn a_follow_up_that_waited_too_long_for_a_paused_mailbox_is_stopped() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let next =
            warmfront_store::Fate::Accepted { final_message_id: None, next: Some((2, NOW + DAY)) };
        scene.send(0, NOW, next, None).await;
        let store = &scene.books.store;
        let late = NOW + 16 * DAY;
        assert_eq!(store.stop_late_follow_ups(14 * DAY, late).await.unwrap(), 0, "it may go");
        let mailbox = scene.books.mailboxes().await[0];
        store.pause_mailbox(mailbox, "by hand", late - HOUR).await.unwrap();
        assert_eq!(store.stop_late_follow_ups(14 * DAY, late).await.unwrap(), 0, "late before");
        let fortnight = late + 14 * DAY;
        assert_eq!(store.stop_late_follow_ups(14 * DAY, fortnight - HOUR).await.unwrap(), 0);
        store.resume_mailbox(mailbox, late).await.unwrap();
        store.pause_mailbox(mailbox, "by hand", NOW).await.unwrap();
        let in_time = NOW + 15 * DAY;
        assert_eq!(store.stop_late_follow_ups(14 * DAY, in_time).await.unwrap(), 0, "in time");
        assert_eq!(store.stop_late_follow_ups(14 * DAY, late).await.unwrap(), 1);
        let state = "SELECT state FROM enrolments WHERE ended_at IS NOT NULL";
        assert_eq!(scene.books.row(state).await, "stopped");
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn a_fleet_longer_than_a_page_is_read_whole_and_in_order() {
    for_each_database(async |books| {
        let fleet: Vec<String> = (0..1_001).map(|nr| format!("ann{nr:04}@one.test")).collect();
        books.fleet(&fleet.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let rows = books.store.mailboxes().await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.address).collect::<Vec<_>>(), fleet);
    })
    .await;
}
