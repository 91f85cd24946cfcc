//! What a claim counts and what becomes of it: five budgets, each counted once.

use warmfront_store::{DOT_WITHIN_MS, Fate};

use crate::books::{Books, DAY, HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted, deferred, finished, in_doubt, not_sent, rejected};

/// Attempts on the four counted budgets of the first message, and its person's last attempt, in
/// milliseconds after the beginning.
async fn counted(books: &Books) -> String {
    books
        .row(&format!(
            "SELECT (SELECT attempted FROM mailbox_days WHERE mailbox_id = 1 AND day = '{TODAY}') AS a,
             (SELECT attempted FROM budget_days WHERE scope = 'domain') AS b,
             (SELECT attempted FROM budget_days WHERE scope = 'tenant') AS c,
             (SELECT attempted FROM budget_days WHERE scope = 'company') AS d,
             (SELECT last_attempt_at - {NOW} FROM prospects WHERE address = 'ada@acme.test') AS e"
        ))
        .await
}

#[tokio::test]
async fn a_claim_counts_once_on_every_budget_and_only_what_was_surely_not_sent_is_given_back() {
    let rows = [
        (accepted(), "1 1 1 1 0"),
        (rejected("recipient"), "1 1 1 1 0"),
        (rejected("sender"), "1 1 1 1 0"),
        (deferred(NOW), "1 1 1 1 0"),
        (in_doubt(), "1 1 1 1 0"),
        (not_sent(NOW), "0 0 0 0 -"),
    ];
    for (fate, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            assert_eq!(counted(&scene.books).await, "0 0 0 - -");
            assert!(scene.claim(0, NOW).await);
            assert_eq!(counted(&scene.books).await, "1 1 1 1 0");
            assert!(!scene.claim(0, NOW).await, "it is in flight");
            assert!(scene.settle(0, NOW + 1, fate.clone(), None).await);
            assert_eq!(counted(&scene.books).await, want, "{fate:?}");
            assert!(!scene.settle(0, NOW + 2, fate.clone(), None).await, "settled once");
            assert_eq!(counted(&scene.books).await, want, "{fate:?}");
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_retry_counts_again_and_a_retry_given_back_leaves_the_attempt_before_it() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, deferred(NOW), None).await;
        assert!(scene.claim(0, NOW + HOUR).await);
        assert_eq!(counted(&scene.books).await, format!("2 2 2 2 {HOUR}"));
        assert!(scene.settle(0, NOW + HOUR, not_sent(NOW + HOUR), None).await);
        assert_eq!(counted(&scene.books).await, "1 1 1 1 0");
        let query = "SELECT attempts, first_attempt_at, sending_since, sending_on FROM messages
                     WHERE id = 1";
        assert_eq!(scene.books.row(query).await, format!("1 {NOW} {NOW} {TODAY}"));
    })
    .await;
}

#[tokio::test]
async fn a_first_attempt_given_back_never_was() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, not_sent(NOW), None).await;
        let query = "SELECT m.attempts, m.first_attempt_at, m.sending_since, e.mailbox_id,
                            m.rfc_message_id
                     FROM messages m JOIN enrolments e ON e.id = m.enrolment_id WHERE m.id = 1";
        assert_eq!(scene.books.row(query).await, "0 - - - <0@one.test>");
    })
    .await;
}

#[tokio::test]
async fn ids_and_text_are_those_of_the_first_attempt() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, deferred(NOW), None).await;
        let mut claim = scene.claim_of(0, NOW + HOUR);
        claim.rfc_message_id = "<other@one.test>".to_owned();
        claim.unsubscribe_token = "other".to_owned();
        claim.revision = 2;
        claim.subject = "Other".to_owned();
        assert!(scene.books.store.claim(claim).await.unwrap());
        let query = "SELECT rfc_message_id, unsubscribe_token, revision_id, subject FROM messages
                     WHERE id = 1";
        assert_eq!(scene.books.row(query).await, "<0@one.test> token-0 1 Hello");
    })
    .await;
}

#[tokio::test]
async fn there_is_no_sixth_attempt() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.books.write("UPDATE settings SET company_per_day = 9").await;
        for attempt in 0..5 {
            scene.send(0, NOW + attempt * HOUR, deferred(NOW + attempt * HOUR), None).await;
        }
        assert!(!scene.claim(0, NOW + 6 * HOUR).await);
        let words = "CHECK constraint failed: attempts BETWEEN 0 AND 5";
        scene.books.refuse(&scene.raw_claim(0, NOW + 6 * HOUR), words).await;
    })
    .await;
}

/// The answers counted for the first mailbox, and for the campaign.
const ANSWERS: &str = "
    SELECT d.attempted, d.accepted, d.deferred, d.sender_rejections, d.settled, d.hard_bounces,
           CAST((SELECT coalesce(sum(settled), 0) FROM campaign_answers) AS BIGINT) AS of_campaign,
           CAST((SELECT coalesce(sum(hard_bounces), 0) FROM campaign_answers) AS BIGINT) AS its_bounces
    FROM mailbox_days d WHERE d.mailbox_id = 1 AND d.day = '2027-01-15'";

#[tokio::test]
async fn every_answer_is_counted_on_the_day_of_its_attempt() {
    let rows = [
        (accepted(), "1 1 0 0 1 0 1 0"),
        (deferred(NOW), "1 0 1 0 0 0 0 0"),
        (rejected("sender"), "1 0 0 1 1 0 1 0"),
        (rejected("recipient"), "1 0 0 0 1 0 1 0"),
        (rejected("hard_bounce"), "1 0 0 0 1 1 1 1"),
        (rejected("deferred"), "1 0 1 0 1 0 1 0"),
        (in_doubt(), "1 0 0 0 0 0 0 0"),
        (not_sent(NOW), "0 0 0 0 0 0 0 0"),
    ];
    for (fate, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, fate.clone(), None).await;
            assert_eq!(scene.books.row(ANSWERS).await, want, "{fate:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_message_put_off_all_day_counts_each_answer() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.books.write("UPDATE settings SET company_per_day = 9").await;
        for attempt in 0..4 {
            scene.send(0, NOW + attempt * HOUR, deferred(NOW + attempt * HOUR), None).await;
        }
        scene.send(0, NOW + 5 * HOUR, accepted(), None).await;
        assert_eq!(scene.books.row(ANSWERS).await, "5 1 4 0 1 0 1 0");
    })
    .await;
}

#[tokio::test]
async fn a_retry_of_another_day_counts_there() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let fate = Fate::Deferred {
            for_recipient: false,
            retry_at: NOW + DAY,
            closes_at: None,
            why: "greylisted".to_owned(),
        };
        scene.send(0, NOW, fate, None).await;
        let query = "SELECT plan_day, due_at FROM messages WHERE id = 1";
        assert_eq!(scene.books.row(query).await, format!("- {}", NOW + DAY));

        let mut leftover = scene.plan(crate::books::TOMORROW, vec![]);
        leftover.messages.push(warmfront_store::NewMessage {
            message_id: Some(scene.messages[0]),
            due_at: NOW + DAY,
            ..scene.first_step(PEOPLE[0], 0).await
        });
        assert!(scene.books.store.save_plan(leftover).await.unwrap());
        let mut claim = scene.claim_of(0, NOW + DAY);
        claim.day = crate::books::TOMORROW.to_owned();
        assert!(scene.books.store.claim(claim).await.unwrap());
        assert!(scene.settle(0, NOW + DAY, finished(), None).await);
        let query = "SELECT attempted, accepted, deferred, settled FROM mailbox_days
                     WHERE mailbox_id = 1 ORDER BY day";
        assert_eq!(scene.books.rows(query).await, ["1 0 1 0", "1 1 0 1"]);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn a_doubt_settled_later_counts_on_the_day_of_its_attempt() {
    let rows = [
        ("accepted", "'accepted'", "1 1 0 0 1 0 1 0"),
        ("bounced", "'hard_bounce'", "1 0 0 0 1 1 1 1"),
        ("planned", "NULL", "1 0 0 0 0 0 0 0"),
    ];
    for (state, verdict, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, in_doubt(), None).await;
            let at = NOW + 2 * DAY;
            let settled = if state == "planned" { "NULL".to_owned() } else { at.to_string() };
            scene
                .books
                .write(&format!(
                    "INSERT INTO evidence (message_id, at, kind) VALUES (1, {at}, 'operator');
                     UPDATE messages SET state = '{state}', verdict = {verdict},
                            settled_at = {settled}, changed_at = {at} WHERE id = 1"
                ))
                .await;
            assert_eq!(scene.books.row(ANSWERS).await, want, "{state}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_moves_the_enrolment() {
    let rows = [
        (accepted(), format!("active 2 {} -", NOW + 3 * DAY)),
        (finished(), format!("finished 1 0 {}", NOW + 1_000)),
        (rejected("message"), format!("rejected 1 0 {}", NOW + 1_000)),
        (rejected("hard_bounce"), format!("bounced 1 0 {}", NOW + 1_000)),
        (deferred(NOW), "active 1 0 -".to_owned()),
        (not_sent(NOW), "active 1 0 -".to_owned()),
        (in_doubt(), "active 1 0 -".to_owned()),
    ];
    for (fate, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, fate.clone(), None).await;
            let query = "SELECT state, next_step, next_at, ended_at FROM enrolments WHERE id = 1";
            assert_eq!(scene.books.row(query).await, want, "{fate:?}");
            let dead = matches!(fate, Fate::Rejected { verdict: "hard_bounce", .. });
            let list = scene.books.store.suppressions().await.unwrap();
            assert_eq!(list.iter().any(|s| s.value == "ada@acme.test"), dead, "{fate:?}");
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn what_comes_back_after_the_end_is_cancelled() {
    for fate in [deferred(NOW), not_sent(NOW)] {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            assert!(scene.claim(0, NOW).await);
            let suppressed = scene.books.store.suppress(
                warmfront_store::Scope::Address,
                "ada@acme.test",
                "asked",
                NOW,
            );
            assert!(suppressed.await.unwrap());
            assert_eq!(scene.state(0).await, "sending", "it cannot be called back");
            assert!(scene.settle(0, NOW + MINUTE, fate.clone(), None).await);
            assert_eq!(scene.state(0).await, "cancelled");
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_dot_is_marked_once_and_under_a_living_lease() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let (store, id, epoch) = (&scene.books.store, scene.messages[0], scene.leases[0].epoch);
        assert!(!store.mark_dot(id, epoch, NOW).await.unwrap(), "nothing is in flight");
        assert!(scene.claim(0, NOW).await);
        assert!(!store.mark_dot(id, epoch - 1, NOW).await.unwrap());
        let ends = scene.leases[0].expires_at;
        assert!(!store.mark_dot(id, epoch, ends).await.unwrap(), "the lease is over");
        let too_late = ends - DOT_WITHIN_MS;
        assert!(!store.mark_dot(id, epoch, too_late).await.unwrap(), "it would be over too soon");
        let hours = async |closes_at| {
            let change = format!("UPDATE messages SET closes_at = {closes_at} WHERE id = {id}");
            scene.books.write(&change).await;
        };
        let closes_at = scene.books.number("SELECT closes_at FROM messages WHERE id = 1").await;
        hours(NOW + 1).await;
        assert!(!store.mark_dot(id, epoch, NOW + 1).await.unwrap(), "its hours are over");
        hours(closes_at).await;
        assert!(store.mark_dot(id, epoch, NOW + 1).await.unwrap());
        assert!(!store.mark_dot(id, epoch, NOW + 2).await.unwrap(), "once");
    })
    .await;
}

#[tokio::test]
async fn what_never_got_an_answer_is_given_back_and_given_up() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let fate = Fate::GivenUp { why: "gave_up after 1d1m: no answer".to_owned() };
        scene.send(0, NOW, fate, None).await;
        let message = "SELECT state, attempts, why FROM messages ORDER BY id LIMIT 1";
        assert_eq!(scene.books.row(message).await, "rejected 0 gave_up after 1d1m: no answer");
        let enrolment = "SELECT state, because FROM enrolments ORDER BY id LIMIT 1";
        assert_eq!(scene.books.row(enrolment).await, "rejected gave_up after 1d1m: no answer");
        let counted = "SELECT attempted, settled FROM mailbox_days ORDER BY mailbox_id LIMIT 1";
        assert_eq!(scene.books.row(counted).await, "0 0");
    })
    .await;
}
