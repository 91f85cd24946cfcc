//! Who looks at a mailbox beside its sender: one at a time, and nobody for ever.

use warmfront_core::provider::{Presets, SESSIONS_MOST};

use crate::books::{MINUTE, NOW, for_each_database};

#[tokio::test]
async fn one_looks_at_a_mailbox_beside_its_sender() {
    for_each_database(async |books| {
        books.fleet(&["ann@one.test", "bob@one.test"]).await;
        let mailboxes = books.mailboxes().await;
        let (ann, bob) = (mailboxes[0], mailboxes[1]);
        let visit = async |mailbox, who: &str, at| {
            books.store.visit(mailbox, who, at, MINUTE).await.unwrap()
        };
        let lease = books.store.lease(ann, "daemon", NOW, MINUTE).await.unwrap();
        assert!(lease.is_some(), "a daemon sends");
        assert!(visit(ann, "one", NOW).await, "beside it");
        assert!(!visit(ann, "two", NOW).await, "and no second one");
        assert!(!visit(ann, "one", NOW).await, "not even the same again");
        assert!(visit(bob, "two", NOW).await, "another mailbox is free");
        books.store.leave(ann, "two").await.unwrap();
        assert!(!visit(ann, "two", NOW).await, "nobody else gives it back");
        books.store.leave(ann, "one").await.unwrap();
        assert!(visit(ann, "two", NOW).await);
        assert!(!visit(ann, "three", NOW + MINUTE - 1).await);
        assert!(visit(ann, "three", NOW + MINUTE).await, "whoever was killed holds it no longer");
    })
    .await;
}

/// Whoever leases a mailbox has one session, whoever lost it may have left one, a visitor has one.
#[test]
fn no_provider_counts_fewer_sessions_than_all_of_ours_together() {
    for preset in Presets::load().iter() {
        let enough = preset.connections.is_none_or(|most| most >= SESSIONS_MOST);
        assert!(enough, "{}: {:?}", preset.name, preset.connections);
    }
}
