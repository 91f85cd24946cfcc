//! People on hold, and what the operator says of them.

use warmfront_core::address::Address;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_store::{Consequence, Scope, Wish};

use crate::books::{HOUR, NOW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted};

#[tokio::test]
async fn whom_the_operator_releases_goes_on_and_is_not_held_again() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        scene.send(0, NOW, accepted(), None).await;
        scene.arrive(0, &[reply()]).await;
        let mark = store.planning_mark().await.unwrap();
        let bob = (Scope::Address, PEOPLE[1]);
        let release = async |whom, campaign: Option<&str>| {
            store.do_with_people(Wish::Release, whom, campaign, NOW + HOUR).await.unwrap()
        };
        assert_eq!(release(bob, Some("summer")).await, 0);
        assert_eq!(release(bob, Some("spring")).await, 1);
        assert_eq!(release(bob, None).await, 0, "he is released already");
        assert!(store.planning_mark().await.unwrap() > mark, "the day has new work");
        let query = format!(
            "SELECT e.state, m.state AS message, m.plan_day, m.why FROM enrolments e
             JOIN messages m ON m.enrolment_id = e.id WHERE e.id = {}",
            scene.enrolment(PEOPLE[1]).await
        );
        assert_eq!(scene.books.row(&query).await, "active planned - -");
        scene.books.import("spring", 2, &PEOPLE).await;
        assert_eq!(scene.books.row(&query).await, "active planned - -");
        // His colleague still waits, until the whole company is released.
        assert_eq!(release((Scope::Domain, "acme.test"), None).await, 1);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn whom_the_operator_stops_gets_nothing_more_and_is_not_suppressed() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let store = &scene.books.store;
        let bob = (Scope::Address, PEOPLE[1]);
        assert_eq!(store.do_with_people(Wish::Stop, bob, None, NOW).await.unwrap(), 1);
        assert_eq!(store.do_with_people(Wish::Stop, bob, None, NOW).await.unwrap(), 0);
        let query = format!(
            "SELECT e.state, m.state AS message FROM enrolments e
             JOIN messages m ON m.enrolment_id = e.id WHERE e.id = {}",
            scene.enrolment(PEOPLE[1]).await
        );
        assert_eq!(scene.books.row(&query).await, "stopped cancelled");
        assert_eq!(store.suppressions().await.unwrap(), []);
        scene.books.import("autumn", 1, &[PEOPLE[1]]).await;
        let live = "SELECT count(*) FROM enrolments e JOIN campaigns c ON c.id = e.campaign_id
                    WHERE c.slug = 'autumn' AND e.state = 'active'";
        assert_eq!(scene.books.number(live).await, 1);
        scene.books.add_up().await;
    })
    .await;
}

/// Ada answers her first message.
fn reply() -> Inbound {
    Inbound {
        names: vec!["<0@one.test>".to_owned()],
        ..Inbound::told("k".to_owned(), NOW + HOUR, Kind::Reply)
    }
}

#[tokio::test]
async fn whoever_a_nameless_report_blames_is_listed_until_the_operator_has_spoken() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.send(0, NOW, accepted(), None).await;
        let recipients = vec![Address::parse(PEOPLE[0]).unwrap()];
        let report = Inbound::told("k".to_owned(), NOW + HOUR, Kind::HardBounce);
        let report = Inbound { recipients, ..report };
        assert_eq!(scene.arrive(0, &[report]).await, [Consequence::None]);
        let store = &scene.books.store;
        let blamed = store.blamed(None).await.unwrap();
        let all: Vec<_> =
            blamed.iter().map(|one| (&*one.address, &*one.campaign, one.since)).collect();
        assert_eq!(all, [(PEOPLE[0], "spring", NOW + HOUR)]);
        assert_eq!(store.blamed(Some("spring")).await.unwrap(), blamed);
        assert_eq!(store.blamed(Some("summer")).await.unwrap(), []);

        let whom = (Scope::Address, PEOPLE[0]);
        assert_eq!(store.do_with_people(Wish::Release, whom, None, NOW).await.unwrap(), 1);
        scene.books.write("UPDATE enrolments SET state = 'held', because = 'another reason'").await;
        assert_eq!(store.blamed(None).await.unwrap(), []);
    })
    .await;
}
