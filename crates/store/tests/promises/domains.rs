//! A sending domain that fails its checks writes to nobody new: once that has stood for the grace, and
//! not before it was seen twice; an outage says nothing, and follow-ups leave.

use warmfront_core::domain::{Check, Finding, GRACE, Known, Verdict};
use warmfront_store::Turn;

use crate::books::{Books, DAY, HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::scene::{Scene, accepted};

fn found(check: Check, verdict: Verdict, what: &str) -> Finding {
    Finding { check, verdict, what: what.to_owned(), cure: None }
}

async fn see(books: &Books, verdict: Verdict, at: i64) -> Turn {
    let findings = [found(Check::Mx, verdict, "no MX"), found(Check::Spf, Verdict::Warn, "old")];
    books.store.record_domain("one.test", &findings, at).await.unwrap()
}

#[tokio::test]
async fn a_failure_holds_first_messages_once_it_was_seen_again_after_the_grace() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let begun = NOW - GRACE;
        assert_eq!(see(&scene.books, Verdict::Fail, begun).await, Turn::None);
        assert_eq!(see(&scene.books, Verdict::Unknown, NOW - HOUR).await, Turn::None);
        assert_eq!(see(&scene.books, Verdict::Fail, NOW - 1).await, Turn::None);
        // Silence after the grace is no second look.
        assert_eq!(see(&scene.books, Verdict::Unknown, NOW + HOUR).await, Turn::None);
        assert!(scene.claim(0, NOW).await);
        assert_eq!(
            see(&scene.books, Verdict::Fail, NOW + HOUR).await,
            Turn::Failing("no MX".into())
        );
        assert_eq!(see(&scene.books, Verdict::Fail, NOW + 2 * HOUR).await, Turn::None);
        assert!(!scene.claim(1, NOW).await);
        scene.books.refuse(&scene.raw_claim(1, NOW), "the sending domain fails its checks").await;
        let failing = scene.books.store.failing_domains().await.unwrap();
        assert_eq!(failing, [("one.test".to_owned(), "no MX".to_owned())]);
        let row = scene.books.store.mailboxes().await.unwrap().remove(0);
        assert_eq!(row.domain_fails.as_deref(), Some("no MX"));
    })
    .await;
}

#[tokio::test]
async fn what_is_mended_gives_the_day_new_room_at_once() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let _ = see(&scene.books, Verdict::Fail, NOW - GRACE).await;
        let _ = see(&scene.books, Verdict::Fail, NOW).await;
        let idle = scene.books.store.claimable_left(TODAY, NOW).await.unwrap();
        assert_eq!(idle, 0, "nobody waits for what may not leave");
        let mark = scene.books.store.planning_mark().await.unwrap();
        assert_eq!(see(&scene.books, Verdict::Warn, NOW + 1).await, Turn::Well);
        assert!(scene.books.store.planning_mark().await.unwrap() > mark);
        assert_eq!(scene.books.store.claimable_left(TODAY, NOW).await.unwrap(), 6);
        assert!(scene.claim(0, NOW).await);
        // And a failure after that begins anew.
        assert_eq!(see(&scene.books, Verdict::Fail, NOW + GRACE).await, Turn::None);
    })
    .await;
}

#[tokio::test]
async fn follow_ups_of_a_failing_domain_leave() {
    for_each_database(async |books| {
        let mut scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let due = NOW + 3 * DAY;
        let follow_up = scene.follow_up(due, due + DAY).await;
        let day = "2027-01-18";
        assert!(scene.books.store.save_plan(scene.plan(day, vec![follow_up])).await.unwrap());
        let _ = see(&scene.books, Verdict::Fail, NOW - GRACE).await;
        let _ = see(&scene.books, Verdict::Fail, NOW).await;
        let fresh = due - MINUTE;
        scene.books.write(&format!("UPDATE mailboxes SET inbox_read_at = {fresh}")).await;
        scene.messages[0] = scene.message("ada@acme.test", 2).await;
        let claim = warmfront_store::Claim { day: day.to_owned(), ..scene.claim_of(0, due) };
        let claim = warmfront_store::Claim { rfc_message_id: "<f@one.test>".to_owned(), ..claim };
        let claim = warmfront_store::Claim { unsubscribe_token: "f".to_owned(), ..claim };
        let revision = "SELECT min(id) FROM step_revisions WHERE position = 2";
        let revision = scene.books.number(revision).await;
        let claim = warmfront_store::Claim { revision, ..claim };
        assert!(scene.books.store.claim(claim).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn where_domains_are_not_looked_at_nothing_is_held() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let _ = see(&scene.books, Verdict::Fail, NOW - GRACE).await;
        let _ = see(&scene.books, Verdict::Fail, NOW).await;
        let settings = scene.books.store.settings().await.unwrap().unwrap();
        let off = warmfront_store::Settings { domain_grace_ms: None, ..settings };
        scene.books.store.write_settings(&off).await.unwrap();
        assert!(scene.claim(0, NOW).await);
    })
    .await;
}

/// The view and core's rule are one: over looks at every few hours, drawn by a pattern.
#[tokio::test]
async fn the_books_and_the_core_hold_back_alike() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let verdicts =
            [Verdict::Fail, Verdict::Fail, Verdict::Unknown, Verdict::Fail, Verdict::Pass];
        let (mut known, mut held) = (None, 0);
        for step in 0..40_usize {
            // Long stretches of failure, with silences; health now and then.
            let verdict = verdicts[if step % 13 == 12 { 4 } else { step % 4 }];
            let now = NOW + i64::try_from(step).unwrap() * 9 * HOUR;
            let _ = see(&scene.books, verdict, now).await;
            known = Some(Known::after(known, verdict, now));
            let gates = known.is_some_and(|known| known.gates(GRACE));
            let failing = scene.books.store.failing_domains().await.unwrap();
            assert_eq!(!failing.is_empty(), gates, "step {step}: {known:?}");
            held += u32::from(gates);
        }
        assert!(held > 5, "held only {held} times");
    })
    .await;
}

#[tokio::test]
async fn a_check_that_is_made_no_more_is_forgotten() {
    for_each_database(async |books| {
        let both = [
            found(Check::Mx, Verdict::Pass, "well"),
            found(Check::Blocklist, Verdict::Fail, "listed"),
        ];
        books.store.record_domain("one.test", &both, NOW).await.unwrap();
        books.store.record_domain("two.test", &both, NOW).await.unwrap();
        books.store.record_domain("one.test", &both[..1], NOW + 1).await.unwrap();
        let left = books.store.domain_checks().await.unwrap();
        let left: Vec<_> =
            left.iter().map(|row| (row.domain.as_str(), row.check_name.as_str())).collect();
        assert_eq!(left, [("one.test", "mx"), ("two.test", "blocklist"), ("two.test", "mx")]);
    })
    .await;
}
