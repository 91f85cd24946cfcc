//! What comes in: counted once, believed only about the mailbox and the person it names.

use warmfront_core::address::Address;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_store::Consequence;

use crate::books::{DAY, HOUR, NOW, TODAY, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted, deferred, finished, in_doubt};

fn arrival(key: &str, about: Option<&str>, kind: Kind) -> Inbound {
    let names = about.map(str::to_owned).into_iter().collect();
    Inbound { names, ..Inbound::told(key.to_owned(), NOW + HOUR, kind) }
}

/// One that names the first message, and blames somebody if it is a report.
fn about_the_first(key: &str, kind: Kind, blamed: &str) -> Inbound {
    let recipients = vec![Address::parse(blamed).unwrap()];
    Inbound { recipients, ..arrival(key, Some("<0@one.test>"), kind) }
}

/// A report that names no message of ours.
fn blame_alone(key: &str, blamed: &str) -> Inbound {
    let recipients = vec![Address::parse(blamed).unwrap()];
    Inbound { recipients, ..Inbound::told(key.to_owned(), NOW + HOUR, Kind::HardBounce) }
}

/// One that names nothing the books know: some servers put ids of their own in the place of ours,
/// and say so in an answer that may be lost.
fn nameless(from: &str, kind: Kind) -> Inbound {
    let from = Some(Address::parse(from).unwrap());
    Inbound { from, ..arrival("k", Some("<rewritten@server.test>"), kind) }
}

impl Scene {
    pub(crate) async fn arrive(&self, mailbox: usize, arrivals: &[Inbound]) -> Vec<Consequence> {
        let mailbox = self.mailboxes[mailbox];
        self.books.store.record_inbound(mailbox, arrivals, NOW + HOUR).await.unwrap()
    }

    /// The first enrolment's state, whether its person is suppressed, the state of its mailbox.
    async fn outcome(&self) -> String {
        let query = "SELECT e.state AS a, m.state AS b, b.state AS c,
                            (SELECT count(*) FROM suppressions) AS d
                     FROM enrolments e JOIN messages m ON m.enrolment_id = e.id
                     JOIN mailboxes b ON b.id = m.mailbox_id WHERE m.id = 1";
        self.books.row(query).await
    }
}

#[tokio::test]
async fn each_kind_of_arrival_has_its_consequence() {
    use Consequence::{Ended, None as Nothing};
    let rows = [
        (Kind::Reply, 0, Ended, "replied accepted active 0"),
        (Kind::Unsubscribe, 0, Ended, "unsubscribed accepted active 1"),
        (Kind::Complaint, 0, Ended, "complained accepted paused 1"),
        // Forwarded, or blacked out: the id is enough.
        (Kind::Complaint, 1, Ended, "complained accepted paused 1"),
        (Kind::HardBounce, 0, Ended, "bounced bounced active 1"),
        (Kind::HardBounce, 1, Nothing, "active accepted active 0"),
        (Kind::SoftBounce, 0, Nothing, "active accepted active 0"),
        (Kind::Delayed, 0, Nothing, "active accepted active 0"),
        (Kind::SenderBlock, 0, Nothing, "held accepted active 0"),
        (Kind::AutoReply, 0, Nothing, "active accepted active 0"),
        (Kind::Suspicious, 0, Nothing, "active accepted active 0"),
        (Kind::Unrelated, 0, Nothing, "active accepted active 0"),
    ];
    for (kind, blamed, consequence, outcome) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, accepted(), None).await;
            let told = scene.arrive(0, &[about_the_first("k", kind, PEOPLE[blamed])]).await;
            assert_eq!((told, scene.outcome().await.as_str()), (vec![consequence], outcome));
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_reply_holds_the_person_and_the_company_everywhere_else() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.books.import("summer", 1, &PEOPLE[..4]).await;
        scene.send(0, NOW, accepted(), None).await;
        let reply = arrival("k", Some("<0@one.test>"), Kind::Reply);
        assert_eq!(scene.arrive(0, &[reply]).await, [Consequence::Ended]);
        scene.books.import("autumn", 1, &PEOPLE[1..4]).await;
        let held = |campaign| {
            format!(
                "SELECT substr(p.address, 1, 3) AS held
                 FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
                 JOIN campaigns c ON c.id = e.campaign_id
                 WHERE e.state = 'held' AND c.slug = '{campaign}' ORDER BY e.id"
            )
        };
        // Two colleagues in the same campaign, and all three elsewhere: imported before or later.
        assert_eq!(scene.books.rows(&held("spring")).await, ["bob", "cay"]);
        assert_eq!(scene.books.rows(&held("summer")).await, ["ada", "bob", "cay"]);
        assert_eq!(scene.books.rows(&held("autumn")).await, ["bob", "cay"]);
        let planned = "SELECT count(*) FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
                       WHERE e.state = 'held' AND m.plan_day IS NOT NULL";
        assert_eq!(scene.books.number(planned).await, 0, "what was planned has no day");
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_read_again_holds_the_answered_and_takes_their_plans_back() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        // Bob's row could not be rendered when the reply came, and his values are mended now.
        let bob = scene.enrolment(PEOPLE[1]).await;
        let store = &scene.books.store;
        store.block_enrolment(bob, scene.messages[1], "no first name").await.unwrap();
        scene.send(0, NOW, accepted(), None).await;
        scene.arrive(0, &[arrival("k", Some("<0@one.test>"), Kind::Reply)]).await;
        let query = format!(
            "SELECT e.state, m.plan_day, m.why FROM enrolments e
             JOIN messages m ON m.enrolment_id = e.id WHERE e.id = {bob}"
        );
        let give_a_day = format!(
            "UPDATE messages SET plan_day = '{TODAY}', why = NULL WHERE enrolment_id = {bob}"
        );
        scene.books.write(&give_a_day).await;
        assert_eq!(scene.books.row(&query).await, format!("blocked {TODAY} -"));
        let mut again = crate::scene::campaign("spring", 2);
        again.update = true;
        let rows = vec![crate::scene::row(1, PEOPLE[1])];
        scene.books.import_rows(&again, rows).await.unwrap();
        assert_eq!(scene.books.row(&query).await, "held - enrolment_held");
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn reading_twice_counts_once() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let bounce = about_the_first("k", Kind::HardBounce, PEOPLE[0]);
        let twice = [bounce.clone(), bounce.clone()];
        assert_eq!(scene.arrive(0, &twice).await, [Consequence::Ended, Consequence::Known]);
        assert_eq!(scene.arrive(0, std::slice::from_ref(&bounce)).await, [Consequence::Known]);
        // The same report under another key: the message has bounced already.
        let again = Inbound { key: "l".to_owned(), ..bounce };
        assert_eq!(scene.arrive(0, &[again]).await, [Consequence::None]);
        let query = "SELECT d.settled, d.hard_bounces, c.settled, c.hard_bounces
                     FROM mailbox_days d, campaign_answers c WHERE d.mailbox_id = 1";
        assert_eq!(scene.books.row(query).await, "1 1 1 1");
        assert_eq!(scene.books.number("SELECT count(*) FROM inbound").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_report_about_another_mailboxs_message_does_nothing() {
    for kind in [Kind::HardBounce, Kind::SenderBlock, Kind::Complaint] {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, accepted(), None).await;
            let told = scene.arrive(1, &[about_the_first("k", kind, PEOPLE[0])]).await;
            assert_eq!(told, [Consequence::None]);
            assert_eq!(scene.outcome().await, "active accepted active 0");
        })
        .await;
    }
}

#[tokio::test]
async fn an_arrival_that_names_nothing_of_ours_is_recorded_and_proves_the_reading() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let strangers =
            [arrival("a", None, Kind::Reply), arrival("b", Some("<x@y>"), Kind::Complaint)];
        assert_eq!(scene.arrive(0, &strangers).await, [Consequence::None; 2]);
        assert_eq!(scene.books.number("SELECT count(*) FROM inbound").await, 2);
        let rows = scene.books.store.mailboxes().await.unwrap();
        assert_eq!((rows[0].inbox_read_at, rows[1].inbox_read_at), (Some(NOW + HOUR), None));
    })
    .await;
}

#[tokio::test]
async fn a_no_that_names_no_message_counts_by_its_sender() {
    let rows = [
        (Kind::Reply, "replied accepted active 0", "held held"),
        (Kind::Unsubscribe, "unsubscribed accepted active 1", "active active"),
    ];
    for (kind, outcome, colleagues) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, in_doubt(), None).await;
            // Bea never wrote to Ada.
            let told = scene.arrive(1, &[nameless(PEOPLE[0], kind)]).await;
            assert_eq!(told, [Consequence::None]);
            let told = scene.arrive(0, &[nameless(PEOPLE[0], kind)]).await;
            assert_eq!((told, scene.outcome().await.as_str()), (vec![Consequence::Ended], outcome));
            let query = "SELECT e.state FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
                         WHERE p.address LIKE '%@acme.test' ORDER BY e.id LIMIT 2 OFFSET 1";
            assert_eq!(scene.books.rows(query).await.join(" "), colleagues);
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_bounce_that_names_no_message_holds_whom_the_mailbox_wrote_to_lately() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.books.import("summer", 1, &PEOPLE[..2]).await;
        scene.send(0, NOW, accepted(), None).await;
        let states = "SELECT state FROM enrolments WHERE prospect_id = 1 ORDER BY id";
        let told = scene.arrive(1, &[blame_alone("k", PEOPLE[0])]).await;
        assert_eq!(told, [Consequence::None], "another mailbox wrote");
        assert_eq!(scene.books.rows(states).await, ["active", "active"]);
        let told = scene.arrive(0, &[blame_alone("k", PEOPLE[0])]).await;
        assert_eq!(told, [Consequence::None], "nothing is over");
        assert_eq!(scene.books.rows(states).await, ["held", "held"]);
        assert_eq!(scene.books.number("SELECT count(*) FROM suppressions").await, 0);

        let late = NOW + 8 * DAY;
        scene.books.write("UPDATE enrolments SET state = 'active', because = NULL").await;
        let bounce = blame_alone("l", PEOPLE[0]);
        let store = &scene.books.store;
        store.record_inbound(scene.mailboxes[0], &[bounce], late).await.unwrap();
        assert_eq!(scene.books.rows(states).await, ["active", "active"], "longer than a week ago");
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn the_id_that_the_server_gave_is_known_too() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let fate = warmfront_store::Fate::Accepted {
            final_message_id: Some("<rewritten@server.test>".to_owned()),
            next: Some((2, NOW + DAY)),
        };
        scene.send(0, NOW, fate, None).await;
        let reply = arrival("k", Some("<rewritten@server.test>"), Kind::Reply);
        assert_eq!(scene.arrive(0, &[reply]).await, [Consequence::Ended]);
    })
    .await;
}

#[tokio::test]
async fn a_reply_cancels_what_was_planned_and_a_late_one_corrects_finished() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let follow_up = scene.follow_up(NOW + DAY, NOW + 400 * DAY).await;
        let plan = scene.plan(crate::books::TOMORROW, vec![follow_up]);
        assert!(scene.books.store.save_plan(plan).await.unwrap());
        let reply = |key, id| arrival(key, Some(id), Kind::Reply);
        assert_eq!(scene.arrive(0, &[reply("k", "<0@one.test>")]).await, [Consequence::Ended]);
        let query = "SELECT state, why FROM messages WHERE position = 2";
        assert_eq!(scene.books.row(query).await, "cancelled enrolment_replied");

        scene.send(3, NOW, finished(), None).await;
        assert_eq!(scene.arrive(1, &[reply("l", "<3@one.test>")]).await, [Consequence::Ended]);
        assert_eq!(scene.arrive(1, &[reply("m", "<3@one.test>")]).await, [Consequence::None]);
        let told = "SELECT count(*) FROM events WHERE kind = 'enrolment_replied'";
        assert_eq!(scene.books.number(told).await, 2);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn an_opt_out_and_a_complaint_hold_in_every_campaign() {
    for (kind, state) in [(Kind::Unsubscribe, "unsubscribed"), (Kind::Complaint, "complained")] {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.books.import("summer", 1, &PEOPLE[..1]).await;
            scene.send(0, NOW, accepted(), None).await;
            scene.arrive(0, &[arrival("k", Some("<0@one.test>"), kind)]).await;
            let query = "SELECT state FROM enrolments WHERE prospect_id = 1 ORDER BY id";
            assert_eq!(scene.books.rows(query).await, [state, "suppressed"]);
            scene.books.import("autumn", 1, &PEOPLE[..1]).await;
            assert_eq!(scene.books.rows(query).await, [state, "suppressed", "suppressed"]);
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_to_a_message_in_doubt_settles_the_doubt() {
    let rows = [
        (Kind::Reply, 0, "replied accepted active 0", "1 1 0"),
        (Kind::Unsubscribe, 0, "unsubscribed accepted active 1", "1 1 0"),
        (Kind::HardBounce, 0, "bounced bounced active 1", "1 1 1"),
        (Kind::HardBounce, 1, "active in_doubt active 0", "0 0 0"),
        // No enrolment ends here: whoever knows the campaign settles it, by the evidence.
        (Kind::AutoReply, 0, "active in_doubt active 0", "0 0 0"),
    ];
    for (kind, blamed, outcome, counted) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, in_doubt(), None).await;
            scene.arrive(0, &[about_the_first("k", kind, PEOPLE[blamed])]).await;
            assert_eq!(scene.outcome().await, outcome);
            let query = format!(
                "SELECT accepted, settled, hard_bounces FROM mailbox_days
                 WHERE mailbox_id = 1 AND day = '{TODAY}'"
            );
            assert_eq!(scene.books.row(&query).await, counted);
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_reply_to_a_message_put_off_ends_it() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, deferred(NOW), None).await;
        scene.arrive(0, &[arrival("k", Some("<0@one.test>"), Kind::Reply)]).await;
        assert_eq!(scene.outcome().await, "replied cancelled active 0");
        assert!(!scene.claim(0, NOW + HOUR).await);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_away_gets_the_next_step_when_they_are_back() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let away = Inbound {
            return_on: Some("2027-02-01".parse().unwrap()),
            ..arrival("k", Some("<0@one.test>"), Kind::AutoReply)
        };
        assert_eq!(scene.arrive(0, &[away]).await, [Consequence::None]);
        let next = "SELECT e.state, e.next_at FROM enrolments e WHERE e.id = 1";
        // Noon of that day in Greenwich: it has begun everywhere.
        assert_eq!(scene.books.row(next).await, "active 1801483200000");
        let recorded = "SELECT kind, return_on FROM inbound";
        assert_eq!(scene.books.row(recorded).await, "auto_reply 2027-02-01");
        // A shorter absence told later brings nothing forward.
        let back = Inbound {
            return_on: Some("2027-01-20".parse().unwrap()),
            ..arrival("l", Some("<0@one.test>"), Kind::AutoReply)
        };
        scene.arrive(0, &[back]).await;
        assert_eq!(scene.books.row(next).await, "active 1801483200000");
    })
    .await;
}

#[tokio::test]
async fn a_report_that_is_not_about_what_was_sent_is_recorded_as_suspicious() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let reports = [
            about_the_first("a", Kind::HardBounce, PEOPLE[1]),
            about_the_first("b", Kind::SenderBlock, PEOPLE[1]),
            blame_alone("d", "nobody@nowhere.test"),
        ];
        assert_eq!(scene.arrive(0, &reports).await, [Consequence::None; 3]);
        let kinds = "SELECT kind, count(*) FROM inbound GROUP BY kind";
        assert_eq!(scene.books.rows(kinds).await, ["suspicious 3"]);
        assert_eq!(scene.outcome().await, "active accepted active 0");
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn an_opt_out_by_mail_is_known_by_its_token() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let tokens = vec!["token-0".to_owned()];
        let asks = Inbound { tokens, ..arrival("k", None, Kind::Unsubscribe) };
        assert_eq!(scene.arrive(0, &[asks]).await, [Consequence::Ended]);
        assert_eq!(scene.outcome().await, "unsubscribed accepted active 1");
    })
    .await;
}
