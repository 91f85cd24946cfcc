//! Answers that speak against a mailbox: eased once an incident, paused by what adds up, and its
//! domain, tenant or campaign with it.

use warmfront_core::health::{Blow, PauseReason};
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_store::{Fate, MailboxRow, Settlement};

use crate::books::{Books, DAY, HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::scene::{Scene, accepted, deferred, rejected};

/// Twenty-six people, nobody's colleagues: thirteen messages of each mailbox.
async fn many(books: Books) -> Scene {
    let people: Vec<String> = (0..26).map(|n| format!("p{n:02}@free.test")).collect();
    Scene::begin_with(books, &people.iter().map(String::as_str).collect::<Vec<_>>()).await
}

impl Scene {
    async fn mailbox(&self, index: usize) -> MailboxRow {
        self.books.store.mailboxes().await.unwrap().swap_remove(index)
    }

    /// State, reason's word, and how long the pause lasts, in hours.
    async fn pause_of(&self, index: usize) -> (String, Option<String>, Option<i64>) {
        let row = self.mailbox(index).await;
        let lasts = row.paused_until.map(|until| (until - row.paused_at.unwrap()) / HOUR);
        (row.state, row.paused_reason, lasts)
    }

    /// Sends the next message of the first mailbox, `n` gaps after the beginning.
    async fn send_nth(&self, n: usize, fate: Fate, blow: Option<Blow>) {
        let now = NOW + 5 * MINUTE * i64::try_from(n).unwrap();
        self.send(2 * n, now, fate, blow).await;
    }
}

fn paused(reason: &str, hours: i64) -> (String, Option<String>, Option<i64>) {
    ("paused".to_owned(), Some(reason.to_owned()), Some(hours))
}

#[tokio::test]
async fn one_incident_eases_once_and_lowers_todays_ceiling() {
    for_each_database(async |books| {
        let scene = many(books).await;
        let day = "SELECT allowance, ceiling FROM mailbox_days WHERE mailbox_id = 1";
        scene.books.write("UPDATE mailbox_days SET manual = 5, ceiling = 35").await;
        scene.send_nth(0, deferred(NOW), Some(Blow::Deferred)).await;
        assert_eq!(scene.books.row(day).await, "20 15");
        assert_eq!(scene.mailbox(0).await.ease_percent, 50);
        // It left before the cut: the same incident.
        scene.books.write("UPDATE mailboxes SET eased_at = eased_at + 3600000").await;
        scene.send_nth(1, deferred(NOW), Some(Blow::Deferred)).await;
        assert_eq!(scene.books.row(day).await, "20 15");
        scene.send(4, NOW + 2 * HOUR, deferred(NOW), Some(Blow::Deferred)).await;
        assert_eq!(scene.books.row(day).await, "10 5");
        assert_eq!(scene.mailbox(0).await.ease_percent, 25);
        assert_eq!(scene.mailbox(1).await.ease_percent, 100);
        assert_eq!(scene.pause_of(0).await.0, "active");
    })
    .await;
}

#[tokio::test]
async fn easing_never_raises_a_ceiling_nor_takes_all() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.books.write("UPDATE mailbox_days SET ceiling = 3").await;
        scene.send_nth(0, deferred(NOW), Some(Blow::Deferred)).await;
        let day = "SELECT allowance, ceiling FROM mailbox_days WHERE mailbox_id = 1";
        assert_eq!(scene.books.row(day).await, "20 1", "half of what it might still send");
        scene.books.write("UPDATE mailbox_days SET allowance = 1, ceiling = 1").await;
        scene.books.write("UPDATE mailboxes SET last_attempt_at = NULL").await;
        scene
            .books
            .write(
                "UPDATE mailbox_days SET ceiling = 1, allowance = 1, attempted = 0, deferred = 0",
            )
            .await;
        scene.send_nth(1, deferred(NOW), Some(Blow::Deferred)).await;
        assert_eq!(scene.books.row(day).await, "1 1");
    })
    .await;
}

#[tokio::test]
async fn sender_rejections_pause_at_a_tenth_of_the_allotment() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.send_nth(0, rejected("sender"), Some(Blow::SenderRejected)).await;
        assert_eq!(scene.pause_of(0).await.0, "active", "one of twenty");
        scene.send_nth(1, accepted(), None).await;
        scene.send_nth(2, rejected("sender"), Some(Blow::SenderRejected)).await;
        assert_eq!(scene.pause_of(0).await, paused("sender_rejections", 24));
        assert!(!scene.claim(6, NOW + HOUR).await);
        assert_eq!(scene.pause_of(1).await.0, "active");
    })
    .await;
}

#[tokio::test]
async fn the_third_hard_bounce_of_the_last_twenty_pauses() {
    for_each_database(async |books| {
        let scene = many(books).await;
        let dead = || rejected("hard_bounce");
        // Two of the first twelve would do too; the rate is not asked here.
        for n in 0..10 {
            scene.send_nth(n, accepted(), None).await;
        }
        scene
            .books
            .write("UPDATE messages SET settled_at = settled_at - 1 WHERE settled_at > 0")
            .await;
        scene.send_nth(10, dead(), Some(Blow::HardBounce)).await;
        assert_eq!(scene.pause_of(0).await.0, "active");
        scene
            .books
            .write("UPDATE messages SET state = 'bounced', verdict = 'hard_bounce' WHERE id = 1")
            .await;
        scene.send_nth(11, dead(), Some(Blow::HardBounce)).await;
        assert_eq!(scene.pause_of(0).await, paused("hard_bounces", 24));
        assert_eq!(scene.mailbox(0).await.ease_percent, 100, "a dead address eases nothing");
    })
    .await;
}

#[tokio::test]
async fn two_bounces_of_few_are_a_rate() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.send_nth(0, rejected("hard_bounce"), Some(Blow::HardBounce)).await;
        assert_eq!(scene.pause_of(0).await.0, "active", "one of one is no rate");
        scene.send_nth(1, rejected("hard_bounce"), Some(Blow::HardBounce)).await;
        assert_eq!(scene.pause_of(0).await, paused("bounce_rate", 24));
    })
    .await;
}

#[tokio::test]
async fn spam_pauses_at_once_the_longer_the_sooner_it_comes_again() {
    for_each_database(async |books| {
        let scene = many(books).await;
        let spam = |n| scene.send_nth(n, rejected("sender"), Some(Blow::Spam));
        spam(0).await;
        assert_eq!(scene.pause_of(0).await, paused("spam", 24));
        let store = &scene.books.store;
        store.resume_mailbox(scene.mailboxes[0], NOW + MINUTE).await.unwrap();
        spam(1).await;
        assert_eq!(scene.pause_of(0).await, paused("spam", 7 * 24));
        store.resume_mailbox(scene.mailboxes[0], NOW + HOUR).await.unwrap();
        scene.plan_again().await;
        scene.send(4, NOW + HOUR, rejected("sender"), Some(Blow::Spam)).await;
        let (state, _, lasts) = scene.pause_of(0).await;
        assert_eq!((state.as_str(), lasts), ("paused", None), "until the operator resumes");
        assert_eq!(store.resume_due(NOW + 999 * DAY).await.unwrap(), 0);

        // After a fortnight of peace the next one is a first one.
        store.resume_mailbox(scene.mailboxes[0], NOW + 2 * HOUR).await.unwrap();
        scene.plan_again().await;
        scene.send(6, NOW + 16 * DAY, rejected("sender"), Some(Blow::Spam)).await;
        assert_eq!(scene.pause_of(0).await, paused("spam", 24));
    })
    .await;
}

#[tokio::test]
async fn a_refused_log_in_waits_for_a_person_and_counts_as_no_pause() {
    for_each_database(async |books| {
        let scene = many(books).await;
        // Nothing was sent, and nothing remains of the attempt but the blow.
        let fate = crate::scene::not_sent(NOW);
        scene.send_nth(0, fate, Some(Blow::CredentialsRefused)).await;
        let until_mended = ("paused".to_owned(), Some("credentials".to_owned()), None);
        assert_eq!(scene.pause_of(0).await, until_mended);
        let store = &scene.books.store;
        store.resume_mailbox(scene.mailboxes[0], NOW + MINUTE).await.unwrap();
        assert_eq!(scene.mailbox(0).await.warm_days, 20);
        scene.send_nth(1, rejected("sender"), Some(Blow::Spam)).await;
        assert_eq!(scene.pause_of(0).await, paused("spam", 24));
        let reason = PauseReason::Credentials;
        store.stop_mailbox(scene.mailboxes[1], reason, "535", NOW).await.unwrap();
        assert_eq!(scene.pause_of(1).await, until_mended);
    })
    .await;
}

impl Scene {
    /// Somebody complains of the first mailbox's first message, whatever became of it.
    async fn complaint(&self, now: i64) {
        let complaint = Inbound {
            names: vec!["<0@one.test>".to_owned()],
            ..Inbound::told("k".to_owned(), now, Kind::Complaint)
        };
        self.books.store.record_inbound(self.mailboxes[0], &[complaint], now).await.unwrap();
    }
}

#[tokio::test]
async fn a_graver_reason_takes_the_place_of_a_lighter_one() {
    // Whether the lighter pause waits for a person, and how long the graver one lasts from the
    // beginning of the lighter. None of the lighter ones makes the next pause longer.
    let rows = [
        (PauseReason::Operator, None),
        (PauseReason::Configuration, None),
        (PauseReason::Credentials, None),
        (PauseReason::Quota, Some(1 + 24)),
    ];
    for (lighter, lasts) in rows {
        for_each_database(async |books| {
            let scene = many(books).await;
            let (store, ann) = (&scene.books.store, scene.mailboxes[0]);
            let blow = (lighter == PauseReason::Quota).then_some(Blow::QuotaReached);
            scene.send(0, NOW, accepted(), blow).await;
            if lighter != PauseReason::Quota {
                store.stop_mailbox(ann, lighter, "before", NOW).await.unwrap();
            }
            scene.complaint(NOW + 1_000 + HOUR).await;
            let want = ("paused".to_owned(), Some("complaint".to_owned()), lasts);
            assert_eq!(scene.pause_of(0).await, want, "{lighter:?}");
            let row = scene.mailbox(0).await;
            let both = row.paused_because.unwrap();
            assert!(both.starts_with("a recipient reported its mail as spam; "), "{both}");
            assert!(both.contains(&lighter.to_string()), "{both}");
            let told = scene.pauses_told().await;
            assert_eq!(told, [lighter.as_str(), "complaint"]);
            store.resume_mailbox(ann, NOW + DAY).await.unwrap();
            let row = scene.mailbox(0).await;
            assert_eq!((row.warm_days, row.probe), (10, true));

            // It counted: the next one is longer.
            scene.send(2, NOW + DAY, rejected("sender"), Some(Blow::Spam)).await;
            assert_eq!(scene.pause_of(0).await.2, Some(7 * 24), "{lighter:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_lighter_reason_takes_no_graver_ones_place() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.send(0, NOW, rejected("sender"), Some(Blow::Spam)).await;
        let reason = PauseReason::Credentials;
        scene.books.store.stop_mailbox(scene.mailboxes[0], reason, "535", NOW).await.unwrap();
        let until_mended = ("paused".to_owned(), Some("spam".to_owned()), None);
        assert_eq!(scene.pause_of(0).await, until_mended);
        scene.complaint(NOW + HOUR).await;
        assert_eq!(scene.pause_of(0).await, until_mended, "one pause an incident");
        assert_eq!(scene.pauses_told().await, ["spam"]);
    })
    .await;
}

impl Scene {
    /// The reasons of all pauses that were told, in order.
    async fn pauses_told(&self) -> Vec<String> {
        let query = "SELECT data FROM events WHERE kind = 'mailbox_paused' ORDER BY id";
        let reason = |data: &String| {
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            data["reason"].as_str().unwrap().to_owned()
        };
        self.books.rows(query).await.iter().map(reason).collect()
    }
}

#[tokio::test]
async fn a_policy_pause_counts_for_a_day_though_it_is_over() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.books.fleet(&["ann@one.test", "bea@one.test", "cas@one.test", "dot@two.test"]).await;
        let store = &scene.books.store;
        scene.send(0, NOW, rejected("sender"), Some(Blow::Spam)).await;
        store.resume_mailbox(scene.mailboxes[0], NOW + HOUR).await.unwrap();
        // The same mailbox again is one mailbox still.
        scene.send(2, NOW + HOUR, rejected("sender"), Some(Blow::Spam)).await;
        store.resume_mailbox(scene.mailboxes[0], NOW + 2 * HOUR).await.unwrap();
        store.pause_mailbox(scene.mailboxes[0], "on holiday", NOW + 2 * HOUR).await.unwrap();
        assert_eq!(scene.pause_of(2).await.0, "active");
        scene.send(1, NOW + 3 * HOUR, rejected("sender"), Some(Blow::Spam)).await;
        assert_eq!(scene.pause_of(2).await, paused("domain", 24));
        assert_eq!(scene.pause_of(3).await, paused("tenant", 24));
        let held = ("paused".to_owned(), Some("domain".to_owned()), None);
        assert_eq!(scene.pause_of(0).await, held, "the operator's hold stands");
    })
    .await;
}

#[tokio::test]
async fn two_policy_pauses_within_a_day_pause_the_domain_and_the_tenant() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.books.fleet(&["ann@one.test", "bea@one.test", "cas@one.test", "dot@two.test"]).await;
        scene.send(0, NOW, rejected("sender"), Some(Blow::Spam)).await;
        assert_eq!(scene.pause_of(2).await.0, "active");
        scene.send(1, NOW + HOUR, rejected("sender"), Some(Blow::Spam)).await;
        assert_eq!(scene.pause_of(1).await, paused("spam", 24));
        assert_eq!(scene.pause_of(2).await, paused("domain", 24));
        assert_eq!(scene.pause_of(3).await, paused("tenant", 24));
    })
    .await;
}

#[tokio::test]
async fn two_policy_pauses_a_day_apart_pause_nobody_else() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.books.fleet(&["ann@one.test", "bea@one.test", "cas@one.test"]).await;
        scene.send(0, NOW, rejected("sender"), Some(Blow::Spam)).await;
        scene.send(1, NOW + DAY, rejected("sender"), Some(Blow::Spam)).await;
        assert_eq!(scene.pause_of(2).await.0, "active");
    })
    .await;
}

#[tokio::test]
async fn a_refused_domain_is_paused_whole_and_each_mailbox_counts_its_own() {
    for_each_database(async |books| {
        let scene = many(books).await;
        let earlier =
            format!("UPDATE mailboxes SET pauses = 1, last_paused_at = {NOW} WHERE id = 2");
        scene.books.write(&earlier).await;
        scene.send(0, NOW + HOUR, rejected("sender"), Some(Blow::DomainRefused)).await;
        assert_eq!(scene.pause_of(0).await, paused("domain", 24));
        assert_eq!(scene.pause_of(1).await, paused("domain", 7 * 24));
    })
    .await;
}

#[tokio::test]
async fn a_list_that_bounces_pauses_its_campaign() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.books.write("INSERT INTO campaign_answers VALUES (1, 1, 20, 2)").await;
        scene.send(0, NOW, rejected("hard_bounce"), Some(Blow::HardBounce)).await;
        let state = "SELECT state FROM campaigns";
        assert_eq!(scene.books.row(state).await, "running", "three of twenty-one is bad luck");
        scene.books.write("UPDATE campaign_answers SET settled = 20 * (2 - mailbox_id)").await;
        scene.send(1, NOW, rejected("hard_bounce"), Some(Blow::HardBounce)).await;
        assert_eq!(scene.books.row(state).await, "paused");
        let because = scene.books.row("SELECT paused_because FROM campaigns").await;
        assert!(because.starts_with("its list bounces: 4 of 21 messages"), "{because}");
        assert!(!scene.claim(2, NOW + HOUR).await);
        // The operator has seen it: what bounced so far is forgotten.
        scene.books.store.start_campaign(scene.campaign, NOW + HOUR).await.unwrap();
        let state = "SELECT state, paused_because FROM campaigns";
        assert_eq!(scene.books.row(state).await, "running -");
        assert_eq!(scene.books.number("SELECT max(settled) FROM campaign_answers").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_complaint_about_an_old_message_lowers_today_and_leaves_that_day_as_it_was() {
    for_each_database(async |books| {
        let scene = many(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let tomorrow = scene.plan(crate::books::TOMORROW, vec![]);
        assert!(scene.books.store.save_plan(tomorrow).await.unwrap());
        let complaint = Inbound {
            names: vec!["<0@one.test>".to_owned()],
            ..Inbound::told("k".to_owned(), NOW + DAY, Kind::Complaint)
        };
        let ann = scene.mailboxes[0];
        scene.books.store.record_inbound(ann, &[complaint], NOW + DAY).await.unwrap();
        let query = "SELECT day, allowance, ceiling FROM mailbox_days WHERE mailbox_id = 1";
        let want = [format!("{TODAY} 40 40"), format!("{} 20 20", crate::books::TOMORROW)];
        assert_eq!(scene.books.rows(query).await, want);
        assert_eq!(scene.pause_of(0).await, paused("complaint", 24));
    })
    .await;
}

#[tokio::test]
async fn a_blow_against_a_message_nobody_claimed_is_an_error_and_writes_nothing() {
    for_each_database(async |books| {
        let scene = many(books).await;
        let settlement = Settlement {
            message: scene.messages[0],
            epoch: scene.leases[0].epoch,
            now: NOW,
            fate: accepted(),
            blow: Some(Blow::Spam),
            smtp_code: None,
            enhanced_status: None,
            unknown: None,
        };
        assert!(!scene.books.store.settle(settlement).await.unwrap());
        assert_eq!(scene.pause_of(0).await.0, "active");
    })
    .await;
}
