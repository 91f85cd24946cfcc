//! What arrives while its message is still on its way, or in doubt: nothing of it is lost, and it
//! proves that the message went out.

use warmfront_core::address::Address;
use warmfront_core::inbound::{Inbound, Kind};

use crate::books::{DAY, HOUR, NOW, TODAY, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted, deferred, in_doubt, rejected};

fn about_the_first(kind: Kind) -> Inbound {
    let from = Some(Address::parse(PEOPLE[0]).unwrap());
    let (names, recipients) = (vec!["<0@one.test>".to_owned()], from.clone().into_iter().collect());
    Inbound { from, names, recipients, ..Inbound::told("k".to_owned(), NOW + HOUR, kind) }
}

impl Scene {
    /// Looks again as the watcher does; the state of the first message, its enrolment and its mailbox,
    /// and how many are suppressed.
    async fn look_again(&self, now: i64) -> String {
        let store = &self.books.store;
        store.look_again(now).await.unwrap();
        for doubt in store.doubts_with_evidence().await.unwrap() {
            store.settle_doubt(&doubt, Some((2, now + 3 * DAY)), now).await.unwrap();
        }
        self.books.add_up().await;
        let query = "SELECT m.state AS a, e.state AS b, b.state AS c,
                            (SELECT count(*) FROM suppressions) AS d
                     FROM enrolments e JOIN messages m ON m.enrolment_id = e.id
                     JOIN mailboxes b ON b.id = m.mailbox_id WHERE m.id = 1";
        self.books.row(query).await
    }
}

#[tokio::test]
async fn what_came_while_its_message_was_on_its_way_counts_once_it_is_settled() {
    let sent = accepted;
    let rows = [
        (Kind::Reply, sent(), "accepted replied active 0"),
        (Kind::Reply, in_doubt(), "accepted replied active 0"),
        (Kind::Unsubscribe, in_doubt(), "accepted unsubscribed active 1"),
        (Kind::HardBounce, sent(), "bounced bounced active 1"),
        (Kind::HardBounce, in_doubt(), "bounced bounced active 1"),
        (Kind::HardBounce, deferred(NOW), "cancelled bounced active 1"),
        (Kind::HardBounce, rejected("message"), "rejected bounced active 1"),
        (Kind::AutoReply, sent(), "accepted active active 0"),
        (Kind::AutoReply, in_doubt(), "accepted active active 0"),
        (Kind::SoftBounce, in_doubt(), "accepted active active 0"),
        (Kind::Delayed, in_doubt(), "accepted active active 0"),
        (Kind::SenderBlock, in_doubt(), "accepted held active 0"),
        (Kind::Suspicious, in_doubt(), "in_doubt active active 0"),
    ];
    for (kind, fate, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            assert!(scene.claim(0, NOW).await);
            scene.arrive(0, &[about_the_first(kind)]).await;
            scene.look_again(NOW + HOUR).await;
            assert_eq!(scene.state(0).await, "sending", "it is not over");
            assert!(scene.settle(0, NOW + 2 * HOUR, fate.clone(), None).await);
            assert_eq!(scene.look_again(NOW + 3 * HOUR).await, want, "{kind:?} {fate:?}");
            assert_eq!(scene.look_again(NOW + 4 * HOUR).await, want, "once");
        })
        .await;
    }
}

#[tokio::test]
async fn a_bounce_that_came_early_counts_against_its_mailbox_when_it_is_known_that_it_was_sent() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        scene.arrive(0, &[about_the_first(Kind::HardBounce)]).await;
        assert!(scene.settle(0, NOW + 2 * HOUR, accepted(), None).await);
        scene.look_again(NOW + 3 * HOUR).await;
        scene.look_again(NOW + 4 * HOUR).await;
        let counted = format!(
            "SELECT accepted, settled, hard_bounces FROM mailbox_days
             WHERE mailbox_id = 1 AND day = '{TODAY}'"
        );
        assert_eq!(scene.books.row(&counted).await, "1 1 1");
    })
    .await;
}

#[tokio::test]
async fn a_machines_answer_and_any_report_prove_that_a_doubtful_message_went_out() {
    let kinds = [
        (Kind::AutoReply, "reply", "accepted active active 0"),
        (Kind::SoftBounce, "bounce", "accepted active active 0"),
        (Kind::Delayed, "bounce", "accepted active active 0"),
        (Kind::SenderBlock, "bounce", "accepted held active 0"),
    ];
    for (kind, evidence, want) in kinds {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, in_doubt(), None).await;
            scene.arrive(0, &[about_the_first(kind)]).await;
            assert_eq!(scene.look_again(NOW + 2 * HOUR).await, want, "{kind:?}");
            assert_eq!(scene.books.rows("SELECT kind FROM evidence").await, [evidence]);
            let next = "SELECT next_step FROM enrolments WHERE id = 1";
            assert_eq!(scene.books.number(next).await, 2, "the person goes on");
        })
        .await;
    }
}

#[tokio::test]
async fn a_no_by_its_sender_alone_proves_nothing_where_it_may_answer_an_earlier_message() {
    for_each_database(async |books| {
        let mut scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        scene.books.write("UPDATE settings SET person_gap_ms = 0").await;
        scene.campaign = scene.books.import("summer", 1, &PEOPLE[..1]).await.campaign;
        scene.books.store.start_campaign(scene.campaign, NOW).await.unwrap();
        let second = scene.first_step(PEOPLE[0], 0).await;
        let enrolment_id = second.enrolment_id;
        assert!(scene.books.store.save_plan(scene.plan(TODAY, vec![second])).await.unwrap());
        scene.messages.push(scene.books.number("SELECT max(id) FROM messages").await);
        scene.send(6, NOW + HOUR, in_doubt(), None).await;
        let nameless = Inbound { names: vec![], ..about_the_first(Kind::Reply) };
        scene.arrive(0, &[nameless]).await;
        scene.look_again(NOW + 2 * HOUR).await;
        assert_eq!(scene.state(6).await, "in_doubt");
        let state = format!("SELECT state FROM enrolments WHERE id = {enrolment_id}");
        assert_eq!(scene.books.row(&state).await, "replied");
    })
    .await;
}

#[tokio::test]
async fn a_doubt_about_somebody_who_is_out_keeps_no_campaign_from_its_end() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &PEOPLE[..1]).await;
        scene.send(0, NOW, in_doubt(), None).await;
        let finished = async || scene.books.store.finish_campaigns(NOW + HOUR).await.unwrap();
        assert_eq!(finished().await, 0, "the person waits");
        let (scope, store) = (warmfront_store::Scope::Address, &scene.books.store);
        store.suppress(scope, PEOPLE[0], "operator", NOW + HOUR).await.unwrap();
        assert_eq!((finished().await, scene.state(0).await.as_str()), (1, "in_doubt"));
    })
    .await;
}

#[tokio::test]
async fn two_reports_that_came_early_bounce_their_message_once() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        let report =
            |key: &str| Inbound { key: key.to_owned(), ..about_the_first(Kind::HardBounce) };
        scene.arrive(0, &[report("k"), report("l")]).await;
        assert!(scene.settle(0, NOW + 2 * HOUR, in_doubt(), None).await);
        assert_eq!(scene.look_again(NOW + 3 * HOUR).await, "bounced bounced active 1");
        let waiting = "SELECT count(*) FROM inbound WHERE early IS NOT NULL";
        assert_eq!(scene.books.number(waiting).await, 0);
    })
    .await;
}

/// Of what a person wrote by hand the books know nothing.
#[tokio::test]
async fn what_may_answer_mail_by_hand_proves_nothing_of_a_message() {
    let nameless = |kind| Inbound { names: vec![], ..about_the_first(kind) };
    let from_nobody =
        Inbound { kind_from_a_prospect: Some(Kind::AutoReply), ..nameless(Kind::Unrelated) };
    let rows = [
        (nameless(Kind::AutoReply), "in_doubt active active 0"),
        (from_nobody, "in_doubt active active 0"),
        // They say no all the same.
        (Inbound { received_at: NOW - 1, ..nameless(Kind::Reply) }, "in_doubt replied active 0"),
    ];
    for (arrival, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, in_doubt(), None).await;
            scene.arrive(0, std::slice::from_ref(&arrival)).await;
            assert_eq!(scene.look_again(NOW + 2 * HOUR).await, want, "{arrival:?}");
            assert_eq!(scene.books.number("SELECT count(*) FROM evidence").await, 0);
        })
        .await;
    }
}
