//! Reasons are what a claim goes by: in worlds drawn at random the books let a message go where no
//! reason is named, and refuse it where one is. What the books know of a subject is found by any of
//! its names.

use std::cell::Cell;

use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::reason::{self, Hold};
use warmfront_core::span::Span;
use warmfront_store::{FunnelRow, Trails};

use crate::books::{Books, DAY, HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::scene::{Scene, accepted, deferred, rejected};

/// What may be so of the first message. `{at}` is a moment around now.
const CHANGES: [&str; 20] = [
    "INSERT INTO suppressions VALUES ('address', 'ada@acme.test', 'x', 1)",
    "INSERT INTO suppressions VALUES ('domain', 'brix.test', 'x', 1)",
    "UPDATE prospects SET address = NULL, erased_at = 1 WHERE id = 1",
    "UPDATE enrolments SET state = 'held'",
    "UPDATE campaigns SET state = 'paused', paused_because = 'x'",
    "UPDATE mailboxes SET state = 'paused', paused_at = 1, paused_reason = 'spam', paused_because = 'x'",
    "UPDATE mailboxes SET state = 'disabled'",
    "INSERT INTO domain_checks VALUES ('one.test', 'mx', 'fail', 1, 259200001, 259200001, 'x')",
    "UPDATE mailboxes SET lease_expires_at = {at}",
    "UPDATE messages SET due_at = {at}",
    "UPDATE messages SET closes_at = {at}",
    "UPDATE messages SET plan_day = NULL",
    "UPDATE prospects SET last_attempt_at = {at} - 48 * 3600000",
    "UPDATE mailboxes SET last_attempt_at = {at} - 4 * 60000",
    "UPDATE mailboxes SET inbox_read_at = {at} - 15 * 60000",
    "UPDATE enrolments SET mailbox_id = 2",
    "UPDATE mailbox_days SET attempted = ceiling - {few}",
    "UPDATE budget_days SET attempted = ceiling - {few} WHERE scope = 'domain'",
    "UPDATE budget_days SET attempted = ceiling - {few} WHERE scope = 'tenant'",
    "INSERT INTO budget_days VALUES ('company', 'acme.test', '2027-01-15', 2, 2 - {few})",
];

/// Numbers by seed, each below its bound.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x9e37_79b9);
        (self.0 >> 33) % bound
    }
}

/// A scene by seed: some of the changes, perhaps another message in flight, perhaps a follow-up.
async fn any_scene(books: Books, seed: u64) -> Scene {
    let mut draw = Draw(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) + 1);
    let scene = Scene::begin(books).await;
    if draw.below(6) == 0 {
        scene.books.write(&format!("UPDATE messages SET due_at = {}", NOW - HOUR)).await;
        assert!(scene.claim(2, NOW - HOUR).await);
    }
    if draw.below(2) == 0 {
        let on = if scene.books.is_postgres() { "ON messages" } else { "" };
        let fresh = NOW - MINUTE;
        scene
            .books
            .write(&format!(
                "DROP TRIGGER messages_keep_their_step {on}; UPDATE messages SET position = 2;
                 UPDATE mailboxes SET inbox_read_at = {fresh}"
            ))
            .await;
    }
    for change in CHANGES {
        if draw.below(14) == 0 {
            let at = NOW - 1 + i64::try_from(draw.below(3)).unwrap();
            let few = draw.below(2).to_string();
            let text = change.replace("{at}", &at.to_string()).replace("{few}", &few);
            scene.books.write(&text).await;
        }
    }
    scene
}

#[tokio::test]
async fn in_any_world_a_claim_holds_where_no_reason_does() {
    let (left, held) = (Cell::new(0), Cell::new(0));
    for seed in 0..SEEDS {
        for_each_database(async |books| {
            let scene = any_scene(books, seed).await;
            let facts =
                scene.books.store.facts(scene.messages[0], TODAY, today()).await.unwrap().unwrap();
            let holds = reason::holds(&facts, NOW);
            let claimed = scene.claim(0, NOW).await;
            assert_eq!(claimed, holds.is_empty(), "seed {seed}: {holds:?}\n{facts:?}");
            let count = if claimed { &left } else { &held };
            count.set(count.get() + 1);
            // The trigger behind the claim says the same.
            if !claimed {
                scene.books.refuse(&scene.raw_claim(0, NOW), "").await;
            }
        })
        .await;
    }
    let (left, held) = (left.get(), held.get());
    assert!(left >= 15 && held >= 30, "{left} left, {held} held: too much of one kind");
}

/// Worlds drawn; each is made in every database.
const SEEDS: u64 = 40;

fn today() -> Span {
    Span::new(NOW - 9 * HOUR, NOW + 15 * HOUR).unwrap()
}

pub(crate) async fn trails(scene: &Scene, subject: &str) -> Trails {
    scene.books.store.trails(subject, TODAY, today()).await.unwrap()
}

#[tokio::test]
async fn a_subject_is_found_by_any_of_its_names() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;

        let person = trails(&scene, " Ada@acme.test ").await;
        let [enrolment] = person.enrolments.as_slice() else { panic!("{person:?}") };
        assert_eq!(
            (enrolment.campaign.slug.as_str(), enrolment.state.as_str()),
            ("spring", "active")
        );
        assert_eq!(enrolment.messages[0].message_id.as_deref(), Some("<0@one.test>"));
        let turn = enrolment.turn.as_ref().unwrap();
        assert_eq!((turn.step, turn.next_at), (2, NOW + 3 * DAY));
        assert_eq!(enrolment.wait.as_deref(), Some("3d"));

        for id in ["<0@one.test>", "0@one.test"] {
            let (trail, step) = trails(&scene, id).await.message.unwrap();
            assert_eq!((trail.address.as_deref(), step), (Some("ada@acme.test"), 1));
        }
        let mailbox = trails(&scene, "ann@one.test").await.mailbox.unwrap();
        assert_eq!((mailbox.day.unwrap().accepted, mailbox.planned_today), (1, 2));
        assert_eq!(mailbox.next.unwrap().1.as_deref(), Some("cay@acme.test"));
        let campaign = trails(&scene, "campaigns/spring/").await.campaign.unwrap();
        assert_eq!((campaign.planned_today, campaign.target.attempted), (5, 6));
        assert_eq!(campaign.next.unwrap().address.as_deref(), Some("ada@acme.test"));
        assert!(trails(&scene, "nobody@acme.test").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_a_mailboxes_and_a_prospects_is_told_as_both() {
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &["ann@one.test"]).await;
        scene.books.write("INSERT INTO suppressions VALUES ('domain', 'one.test', 'x', 1)").await;
        let both = trails(&scene, "ann@one.test").await;
        assert!(both.mailbox.is_some() && both.enrolments.len() == 1);
        assert_eq!(both.suppressions.len(), 1);
        let facts = &both.enrolments[0].messages[0].facts;
        assert_eq!(reason::binding(facts, NOW), Some(Hold::Suppressed));
    })
    .await;
}

#[tokio::test]
async fn a_funnel_counts_people_who_replied_once_and_no_machine() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        scene.send(1, NOW, accepted(), None).await;
        scene.send(3, NOW + HOUR, rejected("recipient"), None).await;
        scene.send(4, NOW + HOUR, deferred(NOW + HOUR), None).await;
        let arrival = |key: &str, about: &str, kind| Inbound {
            names: vec![about.to_owned()],
            ..Inbound::told(key.to_owned(), NOW + HOUR, kind)
        };
        let ann = [
            arrival("1", "<0@one.test>", Kind::AutoReply),
            arrival("2", "<0@one.test>", Kind::Reply),
            arrival("3", "<0@one.test>", Kind::Reply),
        ];
        let bea = [arrival("1", "<1@one.test>", Kind::AutoReply)];
        scene.books.store.record_inbound(scene.mailboxes[0], &ann, NOW + HOUR).await.unwrap();
        scene.books.store.record_inbound(scene.mailboxes[1], &bea, NOW + HOUR).await.unwrap();

        let funnel = scene.books.store.funnel(Some("spring"), None).await.unwrap();
        let of = |address: &str| -> FunnelRow {
            let mine = funnel.rows.iter().filter(|row| row.mailbox == address);
            mine.fold(FunnelRow::default(), |sum, row| FunnelRow {
                planned: sum.planned + row.planned,
                accepted: sum.accepted + row.accepted,
                rejected: sum.rejected + row.rejected,
                replied: sum.replied + row.replied,
                auto_replied: sum.auto_replied + row.auto_replied,
                ..FunnelRow::default()
            })
        };
        let ann = of("ann@one.test");
        assert_eq!((ann.planned, ann.accepted, ann.replied, ann.auto_replied), (2, 1, 1, 1));
        let bea = of("bea@one.test");
        assert_eq!((bea.accepted, bea.rejected, bea.replied, bea.auto_replied), (1, 1, 0, 1));
        let [people] = funnel.people.as_slice() else { panic!("{funnel:?}") };
        assert_eq!((people.written_to, people.replied), (2, 1));

        let tomorrow = scene.books.store.funnel(None, Some("2027-01-16")).await.unwrap();
        assert_eq!((tomorrow.rows, tomorrow.people), (vec![], vec![]));
    })
    .await;
}
