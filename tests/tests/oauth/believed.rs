//! The mail world believes an identity provider that others wrote: its tokens live a minute, rotate, are
//! taken back, and are not to be had for a minute.

use std::time::Duration;

use warmfront_tests::binary::{Answer, terminate, wait_until, wait_within};

use super::identity::{Identity as _, at_hand};
use super::openid::OpenId;
use super::world::{ANN, Waiting, World};

const BOB: &str = "bob@sender.example";

/// How long an access token is good.
const LIVES: Duration = Duration::from_secs(60);

const MINUTE: Duration = Duration::from_secs(60);

const MECHANISMS: &str = "xoauth2 oauthbearer";

/// Logs in by a browser on this machine.
fn log_in_by_browser(world: &World<OpenId>, mailbox: &str) {
    let words = ["mailbox", "login", mailbox, "--json"];
    let mut login = Waiting::begin(&world.installation, &words);
    let url = format!("{0}{1}", world.identity.url, login.says(&world.identity.url));
    world.identity.browses(&url, mailbox);
    let told = login.ended().done().json();
    assert_eq!((&told["state"], &told["flow"]), (&"active".into(), &"code".into()));
}

/// Logs in by a code that is typed elsewhere.
fn log_in_by_device(world: &World<OpenId>, mailbox: &str) {
    let words = ["mailbox", "login", mailbox, "--json"];
    let mut login = Waiting::begin(&world.installation, &words);
    let said = login.says("type the code ");
    world.identity.types(said.split(',').next().expect("a code"), mailbox);
    let told = login.ended().done().json();
    assert_eq!((&told["state"], &told["flow"]), (&"active".into(), &"device".into()));
}

/// Sends so many messages from both mailboxes.
#[track_caller]
fn sends(world: &World<OpenId>, campaign: &str, all: usize) -> Answer {
    world.begin(campaign, 4);
    let ran = world.installation.run(&["run", "--until-idle"]).done();
    assert_eq!(world.count("accepted"), all, "{ran}");
    for mailbox in world.installation.run(&["mailbox", "list", "--json"]).done().json_lines() {
        assert!(mailbox["inbox_trouble"].is_null(), "{mailbox}");
        assert!(mailbox["inbox_read_at"].is_string(), "{mailbox}");
    }
    ran
}

#[test]
fn tokens_of_a_provider_that_others_wrote_open_the_mail_servers_for_as_long_as_its_consent_lasts() {
    let Some(provider) = OpenId::start(LIVES) else { return };
    let auth = provider.auth("code");
    let world = World::behind(provider, MECHANISMS, &auth, &[ANN, BOB]);
    log_in_by_browser(&world, ANN);
    world.configure(&world.identity.auth("device"));
    log_in_by_device(&world, BOB);
    let first = sends(&world, "spring", 4);

    // Whoever shows a token now shows one that is over, unless it is refreshed.
    std::thread::sleep(LIVES + Duration::from_secs(1));
    let second = sends(&world, "summer", 8);
    let refreshed = |mailbox: &str| world.identity.asked().refreshed.get(mailbox).copied();
    let before = [ANN, BOB].map(|mailbox| refreshed(mailbox).expect("it was refreshed"));

    // And once more, by what the refresh before has brought: the first refresh token is used up.
    world.identity.spoil();
    let third = sends(&world, "autumn", 12);
    let after = [ANN, BOB].map(|mailbox| refreshed(mailbox).expect("it was refreshed"));
    assert!(before.iter().zip(after).all(|(&before, after)| after == before + 1), "{after:?}");

    // What is taken back pauses that mailbox and no other, until somebody logs in.
    world.identity.revoke(ANN);
    let before = world.count("accepted");
    world.begin("winter", 4);
    let daemon = world.installation.start(&["run"]);
    wait_until("it is paused", || world.standing(ANN).0 == "paused");
    let why = world.standing(ANN).1;
    assert!(why.starts_with("somebody must log in for it: invalid_grant"), "{why}");
    wait_until("the other goes on", || world.count("accepted") > before);
    assert_eq!(world.standing(BOB).0, "active");
    world.configure(&world.identity.auth("code"));
    log_in_by_browser(&world, ANN);
    wait_until("all are sent", || world.count("accepted") == 16);
    terminate(&daemon);
    let last = Answer::from(daemon.wait_with_output().expect("it ends")).done();
    assert_eq!(world.identity.asked().reused, 0);
    world.keeps_secrets(&[&first, &second, &third, &last]);
    let _ = world.installation.run(&["audit"]).done();
}

#[test]
fn a_provider_that_answers_500_for_a_minute_costs_no_message_and_no_log_in() {
    let provider = at_hand(LIVES);
    let auth = provider.auth("device");
    let world = World::behind(provider, MECHANISMS, &auth, &[ANN]);
    world.log_in(ANN);
    world.identity.fail(Some(500));
    let daemon = world.installation.start(&["run"]);
    // The token is good for a while yet.
    world.begin("spring", 2);
    wait_until("they are sent", || world.count("accepted") == 2);
    std::thread::sleep(MINUTE);
    // It is over, and there is no other.
    world.dovecot.kick(ANN);
    world.begin("summer", 3);
    wait_until("it is asked in vain", || world.identity.asked().in_trouble >= 2);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(world.count("accepted"), 2);
    assert_eq!(world.standing(ANN).0, "active", "{}", world.told("status"));
    let asked = world.identity.asked();
    assert!(asked.in_trouble <= 8, "a storm: {asked:?}");
    world.identity.fail(None);
    wait_within(2 * MINUTE, "they are sent", || world.count("accepted") == 5);
    terminate(&daemon);
    let ended = Answer::from(daemon.wait_with_output().expect("it ends")).done();
    assert_eq!(world.identity.asked().reused, 0);
    world.keeps_secrets(&[&ended]);
    let _ = world.installation.run(&["audit"]).done();
}
