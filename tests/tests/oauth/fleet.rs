//! Two hundred mailboxes whose tokens expire at once.

use std::time::Duration;

use crate::world::World;

#[test]
fn two_hundred_tokens_that_expire_at_once_are_refreshed_once_each_and_a_few_at_a_time() {
    let addresses: Vec<String> = (0..MAILBOXES).map(|nr| format!("m{nr}@sender.example")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let world = World::of(LIVES, "microsoft", "device", &addresses);
    for address in &addresses {
        world.log_in(address);
    }
    std::thread::sleep(LIVES);
    let before = world.identity.asked();
    world.begin("spring", MAILBOXES);
    let ran = world.installation.run(&["run", "--until-idle"]).done();
    assert_eq!(world.count("accepted"), MAILBOXES, "{ran}");
    let asked = world.identity.asked();
    let refreshed = |address: &str| {
        asked.refreshed[address] - before.refreshed.get(address).copied().unwrap_or(0)
    };
    let of_each: Vec<usize> = addresses.iter().map(|address| refreshed(address)).collect();
    // Sending and reading share a token; on a busy machine it may be over again before all is done.
    assert!(of_each.iter().all(|&times| (1..=3).contains(&times)), "{of_each:?}");
    assert_eq!(asked.reused, 0, "two refreshed the same token");
    assert!(asked.at_once <= AT_ONCE, "{} at once", asked.at_once);
    let _ = world.installation.run(&["audit"]).done();
    world.keeps_secrets(&[&ran]);
}

const MAILBOXES: usize = 200;

const LIVES: Duration = Duration::from_secs(30);

/// The most refreshes that a daemon has under way.
const AT_ONCE: usize = 8;
