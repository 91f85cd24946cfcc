//! Tokens: who may refresh them, what comes of it, and the pause of a mailbox for which somebody must
//! log in.

use warmfront_core::health::{Blow, PauseReason};
use warmfront_store::{LoggedIn, RefreshLease, SealedTokens, StoreError, Tokens};

use crate::books::{Books, HOUR, MINUTE, NOW, TODAY, for_each_database};
use crate::scene::{Scene, rejected};

const ANN: &str = "ann@one.test";

fn sealed(name: &str, at: i64) -> SealedTokens {
    let (refresh, access) = (Some(format!("refresh {name}")), format!("access {name}"));
    let (sealed_by, issuer) =
        ("0123456789abcdef".to_owned(), "https://id.test/token us".to_owned());
    SealedTokens { refresh, access, issued_at: at, expires_at: at + HOUR, sealed_by, issuer }
}

impl Books {
    async fn tokens(&self) -> Tokens {
        self.store.tokens(ANN).await.unwrap().unwrap()
    }

    async fn lease_refresh(&self, owner: &str, now: i64) -> Option<RefreshLease> {
        let tokens = self.tokens().await;
        self.store.lease_refresh(&tokens, owner, now, now + MINUTE).await.unwrap()
    }

    /// The state of the first mailbox, and why it is paused.
    async fn standing(&self) -> (String, Option<String>) {
        let row = self.store.mailboxes().await.unwrap().remove(0);
        (row.state, row.paused_reason)
    }
}

fn paused_for(reason: &str) -> (String, Option<String>) {
    ("paused".to_owned(), Some(reason.to_owned()))
}

async fn logged_in(books: &Books) {
    books.fleet(&[ANN]).await;
    let mailbox = books.mailboxes().await[0];
    assert!(!books.store.log_in(mailbox, &sealed("one", NOW), NOW).await.unwrap().resumed);
}

#[tokio::test]
async fn one_refreshes_and_all_others_wait_until_that_is_over() {
    for_each_database(async |books| {
        logged_in(&books).await;
        let lease = books.lease_refresh("one", NOW).await.unwrap();
        // Not even the same process does it twice at once.
        assert_eq!(books.lease_refresh("one", NOW).await, None);
        assert_eq!(books.lease_refresh("two", NOW + MINUTE - 1).await, None);
        assert!(books.store.keep_tokens(&lease, &sealed("two", NOW)).await.unwrap());
        let tokens = books.tokens().await;
        assert_eq!((tokens.generation, tokens.refresh.as_deref()), (2, Some("refresh two")));
        // Who looked before that refreshes nothing a second time.
        let early = Tokens { generation: 1, ..tokens };
        let late = books.store.lease_refresh(&early, "two", NOW, NOW + MINUTE).await.unwrap();
        assert_eq!(late, None);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_gone_in_the_middle_of_a_refresh_holds_nobody_up_for_long() {
    for_each_database(async |books| {
        logged_in(&books).await;
        let lost = books.lease_refresh("one", NOW).await.unwrap();
        let taken = books.lease_refresh("two", NOW + MINUTE).await.unwrap();
        // He was only slow: his token may be the one that is good, and it is here first.
        assert!(books.store.keep_tokens(&lost, &sealed("slow", NOW)).await.unwrap());
        assert!(!books.store.keep_tokens(&taken, &sealed("second", NOW)).await.unwrap());
        assert_eq!(books.tokens().await.access.as_deref(), Some("access slow"));
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_gives_no_new_refresh_token_means_the_old_one() {
    for_each_database(async |books| {
        logged_in(&books).await;
        let lease = books.lease_refresh("one", NOW).await.unwrap();
        let tokens = SealedTokens { refresh: None, ..sealed("two", NOW) };
        assert!(books.store.keep_tokens(&lease, &tokens).await.unwrap());
        let Tokens { refresh, access, .. } = books.tokens().await;
        assert_eq!(refresh.as_deref(), Some("refresh one"));
        assert_eq!(access.as_deref(), Some("access two"));
    })
    .await;
}

#[tokio::test]
async fn a_failure_that_passes_keeps_the_tokens_and_nobody_asks_before_its_time() {
    for_each_database(async |books| {
        logged_in(&books).await;
        let lease = books.lease_refresh("one", NOW).await.unwrap();
        books.store.put_refresh_off(&lease, "it answers 500", NOW + MINUTE).await.unwrap();
        let tokens = books.tokens().await;
        assert_eq!((tokens.failures, tokens.retry_at), (1, Some(NOW + MINUTE)));
        assert_eq!(tokens.refresh.as_deref(), Some("refresh one"));
        assert_eq!(books.lease_refresh("two", NOW + MINUTE - 1).await, None);
        let lease = books.lease_refresh("two", NOW + MINUTE).await.unwrap();
        assert!(books.store.keep_tokens(&lease, &sealed("two", NOW)).await.unwrap());
        let tokens = books.tokens().await;
        assert_eq!((tokens.failures, tokens.retry_at, tokens.trouble), (0, None, None));
        assert_eq!(books.standing().await, ("active".to_owned(), None));
    })
    .await;
}

#[tokio::test]
async fn a_lost_log_in_pauses_the_mailbox_and_the_next_log_in_ends_that() {
    for_each_database(async |books| {
        logged_in(&books).await;
        let mailbox = books.mailboxes().await[0];
        books.store.lose_log_in(mailbox, 1, "invalid_grant", NOW).await.unwrap();
        assert_eq!(books.standing().await, paused_for("login"));
        let tokens = books.tokens().await;
        assert!(tokens.needs_login && tokens.refresh.is_none() && tokens.access.is_none());
        assert_eq!(books.lease_refresh("one", NOW).await, None, "there is nothing to refresh");

        // An operator's word does not bring the log-in back.
        books.store.resume_mailbox(mailbox, NOW).await.unwrap();
        assert!(books.tokens().await.is_active);
        books.store.lose_log_in(mailbox, 1, "invalid_grant", NOW).await.unwrap();
        assert_eq!(books.standing().await, paused_for("login"));

        assert!(books.store.log_in(mailbox, &sealed("two", NOW), NOW).await.unwrap().resumed);
        assert_eq!(books.standing().await, ("active".to_owned(), None));
        let row = books.store.mailboxes().await.unwrap().remove(0);
        assert!(!row.probe, "nobody spoke against it");
        assert_eq!(books.tokens().await.generation, 2);
        // News of the tokens before these is old.
        books.store.lose_log_in(mailbox, 1, "invalid_grant", NOW).await.unwrap();
        assert_eq!(books.standing().await, ("active".to_owned(), None));
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_for_which_nobody_ever_logged_in_is_paused_too() {
    for_each_database(async |books| {
        books.fleet(&[ANN]).await;
        let mailbox = books.mailboxes().await[0];
        assert_eq!(books.tokens().await.generation, 0);
        assert_eq!(books.store.tokens("eve@one.test").await.unwrap(), None);
        books.store.lose_log_in(mailbox, 0, "nobody has logged in", NOW).await.unwrap();
        assert_eq!(books.standing().await, paused_for("login"));
        assert!(books.store.log_in(mailbox, &sealed("one", NOW), NOW).await.unwrap().resumed);
        assert_eq!(books.standing().await, ("active".to_owned(), None));
    })
    .await;
}

#[tokio::test]
async fn a_log_in_ends_no_other_pause() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let (store, ann) = (&scene.books.store, scene.mailboxes[0]);
        store.log_in(ann, &sealed("one", NOW), NOW).await.unwrap();
        scene.send(0, NOW, rejected("sender"), Some(Blow::Spam)).await;
        store.lose_log_in(ann, 1, "invalid_grant", NOW).await.unwrap();
        let row = store.mailboxes().await.unwrap().remove(0);
        assert_eq!(row.paused_reason.as_deref(), Some("spam"));
        assert!(row.paused_until.is_some(), "it ends when it would have ended");
        assert!(!store.log_in(ann, &sealed("two", NOW), NOW).await.unwrap().resumed);
        assert_eq!(scene.books.standing().await, paused_for("spam"));
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_log_in_says_so() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        let (store, ann) = (&scene.books.store, scene.mailboxes[0]);
        store.lose_log_in(ann, 0, "nobody has logged in", NOW).await.unwrap();
        let today = warmfront_core::span::Span::new(NOW - HOUR, NOW + HOUR).unwrap();
        let facts = store.facts(scene.messages[0], TODAY, today).await.unwrap().unwrap();
        let hold = warmfront_core::reason::binding(&facts, NOW).unwrap();
        assert_eq!(hold.as_str(), "mailbox_needs_login");
        assert_eq!(hold.cure(), Some("`warmfront mailbox login ADDRESS`"));
        assert!(hold.to_string().ends_with("nobody has logged in"), "{hold}");
        store.stop_mailbox(scene.mailboxes[1], PauseReason::Banned, "x", NOW).await.unwrap();
        store.log_in(ann, &sealed("one", NOW), NOW).await.unwrap();
        let facts = store.facts(scene.messages[0], TODAY, today).await.unwrap().unwrap();
        assert!(!facts.mailbox.needs_login);
    })
    .await;
}

/// The same tokens, sealed by another key.
fn by_another_key(name: &str) -> SealedTokens {
    SealedTokens { sealed_by: "fedcba9876543210".to_owned(), ..sealed(name, NOW) }
}

#[tokio::test]
async fn tokens_remember_who_gave_them_and_those_of_before_learn_it_by_the_next_refresh() {
    for_each_database(async |books| {
        logged_in(&books).await;
        assert_eq!(books.tokens().await.issuer.as_deref(), Some("https://id.test/token us"));
        books.write("UPDATE tokens SET issuer = NULL").await;
        assert_eq!(books.tokens().await.issuer, None);
        let lease = books.lease_refresh("one", NOW).await.unwrap();
        assert!(books.store.keep_tokens(&lease, &sealed("two", NOW)).await.unwrap());
        assert_eq!(books.tokens().await.issuer.as_deref(), Some("https://id.test/token us"));
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_waits_for_a_log_in_by_what_is_known_of_its_present_tokens_only() {
    for_each_database(async |books| {
        logged_in(&books).await;
        let mailbox = books.mailboxes().await[0];
        books.store.await_log_in(mailbox, 0, "the key is away", NOW).await.unwrap();
        assert_eq!(books.standing().await, ("active".to_owned(), None));
        books.store.await_log_in(mailbox, 1, "the key is away", NOW).await.unwrap();
        assert_eq!(books.standing().await, paused_for("login"));
        let tokens = books.tokens().await;
        assert!(!tokens.needs_login && tokens.refresh.is_some(), "nothing is lost: {tokens:?}");
        // Somebody else's pause goes on as it would.
        books.store.resume_mailbox(mailbox, NOW).await.unwrap();
        books.store.pause_mailbox(mailbox, "mine", NOW).await.unwrap();
        books.store.await_log_in(mailbox, 1, "the key is away", NOW).await.unwrap();
        assert_eq!(books.standing().await, paused_for("operator"));
    })
    .await;
}

#[tokio::test]
async fn one_key_seals_all_tokens_and_another_changes_nothing() {
    for_each_database(async |books| {
        books.fleet(&[ANN, "bob@one.test"]).await;
        let mailboxes = books.mailboxes().await;
        let store = &books.store;
        assert_eq!(store.sealed_by().await.unwrap(), None);
        store.log_in(mailboxes[0], &sealed("one", NOW), NOW).await.unwrap();
        assert_eq!(store.sealed_by().await.unwrap().as_deref(), Some("0123456789abcdef"));
        let refused = store.log_in(mailboxes[1], &by_another_key("two"), NOW).await;
        assert!(matches!(refused, Err(StoreError::AnotherKey)), "{refused:?}");
        assert_eq!(store.tokens("bob@one.test").await.unwrap().unwrap().generation, 0);
        assert_eq!(store.sealed_by().await.unwrap().as_deref(), Some("0123456789abcdef"));
        store.log_in(mailboxes[1], &sealed("two", NOW), NOW).await.unwrap();

        let second = "INSERT INTO sealing_key (id, fingerprint, since)
                      SELECT 2, fingerprint, since FROM sealing_key";
        books.refuse(second, "books_have_one_key").await;
        let long = "UPDATE sealing_key SET fingerprint = fingerprint || 'ab'";
        books.refuse(long, "a_fingerprint_is_eight_octets").await;
    })
    .await;
}

#[tokio::test]
async fn what_an_application_gets_says_by_which_key_too_and_another_keeps_nothing() {
    for_each_database(async |books| {
        books.fleet(&[ANN]).await;
        let lease = books.lease_refresh("one", NOW).await.unwrap();
        let by_itself = SealedTokens { refresh: None, ..sealed("one", NOW) };
        assert!(books.store.keep_tokens(&lease, &by_itself).await.unwrap());
        let known = books.store.sealed_by().await.unwrap();
        assert_eq!(known.as_deref(), Some("0123456789abcdef"));
        let lease = books.lease_refresh("one", NOW + HOUR).await.unwrap();
        let refused = books.store.keep_tokens(&lease, &by_another_key("two")).await;
        assert!(matches!(refused, Err(StoreError::AnotherKey)), "{refused:?}");
        let tokens = books.tokens().await;
        assert_eq!((tokens.generation, tokens.access.as_deref()), (1, Some("access one")));
        assert_eq!(books.store.consented().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn books_that_do_not_know_their_key_have_somebodys_token_to_try_one_on() {
    for_each_database(async |books| {
        logged_in(&books).await;
        books.write("DELETE FROM sealing_key").await;
        let sealed = Some((ANN.to_owned(), "refresh one".to_owned()));
        assert_eq!(books.store.consented().await.unwrap(), sealed);
        books.store.seal_by("0123456789abcdef", NOW).await.unwrap();
        let refused = books.store.seal_by("fedcba9876543210", NOW).await;
        assert!(matches!(refused, Err(StoreError::AnotherKey)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_new_key_makes_everybody_else_log_in_again_and_no_application() {
    for_each_database(async |books| {
        let addresses = [ANN, "bob@one.test", "cat@one.test", "dan@one.test"];
        books.fleet(&addresses).await;
        let (store, ids) = (&books.store, books.mailboxes().await);
        for &id in &ids[..3] {
            store.log_in(id, &sealed("one", NOW), NOW).await.unwrap();
        }
        // An application gets its own again, and an operator's pause is not touched.
        let of_an_application = SealedTokens { refresh: None, ..sealed("one", NOW) };
        store.log_in(ids[3], &of_an_application, NOW).await.unwrap();
        store.pause_mailbox(ids[2], "mine", NOW).await.unwrap();

        let LoggedIn { resumed, void } =
            store.log_in_by_new_key(ids[0], &by_another_key("new"), NOW).await.unwrap();
        assert_eq!((resumed, void), (false, vec![addresses[1].into(), addresses[2].into()]));
        assert_eq!(store.sealed_by().await.unwrap().as_deref(), Some("fedcba9876543210"));
        let standing = store.mailboxes().await.unwrap();
        let standing: Vec<_> =
            standing.iter().map(|row| (&*row.state, row.paused_reason.as_deref())).collect();
        let paused = [("paused", Some("login")), ("paused", Some("operator"))];
        assert_eq!(standing, [("active", None), paused[0], paused[1], ("active", None)]);
        let mut tokens = Vec::new();
        for address in addresses {
            let Tokens { needs_login, refresh, access, .. } =
                store.tokens(address).await.unwrap().unwrap();
            tokens.push((needs_login, refresh.is_some(), access.is_some()));
        }
        let lost = (true, false, false);
        assert_eq!(tokens, [(false, true, true), lost, lost, (false, false, false)]);
        let again = store.log_in(ids[1], &by_another_key("two"), NOW).await.unwrap();
        assert!(again.resumed);
    })
    .await;
}

#[tokio::test]
async fn tokens_stand_whole_and_a_new_one_makes_a_new_generation() {
    for_each_database(async |books| {
        logged_in(&books).await;
        for (text, words) in [
            ("UPDATE tokens SET access = NULL", "an_access_token_has_its_time"),
            ("UPDATE tokens SET expires_at = NULL", "an_access_token_has_its_time"),
            ("UPDATE tokens SET refreshing_by = 'one'", "a_refresh_is_somebodys"),
            (
                "UPDATE tokens SET state = 'needs_login', trouble = 'x'",
                "a_lost_log_in_keeps_no_token",
            ),
            ("UPDATE tokens SET refresh = 'other'", "a new token makes a new generation"),
            ("UPDATE tokens SET access = 'other'", "a new token makes a new generation"),
            ("UPDATE tokens SET generation = 0", "a new token makes a new generation"),
        ] {
            books.refuse(text, words).await;
        }
        let born = "INSERT INTO tokens (mailbox_id, generation, refresh)
                    SELECT mailbox_id + 1000, 0, refresh FROM tokens";
        books.refuse(born, "tokens_have_a_generation").await;
    })
    .await;
}
