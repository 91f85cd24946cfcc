//! What people answer to another of our mailboxes than the one that wrote to them.

use warmfront_core::address::Address;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_store::Consequence;

use crate::books::{HOUR, NOW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted};

fn arrival(from: &str, kind: Kind) -> Inbound {
    let from = Some(Address::parse(from).unwrap());
    let names = vec!["<0@one.test>".to_owned()];
    Inbound { from, names, ..Inbound::told("k".to_owned(), NOW + HOUR, kind) }
}

#[tokio::test]
async fn a_no_counts_in_whichever_of_our_mailboxes_it_arrives() {
    let by_id = |kind| arrival(PEOPLE[0], kind);
    let by_token = Inbound {
        names: vec![],
        tokens: vec!["token-0".to_owned()],
        ..arrival("her@private.test", Kind::Unsubscribe)
    };
    let rows = [
        (by_id(Kind::Reply), "replied"),
        (by_id(Kind::Unsubscribe), "unsubscribed"),
        (by_token, "unsubscribed"),
        // Ann herself answers in the thread, and a copy goes to Bea.
        (arrival("ann@one.test", Kind::Reply), "active"),
        (arrival("bea@one.test", Kind::Reply), "active"),
    ];
    for (arrival, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, accepted(), None).await;
            scene.arrive(1, std::slice::from_ref(&arrival)).await;
            let state = "SELECT state FROM enrolments WHERE id = 1";
            assert_eq!(scene.books.row(state).await, want, "{arrival:?}");
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_reply_from_a_free_mail_address_holds_nobody_else() {
    let rows = [
        (["ada@acme.test", "bob@acme.test"], "ada held, bob held"),
        (["fay@free.test", "gus@free.test"], "fay held, gus active"),
    ];
    for (people, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin_with(books, &people).await;
            scene.books.import("summer", 1, &people).await;
            scene.send(0, NOW, accepted(), None).await;
            let told = scene.arrive(0, &[arrival(people[0], Kind::Reply)]).await;
            assert_eq!(told, [Consequence::Ended]);
            let query = "SELECT substr(p.address, 1, 3) || ' ' || e.state AS of_summer
                         FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
                         JOIN campaigns c ON c.id = e.campaign_id
                         WHERE c.slug = 'summer' ORDER BY e.id";
            assert_eq!(scene.books.rows(query).await.join(", "), want);
            scene.books.add_up().await;
        })
        .await;
    }
}

#[tokio::test]
async fn whoever_is_away_is_known_by_their_address_or_in_another_mailbox_too() {
    let return_on = Some("2027-02-01".parse().unwrap());
    let away = Inbound { return_on, ..arrival(PEOPLE[0], Kind::AutoReply) };
    let nameless = Inbound { names: vec![], ..away.clone() };
    for (mailbox, arrival) in [(1, away), (0, nameless)] {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, accepted(), None).await;
            let told = scene.arrive(mailbox, std::slice::from_ref(&arrival)).await;
            assert_eq!(told, [Consequence::None]);
            let next = "SELECT state, next_at FROM enrolments WHERE id = 1";
            assert_eq!(scene.books.row(next).await, "active 1801483200000");
        })
        .await;
    }
}

#[tokio::test]
async fn a_colleague_who_asks_to_be_left_alone_is_and_the_company_waits() {
    let rows = [
        ("cay@acme.test", "ada@acme.test cay@acme.test", "unsubscribed held suppressed active"),
        ("boss@acme.test", "ada@acme.test boss@acme.test", "unsubscribed held held active"),
        ("dee@brix.test", "ada@acme.test", "unsubscribed active active active"),
        (PEOPLE[0], "ada@acme.test", "unsubscribed active active active"),
    ];
    for (from, suppressed, states) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.send(0, NOW, accepted(), None).await;
            scene.arrive(0, &[arrival(from, Kind::Unsubscribe)]).await;
            let values = "SELECT value FROM suppressions ORDER BY value";
            assert_eq!(scene.books.rows(values).await.join(" "), suppressed);
            let query = "SELECT state FROM enrolments ORDER BY id LIMIT 4";
            assert_eq!(scene.books.rows(query).await.join(" "), states);
        })
        .await;
    }
}
