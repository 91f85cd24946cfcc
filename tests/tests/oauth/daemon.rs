//! What a daemon makes of tokens that expire, are refused, revoked, or not to be had for a while.

use std::time::Duration;

use warmfront_tests::binary::{Answer, terminate, wait_until, wait_within};
use warmfront_tests::identity::{CLIENT_SECRET, Trouble};

use super::world::{ANN, World};

/// Short, and long enough for a log-in.
const SHORT: Duration = Duration::from_secs(14);

/// Long enough that all of a short run goes by one token, on a busy machine too: half of it, for a token
/// is renewed at half its life.
const LONGER: Duration = Duration::from_secs(40);

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn tokens_that_expire_are_refreshed_and_each_refresh_token_is_used_once() {
    let world = World::of(LONGER, "microsoft", "device", &[ANN]);
    world.log_in(ANN);
    for (nr, campaign) in ["spring", "summer", "autumn"].into_iter().enumerate() {
        world.begin(campaign, 2);
        let _ = world.installation.run(&["run", "--until-idle"]).done();
        assert_eq!(world.count("accepted"), 2 * (nr + 1));
        if nr < 2 {
            std::thread::sleep(LONGER);
        }
    }
    let asked = world.identity.asked();
    // One when it logged in, and one for each time that a token was over.
    assert_eq!((asked.refreshed[ANN], asked.reused), (3, 0), "{asked:?}");
    let _ = world.installation.run(&["audit"]).done();
}

#[test]
fn a_token_that_is_refused_before_its_time_is_refreshed_once_and_the_message_leaves() {
    for mechanisms in ["xoauth2", "oauthbearer"] {
        let world = World::that_takes(mechanisms, HOUR, "google", "code", &[ANN]);
        world.log_in(ANN);
        world.identity.spoil();
        world.begin("spring", 3);
        let mut command = world.installation.command(&["run", "--until-idle"]);
        let ran = Answer::from(command.env("RUST_LOG", "trace").output().expect("it starts"));
        let ran = ran.done();
        assert_eq!(world.count("accepted"), 3, "{mechanisms}");
        let asked = world.identity.asked();
        // For sending and reading alike: whoever comes second takes what the first has got.
        assert_eq!((asked.refreshed[ANN], asked.reused), (2, 0), "{mechanisms}: {asked:?}");
        world.keeps_secrets(&[&ran]);
    }
}

#[test]
fn a_log_in_that_is_revoked_pauses_the_mailbox_and_a_new_one_is_taken_up_by_itself() {
    let world = World::of(SHORT, "microsoft", "device", &[ANN]);
    world.log_in(ANN);
    world.begin("spring", 1);
    let daemon = world.installation.start(&["run"]);
    wait_until("the first message is sent", || world.count("accepted") == 1);
    world.identity.revoke(ANN);
    // Its connection is over too, as it would be after a while.
    world.dovecot.kick(ANN);
    world.begin("summer", 2);
    wait_until("it is paused", || world.standing(ANN).0 == "paused");
    let (_, why) = world.standing(ANN);
    assert!(why.starts_with("somebody must log in for it: invalid_grant (bad_token)"), "{why}");
    let before = world.identity.asked();
    let told = world.told(&format!("why {ANN}"));
    let reason = &told["mailbox"]["reasons"][0];
    assert_eq!(reason["reason"], "mailbox_needs_login", "{told}");
    assert_eq!(reason["cure"], "`warmfront mailbox login ADDRESS`", "{told}");
    let listed = world.installation.run(&["mailbox", "list"]).done();
    assert!(listed.out.contains("mailbox login"), "{listed}");
    // Time enough for whoever would insist.
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(world.identity.asked(), before, "it asks in vain");

    world.log_in(ANN);
    wait_until("the others are sent", || world.count("accepted") == 3);
    assert_eq!(world.standing(ANN).0, "active");
    terminate(&daemon);
    let ended = Answer::from(daemon.wait_with_output().expect("it ends")).done();
    assert_eq!(world.identity.asked().reused, 0);
    world.keeps_secrets(&[&ended]);
    let _ = world.installation.run(&["audit"]).done();
}

#[test]
fn an_inbox_for_which_nobody_waits_is_read_within_a_minute_of_its_log_in() {
    let world = World::of(SHORT, "microsoft", "device", &[ANN]);
    world.log_in(ANN);
    world.begin("spring", 1);
    let _ = world.installation.run(&["run", "--until-idle"]).done();
    world.identity.revoke(ANN);
    std::thread::sleep(SHORT);
    let daemon = world.installation.start(&["run"]);
    let trouble = || world.told("status")["mailboxes"][0]["inbox_trouble"].clone();
    wait_until("it cannot be read", || !trouble().is_null());
    world.log_in(ANN);
    wait_within(Duration::from_secs(90), "it is read", || trouble().is_null());
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
}

#[test]
fn an_application_whose_secret_is_changed_goes_on_by_the_new_one() {
    let world = World::of(SHORT, "microsoft", "app", &[ANN]);
    let auth = world.identity.auth("microsoft", "app");
    world.configure(&auth.replace("env = \"CLIENT_SECRET\"", "file = \"kept\""));
    let keep = |secret: &str| {
        world.installation.write("kept", secret);
        world.close_to_others("kept");
    };
    keep(CLIENT_SECRET);
    world.identity.at_browser(ANN);
    world.begin("spring", 1);
    let daemon = world.installation.start(&["run"]);
    wait_until("the first message is sent", || world.count("accepted") == 1);
    world.identity.change_secret("another");
    keep("another");
    std::thread::sleep(SHORT);
    world.dovecot.kick(ANN);
    world.begin("summer", 1);
    // Whoever was refused is not asked again for a minute.
    let patience = Duration::from_secs(150);
    wait_within(patience, "the second is sent", || world.count("accepted") == 2);
    assert_eq!(world.standing(ANN).0, "active");
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
}

#[test]
fn an_identity_provider_that_fails_for_a_while_costs_no_message_and_no_log_in() {
    for trouble in [Trouble::Status(500, None), Trouble::Status(429, Some(3)), Trouble::Silent] {
        let world = World::of(SHORT, "microsoft", "device", &[ANN]);
        world.log_in(ANN);
        std::thread::sleep(SHORT);
        world.identity.trouble(Some(trouble));
        world.begin("spring", 3);
        let daemon = world.installation.start(&["run"]);
        wait_until("it is asked in vain", || world.identity.asked().in_trouble >= 2);
        let status = world.told("status");
        assert_eq!(world.standing(ANN).0, "active", "{status}");
        let asked = world.identity.asked().in_trouble;
        world.identity.trouble(None);
        assert!(asked <= 4, "{trouble:?}: asked {asked} times within seconds");
        wait_until("they are sent", || world.count("accepted") == 3);
        terminate(&daemon);
        let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
        assert_eq!(world.identity.asked().reused, 0);
    }
}

#[test]
fn a_mailbox_for_which_nobody_has_logged_in_asks_for_it() {
    let world = World::of(HOUR, "microsoft", "device", &[ANN]);
    world.begin("spring", 1);
    let _ = world.installation.run(&["run", "--until-idle"]).done();
    let (state, why) = world.standing(ANN);
    assert_eq!(state, "paused");
    assert_eq!(why, "somebody must log in for it: nobody has logged in for it yet");
    assert!(world.identity.asked().grants.is_empty(), "there was nothing to ask with");
}
