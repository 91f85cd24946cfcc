//! Many who want a mailbox's token at once, in one process and in several: one refreshes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use warmfront_core::address::Address;
use warmfront_core::span::{Millis, SECOND};
use warmfront_engine::clock::Clock;
use warmfront_engine::tokens::{Duty, Key, KeySource, NoKey, SealedBy, TokenKeeper};
use warmfront_mail::bearer::Bearer;
use warmfront_mail::oauth::{Application, Grant, Http, IdentityProvider, Tokens};
use warmfront_mail::submit::Trouble;
use warmfront_store::{Durability, MailboxSpec, Settings, Store};
use warmfront_tests::identity::{self, CLIENT_ID, CLIENT_SECRET, IdentityServer};

use super::world::ANN;

/// Books with one mailbox, and the time in them.
struct Desk {
    store: Store,
    clock: Clock,
    address: Address,
    id: i64,
    server: IdentityServer,
}

const NOW: Millis = 1_800_000_000_000;

impl Desk {
    async fn new() -> Self {
        let store = Store::open("sqlite::memory:", Durability::None).await.expect("books");
        let settings = Settings {
            zone: "UTC".to_owned(),
            seed: 1,
            company_per_day: 2,
            person_gap_ms: 0,
            fresh_ms: 1,
            thresholds: warmfront_core::health::Thresholds::default(),
            domain_grace_ms: None,
        };
        store.write_settings(&settings).await.expect("settings");
        let spec = MailboxSpec {
            address: ANN.to_owned(),
            domain: "sender.example".to_owned(),
            tenant: None,
            provider: "smtp".to_owned(),
            cap: 50,
            gap_ms: 0,
            warm_days: 0,
            plateau: 23,
        };
        store.write_fleet(&[spec], "2027-01-15", NOW).await.expect("a fleet");
        let id = store.mailboxes().await.expect("mailboxes")[0].id;
        let server = IdentityServer::start(Duration::from_secs(3_600));
        let address = Address::parse(ANN).expect("an address");
        Self { store, clock: Clock::simulated(NOW), address, id, server }
    }

    /// A process that keeps tokens.
    fn keeper(&self, owner: &str) -> TokenKeeper {
        let keys: KeySource = Arc::new(|| Ok(Key::new(Box::new([7; 32]))));
        self.keeper_by(owner, keys)
    }

    fn keeper_by(&self, owner: &str, keys: KeySource) -> TokenKeeper {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        TokenKeeper::new(store, clock, owner.to_owned(), keys, Duty::Works)
    }

    fn bearer(&self, keeper: &TokenKeeper) -> Bearer {
        keeper.bearer(self.address.clone(), self.provider(CLIENT_ID), Grant::Person)
    }

    /// The identity provider, asked for this application.
    fn provider(&self, client_id: &str) -> IdentityProvider {
        let url = |path: &str| self.server.url(path);
        let application = Application {
            client_id: client_id.to_owned(),
            secret: Some(CLIENT_SECRET.into()),
            authorize_url: url("/authorize"),
            token_url: url("/token"),
            device_url: None,
            scopes: vec!["mail".to_owned()],
            authorize_with: Vec::new(),
            loopback: "127.0.0.1".to_owned(),
        };
        let http = Http::new(None).expect("a client");
        IdentityProvider::new(application, http).expect("a provider")
    }

    /// Somebody has logged in a while ago: this token has so much time left.
    async fn log_in(&self, keeper: &TokenKeeper, lives: Millis) {
        self.log_in_for(&self.address, keeper, lives).await;
    }

    /// The same, sealed for this address.
    async fn log_in_for(&self, address: &Address, keeper: &TokenKeeper, lives: Millis) {
        let tokens = Tokens {
            access: "first".into(),
            refresh: Some(self.server.consent(ANN).into()),
            lives,
        };
        let (given, by) = ((&tokens, self.provider(CLIENT_ID).issuer()), SealedBy::BooksKey);
        keeper.log_in(self.id, address, given, by).await.expect("it is kept");
    }

    async fn tokens(&self) -> warmfront_store::Tokens {
        self.store.tokens(ANN).await.expect("books").expect("the mailbox")
    }

    fn pass(&self, time: Millis) {
        self.clock.set(self.clock.now() + time);
    }

    fn refreshed(&self) -> usize {
        self.server.asked().refreshed.get(ANN).copied().unwrap_or(0)
    }
}

/// Everybody's answer to the same question, all at once.
async fn all(bearers: &[Bearer], refused: Option<&str>) -> Vec<Result<String, Trouble>> {
    let asking = bearers.iter().cloned().map(|bearer| {
        let refused = refused.map(SecretString::from);
        tokio::spawn(async move { bearer.token(refused.as_ref()).await })
    });
    let mut answers = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        let answer = asked.await.expect("nobody panics");
        answers.push(answer.map(|token| token.expose_secret().to_owned()));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_in_two_processes_one_refreshes_and_all_have_its_token() {
    let desk = Desk::new().await;
    let (one, two) = (desk.keeper("one"), desk.keeper("two"));
    desk.log_in(&one, 60 * SECOND).await;
    let bearers: Vec<Bearer> =
        (0..100).map(|nr| desk.bearer(if nr % 2 == 0 { &one } else { &two })).collect();
    assert!(all(&bearers, None).await.iter().all(|token| token.as_deref() == Ok("first")));
    assert_eq!(desk.refreshed(), 0, "it was fresh");

    desk.pass(60 * SECOND);
    let tokens = all(&bearers, None).await;
    let first = tokens[0].clone().expect("a token");
    assert!(
        first.starts_with("access-") && tokens.iter().all(|token| token.as_ref() == Ok(&first))
    );
    let asked = desk.server.asked();
    assert_eq!((desk.refreshed(), asked.reused), (1, 0), "{asked:?}");

    // A server refuses it: again one refreshes, whoever says so first.
    let tokens = all(&bearers, Some(&first)).await;
    let second = tokens[0].clone().expect("a token");
    assert_ne!(second, first);
    assert!(tokens.iter().all(|token| token.as_ref() == Ok(&second)), "{tokens:?}");
    assert_eq!(desk.refreshed(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_hundred_want_at_once_is_read_once() {
    let desk = Desk::new().await;
    desk.log_in(&desk.keeper("one"), 3_600 * SECOND).await;
    let read = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&read);
    let keys: KeySource = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Key::new(Box::new([7; 32])))
    });
    let keeper = desk.keeper_by("two", keys);
    let bearers: Vec<Bearer> = (0..100).map(|_| desk.bearer(&keeper)).collect();
    assert!(all(&bearers, None).await.iter().all(|token| token.as_deref() == Ok("first")));
    assert_eq!(read.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_dropped_half_way_loses_no_token() {
    let desk = Desk::new().await;
    let keeper = desk.keeper("one");
    desk.log_in(&keeper, 60 * SECOND).await;
    desk.pass(60 * SECOND);
    assert_eq!(desk.server.asked().at_once, 0, "nobody has asked yet");
    desk.server.trouble(Some(identity::Trouble::Slow(Duration::from_secs(2))));
    let bearer = desk.bearer(&keeper);
    let hasty = tokio::spawn(async move { bearer.token(None).await.map(drop) });
    while desk.server.asked().at_once == 0 && !hasty.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hasty.abort();
    assert!(hasty.await.is_err_and(|error| error.is_cancelled()), "it went away");
    keeper.finish().await;
    assert_eq!(desk.refreshed(), 1);
    let tokens = desk.tokens().await;
    assert_eq!(tokens.generation, 2, "what was given is in the books");
    let token = desk.bearer(&desk.keeper("two")).token(None).await.expect("a token");
    assert!(token.expose_secret().starts_with("access-"));
    assert_eq!((desk.refreshed(), desk.server.asked().reused), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_still_good_serves_while_nobody_gives_another() {
    let desk = Desk::new().await;
    let keeper = desk.keeper("one");
    desk.log_in(&keeper, 3_600 * SECOND).await;
    let bearer = desk.bearer(&keeper);
    // Less than five minutes are left.
    desk.pass(3_400 * SECOND);
    desk.server.trouble(Some(identity::Trouble::Status(503, None)));
    let token = bearer.token(None).await.expect("a token");
    assert_eq!(token.expose_secret(), "first");
    assert_eq!(desk.server.asked().in_trouble, 1);
    // It is not asked again at once.
    let _ = bearer.token(None).await.expect("a token");
    assert_eq!(desk.server.asked().in_trouble, 1);
    // Once it is over there is none, and the mailbox is not to blame.
    desk.pass(200 * SECOND);
    let none = bearer.token(None).await;
    assert!(matches!(none, Err(Trouble::NoToken(_))), "{none:?}");
    let tokens = desk.tokens().await;
    assert!(tokens.is_active && tokens.refresh.is_some() && tokens.failures == 2, "{tokens:?}");

    desk.server.trouble(None);
    desk.pass(60 * SECOND);
    let token = bearer.token(None).await.expect("a token");
    assert!(token.expose_secret().starts_with("access-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_log_in_is_asked_about_once_and_never_again() {
    let desk = Desk::new().await;
    let keeper = desk.keeper("one");
    desk.log_in(&keeper, 60 * SECOND).await;
    desk.server.revoke(ANN);
    desk.pass(60 * SECOND);
    let bearers: Vec<Bearer> = (0..20).map(|_| desk.bearer(&keeper)).collect();
    let answers = all(&bearers, None).await;
    let lost = |answer: &Result<String, Trouble>| matches!(answer, Err(Trouble::NeedsLogin(_)));
    assert!(answers.iter().all(lost), "{answers:?}");
    assert_eq!(desk.server.asked().grants["refresh_token"], 1);
    desk.pass(24 * 3_600 * SECOND);
    assert!(all(&bearers, None).await.iter().all(lost));
    assert_eq!(desk.server.asked().grants["refresh_token"], 1);
    let row = desk.store.mailboxes().await.expect("mailboxes").remove(0);
    assert_eq!(row.paused_reason.as_deref(), Some("login"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_of_earlier_tokens_pauses_nobody_who_has_others_by_now() {
    let desk = Arc::new(Desk::new().await);
    // By the books' own key, and yet nobody can open what was sealed for somebody else.
    let other = Address::parse("bob@sender.example").expect("an address");
    desk.log_in_for(&other, &desk.keeper("one"), 3_600 * SECOND).await;
    let (there, runtime) = (Arc::clone(&desk), tokio::runtime::Handle::current());
    // Somebody logs in on another machine while this one looks for a key that opens them.
    let keys: KeySource = Arc::new(move || {
        runtime.block_on(there.log_in(&there.keeper("two"), 3_600 * SECOND));
        Ok(Key::new(Box::new([7; 32])))
    });
    let answer = desk.bearer(&desk.keeper_by("three", keys)).token(None).await;
    assert!(matches!(answer, Err(Trouble::NeedsLogin(_))), "{answer:?}");
    let tokens = desk.tokens().await;
    assert!(tokens.generation > 1 && tokens.is_active, "{tokens:?}");

    desk.log_in_for(&other, &desk.keeper("one"), 3_600 * SECOND).await;
    let answer = desk.bearer(&desk.keeper("three")).token(None).await;
    assert!(matches!(answer, Err(Trouble::NeedsLogin(_))), "{answer:?}");
    let tokens = desk.tokens().await;
    assert!(!tokens.is_active && !tokens.needs_login && tokens.refresh.is_some(), "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_the_books_is_one_process_trouble_and_pauses_nobody() {
    let desk = Desk::new().await;
    desk.log_in(&desk.keeper("one"), 60 * SECOND).await;
    let away: KeySource = Arc::new(|| Err(NoKey::Gone("the key is not here".to_owned())));
    let another: KeySource = Arc::new(|| Ok(Key::new(Box::new([8; 32]))));
    for at in ["while it is good", "when it is over"] {
        for keys in [&away, &another] {
            let keeper = desk.keeper_by("two", Arc::clone(keys));
            for grant in [Grant::Person, Grant::Application] {
                let provider = desk.provider(CLIENT_ID);
                let answer = keeper.bearer(desk.address.clone(), provider, grant).token(None).await;
                assert!(matches!(answer, Err(Trouble::NoToken(_))), "{at}: {answer:?}");
            }
        }
        desk.pass(60 * SECOND);
    }
    let tokens = desk.tokens().await;
    assert!(tokens.is_active && tokens.refresh.is_some() && tokens.generation == 1, "{tokens:?}");
    assert_eq!(desk.server.asked().grants.len(), 0, "nobody was asked for what could not be kept");
    let token = desk.bearer(&desk.keeper("one")).token(None).await.expect("a token");
    assert!(token.expose_secret().starts_with("access-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_has_the_books_know_its_key_and_needs_no_log_in_that_was_lost() {
    let desk = Desk::new().await;
    desk.server.at_browser(ANN);
    let lost = "invalid_grant";
    desk.store.lose_log_in(desk.id, 0, lost, NOW).await.expect("books");
    assert_eq!(desk.store.sealed_by().await.expect("books"), None);
    let keeper = desk.keeper("one");
    let ours = || keeper.bearer(desk.address.clone(), desk.provider(CLIENT_ID), Grant::Application);
    let token = ours().token(None).await.expect("a token");
    assert!(desk.store.sealed_by().await.expect("books").is_some());
    let tokens = desk.tokens().await;
    assert!(!tokens.needs_login && tokens.trouble.is_none(), "{tokens:?}");
    assert_eq!(ours().token(None).await.expect("the same").expose_secret(), token.expose_secret());

    // What somebody has left is for nobody's own name, and stays.
    desk.log_in_for(&Address::parse("bob@sender.example").expect("one"), &keeper, SECOND).await;
    let _ = ours().token(None).await.expect("a token");
    assert!(desk.tokens().await.refresh.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_another_application_are_shown_to_nobody() {
    let desk = Desk::new().await;
    let (old, by_other) = (desk.keeper("old"), |keeper: &TokenKeeper| {
        keeper.bearer(desk.address.clone(), desk.provider("another"), Grant::Person)
    });
    desk.pass(SECOND);
    desk.log_in(&desk.keeper("one"), 60 * SECOND).await;
    // Whoever worked before that log-in knows another application, and may be the one who is wrong.
    let answer = by_other(&old).token(None).await;
    assert!(matches!(answer, Err(Trouble::NoToken(_))), "{answer:?}");
    let tokens = desk.tokens().await;
    assert!(tokens.is_active, "{tokens:?}");

    desk.pass(60 * SECOND);
    let answer = by_other(&desk.keeper("new")).token(None).await;
    let Err(Trouble::NeedsLogin(why)) = answer else { panic!("{answer:?}") };
    assert_eq!(why, "nobody has logged in with this application yet");
    let tokens = desk.tokens().await;
    assert!(!tokens.is_active && tokens.refresh.is_some(), "{tokens:?}");
    assert_eq!(desk.server.asked().grants.len(), 0, "nobody was asked");

    desk.store.resume_mailbox(desk.id, desk.clock.now()).await.expect("books");
    let token = desk.bearer(&desk.keeper("new")).token(None).await.expect("a token");
    assert!(token.expose_secret().starts_with("access-"));
}
