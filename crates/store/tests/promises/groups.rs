//! Claims, dots and settlements of several mailboxes share a commit, and nothing else.

use futures_util::future::join_all;

use crate::books::{Books, HOUR, NOW, TODAY, for_each_database};
use crate::scene::{Scene, accepted};

/// Sixty people, each of another company, of sixty mailboxes.
pub(crate) async fn crowd(books: Books) -> (Scene, Vec<warmfront_store::Claim>) {
    let mailboxes: Vec<String> = (0..CROWD).map(|n| format!("m{n:02}@one.test")).collect();
    books.fleet(&mailboxes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let people: Vec<String> = (0..CROWD).map(|n| format!("p{n:02}@c{n:02}.test")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let campaign = books.import("spring", 1, &people).await.campaign;
    books.store.start_campaign(campaign, NOW).await.unwrap();
    let mailboxes = books.mailboxes().await;
    let mut scene = Scene { books, campaign, mailboxes, leases: vec![], messages: vec![] };
    let mut messages = Vec::new();
    for (n, address) in people.iter().enumerate() {
        messages.push(scene.first_step(address, n).await);
    }
    assert!(scene.books.store.save_plan(scene.plan(TODAY, messages)).await.unwrap());
    let mut claims = Vec::new();
    for (n, address) in people.iter().enumerate() {
        scene.leases.push(scene.books.lease(scene.mailboxes[n], NOW).await);
        scene.messages.push(scene.message(address, 1).await);
        let mut claim = scene.claim_of(0, NOW);
        claim.message = scene.messages[n];
        claim.epoch = scene.leases[n].epoch;
        claim.rfc_message_id = format!("<{n}@one.test>");
        claim.unsubscribe_token = format!("token-{n}");
        claims.push(claim);
    }
    (scene, claims)
}

pub(crate) const CROWD: usize = 60;

#[tokio::test]
async fn a_refused_claim_undoes_nobody_elses() {
    for_each_database(async |books| {
        let (scene, mut claims) = crowd(books).await;
        for claim in claims.iter_mut().step_by(3) {
            claim.epoch = 0;
        }
        let answers =
            join_all(claims.into_iter().map(|claim| scene.books.store.claim(claim))).await;
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.unwrap(), n % 3 != 0, "{n}");
        }
        let query = "SELECT count(*) FROM messages WHERE state = 'sending'";
        assert_eq!(scene.books.number(query).await, 40);
        assert_eq!(
            scene.books.number("SELECT CAST(sum(attempted) AS BIGINT) FROM mailbox_days").await,
            40
        );
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_the_database_aborts_fails_alone() {
    for_each_database(async |books| {
        let (scene, mut claims) = crowd(books).await;
        // An id that is another's already, and a text that does not exist: no WHERE asks for these.
        claims[7].rfc_message_id = "<8@one.test>".to_owned();
        claims[20].revision = 999;
        let answers =
            join_all(claims.into_iter().map(|claim| scene.books.store.claim(claim))).await;
        let failed: Vec<usize> =
            answers.iter().enumerate().filter(|(_, a)| a.is_err()).map(|(n, _)| n).collect();
        // Of the two with one id, whoever comes first has it.
        assert!(failed == [7, 20] || failed == [8, 20], "{failed:?}");
        assert_eq!(answers.iter().filter(|a| matches!(a, Ok(true))).count(), CROWD - 2);
        assert_eq!(
            scene.books.number("SELECT CAST(sum(attempted) AS BIGINT) FROM mailbox_days").await,
            58
        );
        let domain = "SELECT attempted FROM budget_days WHERE scope = 'domain'";
        assert_eq!(scene.books.number(domain).await, 58);
    })
    .await;
}

#[tokio::test]
async fn a_budget_that_many_claim_at_once_stops_at_its_ceiling() {
    for_each_database(async |books| {
        let (scene, claims) = crowd(books).await;
        scene.books.write("UPDATE budget_days SET ceiling = 25 WHERE scope = 'domain'").await;
        let answers =
            join_all(claims.into_iter().map(|claim| scene.books.store.claim(claim))).await;
        assert_eq!(answers.into_iter().filter(|a| *a.as_ref().unwrap()).count(), 25);
        let rows = scene.books.rows("SELECT attempted FROM budget_days WHERE scope <> 'company'");
        assert_eq!(rows.await, ["25", "25"]);
    })
    .await;
}

#[tokio::test]
async fn of_one_message_claimed_by_many_one_claim_holds() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let claims = (0..20).map(|_| scene.claim(0, NOW));
        assert_eq!(join_all(claims).await.into_iter().filter(|held| *held).count(), 1);
        let settled = (0..20).map(|_| scene.settle(0, NOW + 1, accepted(), None));
        assert_eq!(join_all(settled).await.into_iter().filter(|held| *held).count(), 1);
        let query = "SELECT attempted, accepted, settled FROM mailbox_days WHERE mailbox_id = 1";
        assert_eq!(scene.books.row(query).await, "1 1 1");
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_claim_to_stand() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let mut claim = Box::pin(scene.books.store.claim(scene.claim_of(0, NOW)));
        tokio::select! {
            biased;
            _ = claim.as_mut() => panic!("it cannot be written yet"),
            () = std::future::ready(()) => {}
        }
        drop(claim);
        // The next entry is written behind it.
        assert!(scene.claim(1, NOW).await);
        assert_eq!(scene.state(0).await, "sending");
        assert!(!scene.claim(2, NOW + HOUR).await, "its mailbox has one in flight");
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_has_its_next_message_claimed_as_the_last_is_settled_and_not_without() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        scene.books.write("UPDATE mailboxes SET gap_ms = 0").await;
        assert!(scene.claim(0, NOW).await);
        let settled = scene.settle(0, NOW + 1, accepted(), None);
        assert_eq!(tokio::join!(biased; settled, scene.claim(2, NOW + 1)), (true, true));
        // What is settled already is nobody's to settle, and the one in flight stays in flight.
        let settled = scene.settle(0, NOW + 2, accepted(), None);
        assert_eq!(tokio::join!(biased; settled, scene.claim(4, NOW + 2)), (false, false));
        assert_eq!(
            (scene.state(2).await, scene.state(4).await),
            ("sending".into(), "planned".into())
        );
    })
    .await;
}
