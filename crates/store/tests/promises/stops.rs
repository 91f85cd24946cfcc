//! What an answer asks for beside easing and pausing for a while: half the rate for an hour, stops
//! that wait for a person, domains that take no mail.

use warmfront_core::health::{Blow, PauseReason};

use crate::books::{DAY, HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::scene::{Scene, accepted, deferred, rejected};

const SLOW: &str = "SELECT coalesce(slow_until, 0) FROM mailboxes WHERE id = 1";

#[tokio::test]
async fn a_mailbox_that_was_too_fast_goes_at_half_its_rate_for_an_hour() {
    for_each_database(async |books| {
        let people: Vec<String> = (0..10).map(|n| format!("p{n}@free.test")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let scene = Scene::begin_with(books, &people).await;
        scene.send(0, NOW, deferred(NOW), Some(Blow::TooFast)).await;
        // From the answer on, which came a second after the claim.
        let until = NOW + 1_000 + HOUR;
        assert_eq!(scene.books.row(SLOW).await, until.to_string());
        let gap = async || {
            let query = "SELECT gap_ms FROM message_facts WHERE mailbox_id = 1 LIMIT 1";
            scene.books.row(query).await
        };
        assert_eq!(gap().await, (8 * MINUTE).to_string());
        // Once its lease is over nobody leases it earlier than it may send.
        let later = NOW + 31 * DAY;
        let work = scene.books.store.mailboxes_with_work(TODAY, later).await.unwrap();
        assert_eq!(work[0], (scene.mailboxes[0], NOW + 8 * MINUTE));
        // The claim goes by it, and so does the trigger behind it.
        let second = scene.claim_of(2, NOW + 5 * MINUTE);
        assert!(!scene.books.store.claim(second).await.unwrap());
        scene.send(2, NOW + 8 * MINUTE, accepted(), None).await;
        assert_eq!(scene.books.store.resume_due(until - 1).await.unwrap(), 0);
        assert_eq!(gap().await, (8 * MINUTE).to_string());
        assert_eq!(scene.books.store.resume_due(until).await.unwrap(), 0);
        assert_eq!(gap().await, (4 * MINUTE).to_string());
        assert_eq!(scene.books.row(SLOW).await, "0");
        scene.books.write("UPDATE mailboxes SET gap_ms = 0, slow_until = 1 WHERE id = 1").await;
        assert_eq!(gap().await, "10000");
    })
    .await;
}

#[tokio::test]
async fn what_waiting_does_not_mend_waits_for_a_person() {
    for (blow, reason, whole) in [
        (Blow::Banned, "banned", false),
        (Blow::ConfigurationRefused, "configuration", false),
        (Blow::TenantStopped, "tenant_stopped", true),
    ] {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, deferred(NOW), Some(blow)).await;
            let rows = scene.books.store.mailboxes().await.unwrap();
            let paused =
                |row: &warmfront_store::MailboxRow| row.paused_reason.as_deref() == Some(reason);
            assert!(paused(&rows[0]) && rows[0].paused_until.is_none(), "{:?}", rows[0]);
            assert_eq!(paused(&rows[1]), whole, "{reason}");
            assert_eq!(scene.books.store.resume_due(NOW + 99 * DAY).await.unwrap(), 0);
        })
        .await;
    }
}

#[tokio::test]
async fn a_full_quota_rests_for_a_day_however_often_and_makes_no_other_pause_longer() {
    for (blow, reason) in
        [(Blow::QuotaReached, "quota"), (Blow::TenantQuotaReached, "tenant_quota")]
    {
        for_each_database(async |books| {
            let people: Vec<String> = (0..10).map(|n| format!("p{n}@free.test")).collect();
            let people: Vec<&str> = people.iter().map(String::as_str).collect();
            let scene = Scene::begin_with(books, &people).await;
            let blows = [blow, blow, blow, Blow::Spam, blow];
            let told = [reason, reason, reason, "spam", reason];
            for (nth, (blow, told)) in (0..).zip(blows.into_iter().zip(told)) {
                let now = NOW + nth * HOUR;
                let index = usize::try_from(2 * nth).unwrap();
                scene.send(index, now, deferred(now), Some(blow)).await;
                let row = &scene.books.store.mailboxes().await.unwrap()[0];
                assert_eq!(row.paused_reason.as_deref(), Some(told));
                assert_eq!(row.paused_until, Some(now + 1_000 + DAY), "{told}, the {nth}th");
                for &mailbox in &scene.mailboxes {
                    scene.books.store.resume_mailbox(mailbox, now + MINUTE).await.unwrap();
                }
                scene.plan_again().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn the_figures_that_the_operator_has_set_are_gone_by() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        let set = r#"UPDATE settings SET thresholds =
            '{"slow_for":7200000,"spread_mailboxes":1,"repeat_window":1}'"#;
        scene.books.write(set).await;
        scene.send(0, NOW, deferred(NOW), Some(Blow::TooFast)).await;
        assert_eq!(scene.books.row(SLOW).await, (NOW + 1_000 + 2 * HOUR).to_string());
        for now in [NOW + HOUR, NOW + 2 * HOUR] {
            let index = usize::try_from(2 * (now - NOW) / HOUR).unwrap();
            scene.send(index, now, rejected("sender"), Some(Blow::Spam)).await;
            let fleet = store.mailboxes().await.unwrap();
            let reasons = [0, 1].map(|mailbox| fleet[mailbox].paused_reason.as_deref());
            assert_eq!(reasons, [Some("spam"), Some("domain")], "one is enough");
            assert_eq!(fleet[0].paused_until, Some(now + 1_000 + DAY), "each is a first one");
            for row in &fleet {
                store.resume_mailbox(row.id, now + MINUTE).await.unwrap();
            }
            scene.plan_again().await;
        }
    })
    .await;
}

/// The scene's answers say "busy".
#[tokio::test]
async fn whoever_is_to_mend_a_mailbox_reads_what_its_server_said() {
    for (blow, want) in [
        (Blow::Banned, "its provider has stopped it: busy"),
        (Blow::ConfigurationRefused, "its server cannot be used as it is set up: busy"),
        (Blow::CredentialsRefused, "the server refused the log-in: busy"),
        (Blow::TenantStopped, "its provider has stopped its tenant: busy"),
        (Blow::DomainRefused, "its sending domain was refused: busy"),
        (Blow::Spam, "a server called its mail spam"),
        (Blow::QuotaReached, "its provider's sending limit is reached"),
        (Blow::TenantQuotaReached, "its tenant's sending limit is reached"),
    ] {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, deferred(NOW), Some(blow)).await;
            let rows = scene.books.store.mailboxes().await.unwrap();
            assert_eq!(rows[0].paused_because.as_deref(), Some(want));
        })
        .await;
    }
}

#[tokio::test]
async fn a_tenant_that_is_refused_at_log_in_is_stopped_whole() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let (store, reason) = (&scene.books.store, PauseReason::TenantStopped);
        store.stop_mailbox(1, reason, "535 off (at auth)", NOW).await.unwrap();
        for row in store.mailboxes().await.unwrap() {
            let sentence = row.paused_because.unwrap_or_default();
            assert!(sentence.ends_with("stopped its tenant: 535 off (at auth)"), "{sentence}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_domain_that_takes_no_mail_is_suppressed_and_a_free_mail_domain_is_not() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &["a@acme.test", "b@free.test"]).await;
        for index in 0..2 {
            scene.send(index, NOW, rejected("dead_domain"), Some(Blow::HardBounce)).await;
        }
        let list = scene.books.store.suppressions().await.unwrap();
        let list: Vec<_> = list.iter().map(|s| (s.scope.as_str(), s.value.as_str())).collect();
        assert_eq!(list, [("address", "b@free.test"), ("domain", "acme.test")]);
        let verdicts = "SELECT count(*) FROM messages WHERE verdict = 'hard_bounce'";
        assert_eq!(scene.books.row(verdicts).await, "2");
    })
    .await;
}
