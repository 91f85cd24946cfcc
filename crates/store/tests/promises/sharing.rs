//! Daemons that share one PostgreSQL: what they race for, one of them has.

use futures_util::future::{join, join_all};
use tokio::sync::mpsc;
use warmfront_store::{Claim, Durability, Fate, Scope, Settlement, Store};

use crate::books::{Books, Database, HOUR, MINUTE, NOW, TODAY};
use crate::groups::{CROWD, crowd};
use crate::scene::{PEOPLE, Scene, accepted, campaign, not_sent, rejected, row};

/// The books of a scene, and another daemon's way to them.
async fn shared() -> (Books, Store) {
    let books = Books::open(Database::Postgres).await;
    let other = Store::open(&books.url, Durability::None).await.unwrap();
    (books, other)
}

/// Claims at once, every other one by the other daemon; how many held.
async fn claim_all(scene: &Scene, other: &Store, claims: Vec<Claim>) -> usize {
    let stores = [&scene.books.store, other];
    let claims = claims.into_iter().enumerate().map(|(n, claim)| stores[n % 2].claim(claim));
    join_all(claims).await.into_iter().filter(|held| *held.as_ref().unwrap()).count()
}

#[tokio::test]
async fn two_daemons_that_race_for_a_company_stop_at_its_limit() {
    let (books, other) = shared().await;
    let (scene, claims) = crowd(books).await;
    scene.books.write("UPDATE prospects SET company = 'acme.test'").await;
    scene.books.write("UPDATE settings SET company_per_day = 7").await;
    assert_eq!(claim_all(&scene, &other, claims).await, 7);
    let counted = "SELECT attempted FROM budget_days WHERE scope = 'company'";
    assert_eq!(scene.books.number(counted).await, 7);
    scene.books.add_up().await;
}

#[tokio::test]
async fn two_daemons_that_race_for_a_sending_domain_stop_at_its_ceiling() {
    let (books, other) = shared().await;
    let (scene, claims) = crowd(books).await;
    scene.books.write("UPDATE budget_days SET ceiling = 25 WHERE scope = 'domain'").await;
    assert_eq!(claim_all(&scene, &other, claims).await, 25);
    let counted = "SELECT attempted FROM budget_days WHERE scope <> 'company'";
    assert_eq!(scene.books.rows(counted).await, ["25", "25"]);
}

#[tokio::test]
async fn two_daemons_that_race_for_the_last_place_of_a_mailbox_send_one_message() {
    let (books, other) = shared().await;
    let scene = Scene::begin(books).await;
    scene.books.write("UPDATE mailboxes SET gap_ms = 0").await;
    scene.books.write("UPDATE mailbox_days SET ceiling = 1").await;
    let claims = [0, 2, 4].map(|message| scene.claim_of(message, NOW)).to_vec();
    assert_eq!(claim_all(&scene, &other, claims).await, 1);
}

#[tokio::test]
async fn two_campaigns_on_two_daemons_write_to_one_person_once() {
    let (books, other) = shared().await;
    let mut scene = Scene::begin(books).await;
    scene.campaign = scene.books.import("summer", 1, &PEOPLE).await.campaign;
    scene.books.store.start_campaign(scene.campaign, NOW).await.unwrap();
    scene.books.write("UPDATE settings SET company_per_day = 9").await;
    let revision = scene.books.number("SELECT max(id) FROM step_revisions").await;
    let message = scene.first_step(PEOPLE[0], 1).await;
    assert!(scene.books.store.save_plan(scene.plan(TODAY, vec![message])).await.unwrap());
    let first = scene.claim_of(0, NOW);
    scene.messages[1] = scene.message(PEOPLE[0], 1).await;
    let second = Claim { revision, ..scene.claim_of(1, NOW) };
    assert_eq!(claim_all(&scene, &other, vec![first, second]).await, 1);
}

#[tokio::test]
async fn who_goes_past_the_store_waits_for_the_other_and_is_refused() {
    let (books, _) = shared().await;
    let scene = Scene::begin(books).await;
    scene.books.write("UPDATE settings SET company_per_day = 1").await;
    let open = async |text: String| {
        let pool = sqlx::PgPool::connect(&scene.books.url).await.unwrap();
        let mut transaction = pool.begin().await.unwrap();
        let written = sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut *transaction).await;
        written.map(|_| transaction)
    };
    // Both look before either has committed: what the gate sees allows both.
    let first = open(scene.raw_claim(0, NOW)).await.unwrap();
    let second = open(scene.raw_claim(1, NOW));
    let commit = async {
        for _ in 0..3_000 {
            if scene.books.number(WAITS_FOR_A_LOCK).await > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        first.commit().await.unwrap();
    };
    let (refused, ()) = join(second, commit).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("company has reached its limit"), "{refused}");
}

const WAITS_FOR_A_LOCK: &str = "
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[tokio::test]
async fn of_two_daemons_that_ask_one_gets_the_lease_and_the_next_fences_it_out() {
    let (books, other) = shared().await;
    let scene = Scene::begin(books).await;
    assert!(scene.claim(0, NOW).await);
    let (lost, ours) = (scene.leases[0], &scene.books.store);
    let ask = |store: &Store, owner: &str| {
        let (store, owner) = (store.clone(), owner.to_owned());
        async move { store.lease(lost.mailbox, &owner, lost.expires_at, HOUR).await.unwrap() }
    };
    let asked = (0..8).map(|n| ask([ours, &other][n % 2], &n.to_string()));
    let held: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
    assert_eq!(held.len(), 1);
    // The first wakes: it may neither go on nor begin, nor keep the mailbox.
    let late = lost.expires_at + MINUTE;
    assert!(!ours.mark_dot(scene.messages[0], lost.epoch, late).await.unwrap());
    assert!(!scene.settle(0, late, accepted(), None).await);
    assert!(!scene.claim(2, late).await);
    assert_eq!(ours.renew(lost, "here", late, HOUR).await.unwrap(), None);
    let again = Claim { epoch: held[0].epoch, ..scene.claim_of(0, late) };
    assert!(other.claim(again).await.unwrap(), "it surely did not go out");
    scene.books.add_up().await;
}

#[tokio::test]
async fn whoever_is_suppressed_while_claims_are_under_way_is_sent_to_or_cancelled() {
    let (books, other) = shared().await;
    let (scene, claims) = crowd(books).await;
    let suppress = async {
        for n in 0..CROWD {
            let domain = format!("c{n:02}.test");
            assert!(other.suppress(Scope::Domain, &domain, "asked", NOW).await.unwrap());
        }
    };
    let claim = join_all(claims.into_iter().rev().map(|claim| scene.books.store.claim(claim)));
    let (held, ()) = join(claim, suppress).await;
    let held = held.into_iter().filter(|held| *held.as_ref().unwrap()).count();
    let states = "SELECT state, count(*) FROM messages GROUP BY 1 ORDER BY 1 DESC";
    let mut want = vec![format!("sending {held}"), format!("cancelled {}", CROWD - held)];
    want.retain(|state| !state.ends_with(" 0"));
    assert_eq!(scene.books.rows(states).await, want);
    scene.books.add_up().await;
}

#[tokio::test]
async fn daemons_that_claim_and_settle_what_they_share_never_wait_in_a_circle() {
    let (books, other) = shared().await;
    let (scene, claims) = crowd(books).await;
    // Five companies, in an order of which each daemon has the reverse of the other's, and nothing
    // that would line the two up before they come to these.
    scene.books.write("UPDATE prospects SET company = 'c' || id % 5").await;
    scene
        .books
        .write(&format!(
            "UPDATE mailboxes SET domain = 'd' || id, tenant = NULL;
             INSERT INTO budget_days SELECT 'domain', domain, '{TODAY}', 9, 0 FROM mailboxes"
        ))
        .await;
    scene.books.write("UPDATE settings SET company_per_day = 99").await;
    let live = |n: usize, claim: Claim| {
        let store = if n < CROWD / 2 { scene.books.store.clone() } else { other.clone() };
        async move {
            assert!(store.claim(claim.clone()).await.unwrap());
            assert!(store.mark_dot(claim.message, claim.epoch, NOW).await.unwrap());
            // One bounce each: three would be a dead list, whose campaign ends.
            let bounces = n == 2 || n == CROWD / 2 + 2;
            let fate: Fate = match n % 3 {
                0 => accepted(),
                1 => not_sent(NOW),
                _ if bounces => rejected("hard_bounce"),
                _ => rejected("recipient"),
            };
            let settlement = Settlement {
                message: claim.message,
                epoch: claim.epoch,
                now: NOW,
                fate,
                blow: bounces.then_some(warmfront_core::health::Blow::HardBounce),
                smtp_code: None,
                enhanced_status: None,
                unknown: None,
            };
            assert!(store.settle(settlement).await.unwrap());
        }
    };
    let (mine, mut theirs): (Vec<_>, Vec<_>) =
        claims.into_iter().enumerate().partition(|(n, _)| *n < CROWD / 2);
    theirs.reverse();
    join_all(mine.into_iter().chain(theirs).map(|(n, claim)| live(n, claim))).await;
    let counted = "SELECT CAST(sum(attempted) AS BIGINT) FROM budget_days WHERE scope = 'company'";
    assert_eq!(scene.books.number(counted).await, 40);
    scene.books.add_up().await;
    // What the server counted is told once the connections are closed.
    scene.books.store.clone().close().await.unwrap();
    other.close().await.unwrap();
    let circles = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(scene.books.number(circles).await, 0);
}

#[tokio::test]
async fn of_two_planners_of_one_day_one_saves() {
    let (books, other) = shared().await;
    let scene = Scene::begin(books).await;
    let summer = scene.books.import("summer", 1, &PEOPLE).await.campaign;
    let scene = Scene { campaign: summer, ..scene };
    let mut messages = Vec::new();
    for address in PEOPLE {
        messages.push(scene.first_step(address, 0).await);
    }
    let plan = scene.plan(TODAY, messages);
    let saved = join(scene.books.store.save_plan(plan.clone()), other.save_plan(plan)).await;
    assert_ne!(saved.0.unwrap(), saved.1.unwrap());
    assert_eq!(scene.books.number("SELECT count(*) FROM messages").await, 12);
    assert_eq!(scene.books.number("SELECT count(*) FROM plans").await, 2);
}

#[tokio::test]
async fn lists_imported_at_once_are_all_accounted_for() {
    let (books, other) = shared().await;
    let import = |store: Store, slug: &'static str, backwards: bool| async move {
        let (sender, receiver) = mpsc::channel(2);
        let mut rows: Vec<_> = (0..900).map(|n| row(n, &format!("p{n}@c{}.test", n % 7))).collect();
        if backwards {
            rows.reverse();
        }
        sender.send(Some(rows)).await.unwrap();
        sender.send(None).await.unwrap();
        store.import(&campaign(slug, 1), receiver, NOW).await.unwrap().unwrap().summary
    };
    let done = join_all([
        import(books.store.clone(), "spring", false),
        import(other.clone(), "spring", true),
        import(other, "summer", true),
    ])
    .await;
    let mut accepted: Vec<u64> = done.iter().map(|summary| summary.accepted).collect();
    accepted.sort_unstable();
    assert_eq!(accepted, [0, 900, 900]);
    assert_eq!(books.number("SELECT count(*) FROM prospects").await, 900);
    books.add_up().await;
}

#[tokio::test]
async fn who_is_suppressed_during_an_import_is_enrolled_and_over() {
    let (books, other) = shared().await;
    let (sender, receiver) = mpsc::channel(2);
    let spring = campaign("spring", 1);
    let import = books.store.import(&spring, receiver, NOW);
    let suppress = async {
        sender.send(Some(vec![row(0, PEOPLE[0]), row(1, PEOPLE[3])])).await.unwrap();
        // It does not wait for the import, which has not seen its last row.
        assert!(other.suppress(Scope::Address, PEOPLE[0], "asked", NOW).await.unwrap());
        sender.send(None).await.unwrap();
    };
    let (imported, ()) = join(import, suppress).await;
    assert_eq!(imported.unwrap().unwrap().summary.suppressed, 1);
    let states = "SELECT state FROM enrolments ORDER BY id";
    assert_eq!(books.rows(states).await, ["suppressed", "active"]);
}
