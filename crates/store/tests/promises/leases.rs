//! Leases: one holder a mailbox, the old one fenced out, what it left settled.

use crate::books::{NOW, for_each_database};
use crate::scene::{PEOPLE, Scene, accepted};

#[tokio::test]
async fn a_mailbox_has_one_holder_and_each_has_an_epoch_of_its_own() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test"]).await;
        let (store, mailbox) = (&books.store, books.mailboxes().await[0]);
        let first = store.lease(mailbox, "one", NOW, 100).await.unwrap().unwrap();
        assert_eq!((first.epoch, first.expires_at), (1, NOW + 100));
        assert_eq!(store.lease(mailbox, "two", NOW + 99, 100).await.unwrap(), None);
        let second = store.lease(mailbox, "two", NOW + 100, 100).await.unwrap().unwrap();
        assert_eq!(second.epoch, 2);

        assert_eq!(store.renew(first, "one", NOW + 100, 100).await.unwrap(), None, "fenced out");
        assert_eq!(store.renew(second, "one", NOW + 100, 100).await.unwrap(), None, "not its own");
        store.release(first).await.unwrap();
        let renewed = store.renew(second, "two", NOW + 150, 100).await.unwrap().unwrap();
        assert_eq!((renewed.epoch, renewed.expires_at), (2, NOW + 250));
        store.release(renewed).await.unwrap();
        assert_eq!(store.renew(renewed, "two", NOW + 160, 100).await.unwrap(), None, "released");
        assert_eq!(store.lease(mailbox, "one", NOW + 160, 100).await.unwrap().unwrap().epoch, 3);
    })
    .await;
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_gets_the_lease() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test"]).await;
        let mailbox = books.mailboxes().await[0];
        let asked = (0..8).map(|n| {
            let store = books.store.clone();
            async move { store.lease(mailbox, &format!("{n}"), NOW, 100).await.unwrap() }
        });
        let held = futures_util::future::join_all(asked).await;
        assert_eq!(held.iter().flatten().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_a_lost_holder_left_without_a_dot_surely_did_not_go_out() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        let lost = scene.leases[0];
        let next = scene.books.lease(lost.mailbox, lost.expires_at).await;
        let query = "SELECT m.state, m.attempts, m.dot_at, d.attempted, p.last_attempt_at
                     FROM messages m JOIN mailbox_days d ON d.mailbox_id = m.mailbox_id
                     JOIN enrolments e ON e.id = m.enrolment_id
                     JOIN prospects p ON p.id = e.prospect_id WHERE m.id = 1";
        assert_eq!(scene.books.row(query).await, "planned 0 - 0 -");
        assert!(!scene.settle(0, lost.expires_at, accepted(), None).await, "it was settled");
        let store = &scene.books.store;
        assert!(!store.mark_dot(1, lost.epoch, lost.expires_at - 1).await.unwrap());

        let mut claim = scene.claim_of(0, lost.expires_at + 1);
        assert!(!store.claim(claim.clone()).await.unwrap(), "the old epoch claims nothing");
        claim.epoch = next.epoch;
        assert!(store.claim(claim).await.unwrap());
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_lost_holder_left_with_its_dot_marked_is_in_doubt_and_counted() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        let lost = scene.leases[0];
        assert!(scene.books.store.mark_dot(1, lost.epoch, NOW).await.unwrap());
        let orphans = async |now| scene.books.store.mailboxes_with_orphans(now).await.unwrap();
        assert!(orphans(lost.expires_at - 1).await.is_empty(), "its holder may yet settle it");
        assert_eq!(orphans(lost.expires_at).await, [lost.mailbox]);
        scene.books.lease(lost.mailbox, lost.expires_at).await;
        let query = "SELECT m.state, m.attempts, d.attempted, d.settled FROM messages m
                     JOIN mailbox_days d ON d.mailbox_id = m.mailbox_id WHERE m.id = 1";
        assert_eq!(scene.books.row(query).await, "in_doubt 1 1 0");
        assert!(!scene.settle(0, lost.expires_at, accepted(), None).await);
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn an_orphan_is_settled_although_its_mailbox_changed_domain_and_tenant() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        let today = crate::books::TODAY;
        scene
            .books
            .write(&format!(
                "UPDATE mailboxes SET domain = 'two.test', tenant = 'other';
                 INSERT INTO budget_days VALUES ('domain', 'two.test', '{today}', 9, 0);
                 INSERT INTO budget_days VALUES ('tenant', 'other', '{today}', 9, 0)"
            ))
            .await;
        scene.books.lease(scene.mailboxes[0], scene.leases[0].expires_at).await;
        assert_eq!(scene.state(0).await, "planned");
        assert_eq!(scene.books.number("SELECT min(attempted) FROM budget_days").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_orphan_of_somebody_who_is_out_is_cancelled() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        let id = scene.enrolment(PEOPLE[0]).await;
        scene
            .books
            .write(&format!(
                "UPDATE enrolments SET state = 'replied', ended_at = {NOW} WHERE id = {id}"
            ))
            .await;
        scene.books.lease(scene.mailboxes[0], scene.leases[0].expires_at).await;
        assert_eq!(scene.state(0).await, "cancelled");
        scene.books.add_up().await;
    })
    .await;
}

#[tokio::test]
async fn the_daemon_ends_every_lease_and_their_orphans_are_still_found() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        let store = &scene.books.store;
        let lock = store.lock_for_daemon("this").unwrap();
        store.end_all_leases(&lock).await.unwrap();
        if scene.books.is_postgres() {
            let another = store.lease(scene.mailboxes[0], "another", NOW + 1, 100).await.unwrap();
            assert_eq!(another, None, "another daemon lives, and its leases count");
            return;
        }
        assert_eq!(store.mailboxes_with_orphans(NOW + 1).await.unwrap(), [scene.mailboxes[0]]);
        let lease = scene.books.lease(scene.mailboxes[0], NOW + 1).await;
        assert_eq!((lease.epoch, scene.state(0).await.as_str()), (2, "planned"));
    })
    .await;
}

#[tokio::test]
async fn an_owner_prolongs_the_leases_it_works_by_and_no_others() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test", "bea@one.test", "cas@one.test", "dan@one.test"]).await;
        let (store, mailboxes) = (&books.store, books.mailboxes().await);
        let mine = store.lease(mailboxes[0], "mine", NOW, 100).await.unwrap().unwrap();
        store.lease(mailboxes[1], "yours", NOW, 100).await.unwrap().unwrap();
        // Nobody works by this one: it could not be given back when the books were away.
        store.lease(mailboxes[2], "mine", NOW, 100).await.unwrap().unwrap();
        let at_work = [mailboxes[0], mailboxes[1], mailboxes[3]];
        store.renew_all("mine", at_work, NOW + 50, 100).await.unwrap();
        let query = format!("SELECT lease_expires_at - {NOW} FROM mailboxes ORDER BY id");
        assert_eq!(books.rows(&query).await, ["150", "100", "100", "-"]);
        store.release(mine).await.unwrap();
        store.renew_all("mine", at_work, NOW + 60, 100).await.unwrap();
        assert_eq!(books.rows(&query).await, ["-", "100", "100", "-"]);
    })
    .await;
}

#[tokio::test]
async fn what_may_still_leave_today_is_counted_and_nothing_else() {
    let rows = [
        ("UPDATE settings SET seed = 8", 6),
        ("UPDATE mailboxes SET state = 'disabled' WHERE id = 1", 3),
        ("UPDATE enrolments SET state = 'held' WHERE id = 1", 5),
        ("UPDATE enrolments SET state = 'replied', ended_at = 5 WHERE id = 1", 5),
        ("UPDATE campaigns SET state = 'draft'", 0),
        ("INSERT INTO suppressions VALUES ('domain', 'acme.test', 'x', 1)", 3),
        ("UPDATE messages SET plan_day = NULL WHERE id = 1", 5),
        ("UPDATE mailbox_days SET ceiling = 0 WHERE mailbox_id = 2", 3),
    ];
    for (change, want) in rows {
        for_each_database(async |books| {
            let scene = Scene::begin(books).await;
            scene.books.write(change).await;
            let left = scene.books.store.claimable_left(crate::books::TODAY, NOW).await;
            assert_eq!(left.unwrap(), want, "{change}");
        })
        .await;
    }
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.claim(0, NOW).await);
        let left =
            async || scene.books.store.claimable_left(crate::books::TODAY, NOW).await.unwrap();
        assert_eq!(left().await, 6, "what is in flight is not over");
        assert!(scene.settle(0, NOW, accepted(), None).await);
        assert_eq!(left().await, 5);
    })
    .await;
}
