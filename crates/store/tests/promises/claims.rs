//! The gate: whatever forbids a message to leave is refused when asked, and refused again by the
//! database to whoever does not ask.

use crate::books::{DAY, HOUR, MINUTE, NOW, TODAY, TOMORROW, for_each_database};
use crate::scene::{Scene, accepted, deferred};

/// What is done to the scene before its first message is claimed, and the words of the refusal.
const GATES: [(&str, &str); 22] = [
    ("INSERT INTO suppressions VALUES ('address', 'ada@acme.test', 'x', 1)", "is suppressed"),
    ("INSERT INTO suppressions VALUES ('domain', 'acme.test', 'x', 1)", "is suppressed"),
    (
        "UPDATE prospects SET company = 'holding.test';
         INSERT INTO suppressions VALUES ('domain', 'holding.test', 'x', 1)",
        "is suppressed",
    ),
    ("UPDATE prospects SET address = NULL, erased_at = 1", "the enrolment is over or held"),
    ("UPDATE enrolments SET state = 'held'", "the enrolment is over or held"),
    ("UPDATE enrolments SET state = 'blocked'", "the enrolment is over or held"),
    ("UPDATE campaigns SET state = 'paused', paused_because = 'x'", "the campaign is not running"),
    ("UPDATE campaigns SET state = 'draft'", "the campaign is not running"),
    (
        "UPDATE mailboxes SET state = 'paused', paused_at = 1, paused_reason = 'spam',
             paused_because = 'x'",
        "the mailbox is paused or disabled",
    ),
    ("UPDATE mailboxes SET state = 'disabled'", "the mailbox is paused or disabled"),
    ("UPDATE mailboxes SET lease_epoch = lease_epoch + 1", "the lease is old"),
    ("UPDATE mailboxes SET lease_expires_at = 1800003600000", "the lease is old"),
    ("UPDATE mailboxes SET lease_owner = NULL, lease_expires_at = NULL", "the lease is old"),
    ("UPDATE messages SET due_at = 1800003600001", "the message is not due"),
    ("UPDATE messages SET closes_at = 1800003600000", "the hours of the message are over"),
    ("UPDATE messages SET plan_day = '2027-01-16'", "on the day it was planned for"),
    ("UPDATE messages SET plan_day = NULL", "on the day it was planned for"),
    (
        "UPDATE prospects SET last_attempt_at = 1800003600000 - 48 * 3600000 + 1",
        "the person was written to too lately",
    ),
    (
        "UPDATE mailboxes SET last_attempt_at = 1800003600000 - 4 * 60000 + 1",
        "the mailbox sent too lately",
    ),
    (
        "UPDATE enrolments SET mailbox_id = (SELECT max(id) FROM mailboxes)",
        "from the mailbox of its thread",
    ),
    ("UPDATE mailboxes SET tenant = 'unplanned'", "tenant has no day"),
    ("DELETE FROM settings", "the books have no settings"),
];

/// The same for the budgets: each is full, or has fallen below what was tried.
const BUDGETS: [(&str, &str); 9] = [
    ("UPDATE mailbox_days SET attempted = ceiling", "the mailbox has reached its allowance"),
    ("UPDATE mailbox_days SET attempted = 9, settled = 9", "the mailbox has reached its allowance"),
    ("UPDATE mailbox_days SET cap = 0, allowance = 0, ceiling = 0", "reached its allowance"),
    ("UPDATE mailbox_days SET allowance = 0, ceiling = 0", "reached its allowance"),
    ("UPDATE budget_days SET attempted = ceiling WHERE scope = 'domain'", "has reached its limit"),
    ("UPDATE budget_days SET attempted = ceiling WHERE scope = 'tenant'", "has reached its limit"),
    ("UPDATE budget_days SET ceiling = 0 WHERE scope = 'domain'", "has reached its limit"),
    ("UPDATE budget_days SET ceiling = 0 WHERE scope = 'tenant'", "has reached its limit"),
    (
        "INSERT INTO budget_days VALUES ('company', 'acme.test', '2027-01-15', 2, 2)",
        "has reached its limit",
    ),
];

#[tokio::test]
async fn nothing_leaves_that_may_not() {
    for (change, words) in GATES.into_iter().chain(BUDGETS) {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.books.write(change).await;
            if change.contains("attempted = 9") {
                scene.books.write("UPDATE mailbox_days SET ceiling = 3").await;
            }
            let before = scene.books.rows("SELECT * FROM budget_days, mailbox_days").await;
            assert!(!scene.claim(0, NOW).await, "{change}");
            scene.books.refuse(&scene.raw_claim(0, NOW), words).await;
            let after = scene.books.rows("SELECT * FROM budget_days, mailbox_days").await;
            assert_eq!(before, after, "a refusal counts nothing: {change}");
        })
        .await;
    }
}

#[tokio::test]
async fn the_gates_open_at_the_very_moment() {
    let rows = [
        "UPDATE mailboxes SET lease_expires_at = 1800003600001",
        "UPDATE messages SET due_at = 1800003600000",
        "UPDATE prospects SET last_attempt_at = 1800003600000 - 48 * 3600000",
        "UPDATE mailboxes SET last_attempt_at = 1800003600000 - 4 * 60000",
        "UPDATE mailbox_days SET attempted = ceiling - 1",
        "UPDATE budget_days SET attempted = ceiling - 1",
        "INSERT INTO budget_days VALUES ('company', 'acme.test', '2027-01-15', 2, 1)",
        // Another day's counters, another's suppression, nobody's company.
        "INSERT INTO budget_days VALUES ('company', 'acme.test', '2027-01-14', 2, 2)",
        "INSERT INTO suppressions VALUES ('domain', 'brix.test', 'x', 1)",
        "INSERT INTO suppressions VALUES ('address', 'bob@acme.test', 'x', 1)",
    ];
    for change in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.books.write(change).await;
            assert!(scene.claim(0, NOW).await, "{change}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_ended_enrolment_gets_nothing_more() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.books.write("UPDATE enrolments SET state = 'stopped', ended_at = 5").await;
        assert_eq!(scene.state(0).await, "cancelled");
        assert!(!scene.claim(0, NOW).await);
        scene.books.refuse(&scene.raw_claim(0, NOW), "").await;
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn one_message_of_a_mailbox_is_in_flight() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        // Every other gate is open again: the gap has passed, and nobody was written to.
        let later = NOW + HOUR;
        assert!(!scene.claim(2, later).await);
        let words = "UNIQUE constraint failed: messages.mailbox_id";
        scene.books.refuse(&scene.raw_claim(2, later), words).await;
        assert!(scene.claim(1, later).await, "another mailbox is free");
    })
    .await;
}

#[tokio::test]
async fn a_follow_up_needs_a_fresh_reading_of_the_inbox() {
    let rows = [
        ("NULL", false),
        ("1800003600000 - 15 * 60000 - 1", false),
        ("1800003600000 - 15 * 60000", true),
        ("1800003600000", true),
    ];
    for (read_at, may) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            let on = if scene.books.is_postgres() { "ON messages" } else { "" };
            scene
                .books
                .write(&format!(
                    "UPDATE mailboxes SET inbox_read_at = {read_at};
                     DROP TRIGGER messages_keep_their_step {on}; UPDATE messages SET position = 2"
                ))
                .await;
            assert_eq!(scene.claim(0, NOW).await, may, "{read_at}");
            if !may {
                let raw = scene.raw_claim(0, NOW);
                scene.books.refuse(&raw, "the inbox was not read lately enough").await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_person_is_not_written_to_by_two_campaigns_at_once_but_a_retry_is_no_second_message() {
    for_each_database(async |books| {
        let mut scene = Scene::begin(books).await;
        scene.books.write("UPDATE settings SET company_per_day = 9").await;
        let other = scene.books.import("summer", 1, &["ada@acme.test"]).await.campaign;
        scene.books.store.start_campaign(other, NOW).await.unwrap();
        let spring = std::mem::replace(&mut scene.campaign, other);
        let message = scene.first_step("ada@acme.test", 1).await;
        assert!(scene.books.store.save_plan(scene.plan(TODAY, vec![message])).await.unwrap());
        scene.messages[1] = scene.message("ada@acme.test", 1).await;
        scene.campaign = spring;
        let revision = scene.books.number("SELECT max(id) FROM step_revisions").await;

        scene.send(0, NOW, deferred(NOW), None).await;
        let mut second = scene.claim_of(1, NOW + HOUR);
        second.revision = revision;
        assert!(!scene.books.store.claim(second.clone()).await.unwrap(), "48 hours for others");
        let words = "the person was written to too lately";
        scene.books.refuse(&scene.raw_claim(1, NOW + HOUR), words).await;
        assert!(scene.claim(0, NOW + HOUR).await, "a retry is the same message");
        scene.settle(0, NOW + HOUR, accepted(), None).await;

        second.now = NOW + 49 * HOUR;
        assert!(scene.books.store.claim(second).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_keeps_its_gap() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        assert!(!scene.claim(4, NOW + 4 * MINUTE - 1).await);
        assert!(scene.claim(4, NOW + 4 * MINUTE).await);
    })
    .await;
}

#[tokio::test]
async fn the_third_message_to_a_company_waits_for_another_day() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        scene.send(1, NOW, accepted(), None).await;
        assert!(!scene.claim(2, NOW + HOUR).await);
        scene.books.refuse(&scene.raw_claim(2, NOW + HOUR), "company has reached its limit").await;
        // The operator's new limit holds at once.
        scene.books.write("UPDATE settings SET company_per_day = 3").await;
        assert!(scene.claim(2, NOW + HOUR).await);
    })
    .await;
}

#[tokio::test]
async fn nobodys_company_has_no_limit() {
    for_each_database(async |books| {
        let people = ["a@free.test", "b@free.test", "c@free.test"];
        let scene = Scene::begin_with(books, &people).await;
        for message in 0..3 {
            let now = NOW + HOUR * i64::try_from(message).unwrap();
            scene.send(message, now, accepted(), None).await;
        }
        let query = "SELECT count(*) FROM budget_days WHERE scope = 'company'";
        assert_eq!(scene.books.number(query).await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_was_planned_for_another_day_waits_for_it() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let mut claim = scene.claim_of(0, NOW + DAY);
        claim.day = TOMORROW.to_owned();
        assert!(!scene.books.store.claim(claim).await.unwrap());
        let due = scene.books.store.due(scene.mailboxes[0], TOMORROW, NOW + DAY, 9).await.unwrap();
        assert_eq!(due, []);
    })
    .await;
}
