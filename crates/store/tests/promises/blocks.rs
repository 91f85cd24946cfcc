//! Refusals of the sender that a report tells of, when the message was long accepted.

use warmfront_core::address::Address;
use warmfront_core::health::Blow;
use warmfront_core::inbound::{Inbound, Kind};

use crate::books::{HOUR, NOW, TODAY, TOMORROW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted};

fn block(key: &str, message: usize, blamed: usize, blow: Option<Blow>) -> Inbound {
    Inbound {
        names: vec![format!("<{message}@one.test>")],
        recipients: vec![Address::parse(PEOPLE[blamed]).unwrap()],
        blow,
        ..Inbound::told(key.to_owned(), NOW + HOUR, Kind::SenderBlock)
    }
}

impl Scene {
    /// Ann's blocks, the state of her mailbox and the reason of its pause.
    async fn blocked(&self) -> String {
        let query = format!(
            "SELECT d.blocks, b.state, b.paused_reason, b.ease_percent FROM mailbox_days d
             JOIN mailboxes b ON b.id = d.mailbox_id
             WHERE d.mailbox_id = 1 AND d.day = '{TODAY}'"
        );
        self.books.row(&query).await
    }
}

#[tokio::test]
async fn blocks_told_by_reports_count_once_a_message_and_pause_at_a_tenth() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        scene.send(2, NOW + HOUR / 2, accepted(), None).await;
        let twice = [block("a", 0, 0, None), block("b", 0, 0, None)];
        scene.arrive(0, &twice).await;
        assert_eq!(scene.blocked().await, "1 active - 50", "of an allotment of 20");
        scene.arrive(0, &[block("c", 2, 3, None)]).await;
        assert_eq!(scene.blocked().await, "1 active - 50", "it blames somebody else: forged");
        scene.arrive(0, &[block("d", 2, 2, None)]).await;
        assert_eq!(scene.blocked().await, "2 paused sender_rejections 50");
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_report_tells_pauses_as_the_same_answer_does() {
    let rows = [
        (Blow::Spam, "1 paused spam 50"),
        (Blow::Banned, "1 paused banned 100"),
        (Blow::DomainRefused, "1 paused domain 100"),
        (Blow::TenantQuotaReached, "1 paused tenant_quota 100"),
        (Blow::QuotaReached, "1 paused quota 100"),
    ];
    for (blow, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, accepted(), None).await;
            scene.arrive(0, &[block("a", 0, 0, Some(blow))]).await;
            assert_eq!(scene.blocked().await, want);
        })
        .await;
    }
}

#[tokio::test]
async fn a_day_on_which_a_block_was_told_is_neither_warm_nor_clean() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        scene.books.write("UPDATE mailbox_days SET allowance = 1, ceiling = 1").await;
        scene.arrive(0, &[block("a", 0, 0, None)]).await;
        let days = |_: &str, _: &str| vec![TODAY.to_owned()];
        scene.books.store.roll_days(TOMORROW, days, NOW + 24 * HOUR).await.unwrap();
        let row = "SELECT warm_days, ease_percent FROM mailboxes WHERE id = 1";
        assert_eq!(scene.books.row(row).await, "20 50");
    })
    .await;
}

#[tokio::test]
async fn a_block_told_when_its_day_is_counted_already_counts_on_the_present_day_too() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let days = |_: &str, _: &str| vec![TODAY.to_owned()];
        scene.books.store.roll_days(TOMORROW, days, NOW + 24 * HOUR).await.unwrap();
        assert!(scene.books.store.save_plan(scene.plan(TOMORROW, vec![])).await.unwrap());
        scene.arrive(0, &[block("a", 0, 0, None)]).await;
        let blocks = "SELECT day, blocks FROM mailbox_days WHERE mailbox_id = 1 ORDER BY day";
        let want = [format!("{TODAY} 1"), format!("{TOMORROW} 1")];
        assert_eq!(scene.books.rows(blocks).await, want);
        let eased = "SELECT ease_percent FROM mailboxes WHERE id = 1";
        assert_eq!(scene.books.number(eased).await, 50, "once");
    })
    .await;
}
