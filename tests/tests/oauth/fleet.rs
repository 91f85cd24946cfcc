//! Two hundred mailboxes whose tokens expire at once.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use warmfront_core::address::Address;
use warmfront_core::span::SECOND;
use warmfront_engine::clock::Clock;
use warmfront_engine::tokens::{Duty, Key, SealedBy, TokenKeeper};
use warmfront_mail::oauth::Tokens;
use warmfront_store::{Durability, Store};
use warmfront_tests::binary::Answer;
use warmfront_tests::identity::{CLIENT_ID, IdentityServer};
use warmfront_tests::postgres::Cluster;

use super::identity::{Identity, at_hand};
use super::world::World;

#[test]
fn two_hundred_tokens_that_expire_at_once_are_refreshed_once_each_and_a_few_at_a_time() {
    check(at_hand(HOUR), None, 1);
}

#[test]
fn two_daemons_refresh_none_of_two_hundred_twice() {
    let cluster = Cluster::shared();
    let books = cluster.url(&cluster.database(None));
    check(Box::new(IdentityServer::start(HOUR)), Some(books), 2);
}

/// Everybody's tokens are over when so many daemons begin, and each is refreshed once.
fn check(provider: Box<dyn Identity>, books: Option<String>, daemons: usize) {
    let addresses: Vec<String> = (0..MAILBOXES).map(|nr| format!("m{nr}@sender.example")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let auth = provider.auth("device");
    let mut world = World::behind(provider, "xoauth2 oauthbearer", &auth, &addresses);
    if let Some(books) = books {
        world = world.with_books(books, &auth);
    }
    // The first log-in makes the key.
    world.log_in(addresses[0]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(consented_a_while_ago(&world));
    let before = world.identity.asked();
    world.begin("spring", MAILBOXES);
    let all: Vec<_> =
        (0..daemons).map(|_| world.installation.start(&["run", "--until-idle"])).collect();
    let ended = all.into_iter().map(|daemon| daemon.wait_with_output().expect("it ends"));
    let ended: Vec<Answer> = ended.map(|output| Answer::from(output).done()).collect();
    assert_eq!(world.count("accepted"), MAILBOXES, "{}", ended[0]);
    let asked = world.identity.asked();
    let refreshed = |address: &str| {
        asked.refreshed[address] - before.refreshed.get(address).copied().unwrap_or(0)
    };
    // Sending and reading share what one of them has got.
    let of_each: Vec<usize> = addresses.iter().map(|address| refreshed(address)).collect();
    assert!(of_each.iter().all(|&times| times == 1), "{of_each:?}");
    assert_eq!(asked.reused, 0, "two refreshed the same token");
    assert!(asked.at_once <= daemons * AT_ONCE, "{} at once", asked.at_once);
    let _ = world.installation.run(&["audit"]).done();
    world.keeps_secrets(&ended.iter().collect::<Vec<_>>());
}

/// Everybody has logged in, and what they have then is over within a second.
async fn consented_a_while_ago(world: &World<Box<dyn Identity>>) {
    let file = world.installation.file("warmfront.key");
    let key = std::fs::read_to_string(file).expect("the key");
    let key: [u8; 32] =
        BASE64.decode(key.trim()).expect("in Base64").try_into().expect("32 octets");
    let store = Store::open(&world.books(), Durability::Full).await.expect("the books");
    let keys = Arc::new(move || Ok(Key::new(Box::new(key))));
    let keeper =
        TokenKeeper::new(store.clone(), Clock::Wall, "a test".to_owned(), keys, Duty::Works);
    for row in store.mailboxes().await.expect("the mailboxes") {
        let address = Address::parse(&row.address).expect("an address");
        let refresh = world.identity.consent(&row.address);
        let tokens = Tokens { access: "over".into(), refresh: Some(refresh.into()), lives: SECOND };
        let url = world.identity.token_url();
        let host = url.split('/').nth(2).expect("a host");
        let issuer = format!("{host} {CLIENT_ID}");
        let (given, by) = ((&tokens, issuer), SealedBy::BooksKey);
        keeper.log_in(row.id, &address, given, by).await.expect("it is kept");
    }
    store.close().await.expect("the books");
}

const MAILBOXES: usize = 200;

const HOUR: Duration = Duration::from_secs(3_600);

/// The most refreshes that a daemon has under way.
const AT_ONCE: usize = 8;
