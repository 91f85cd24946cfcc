//! What `status` tells of daemons that share a database.

use std::collections::BTreeSet;

use warmfront_tests::binary::{Answer, Daemon, Fleet, wait_until, wait_within};
use warmfront_tests::postgres::Cluster;

use super::pair::{Pair, terminate_all};

#[test]
fn status_tells_who_works_and_what_each_holds_in_eighty_columns() {
    let cluster = Cluster::start();
    let pair = Pair::new(&cluster, Fleet { gap: "3s", ..Fleet::of(MAILBOXES) });
    let scene = &pair.scene;
    scene.begin("workers", 50 * MAILBOXES);
    let status = |words: &[&str]| scene.installation.run(words).done();
    let nobody = "no daemon is running; `warmfront run` starts one";
    assert!(status(&["status"]).out.contains(nobody));
    let mut daemons = both_at_work(&pair);

    let json = status(&["status", "--json"]).json();
    let mut seen = BTreeSet::new();
    for worker in json["workers"].as_array().expect("both") {
        let owner = worker["owner"].as_str().expect("a name");
        let holds = worker["holds"].as_array().expect("addresses");
        assert_eq!(worker["mailboxes"], holds.len());
        for address in holds {
            assert!(seen.insert(address.as_str().expect("an address").to_owned()));
            let row = json["mailboxes"].as_array().into_iter().flatten();
            let row = row.clone().find(|row| row["address"] == *address);
            assert_eq!(row.expect("it is listed")["held_by"], owner);
        }
    }
    assert_eq!(seen.len(), MAILBOXES);
    told_to_people(&status(&["status"]), &daemons, &seen);

    terminate_all(&mut daemons, "asked to end");
    assert!(status(&["status"]).out.contains(nobody));
}

/// A daemon without work, or in the gap between two messages, holds no mailbox.
#[test]
fn status_tells_who_works_though_nobody_holds_a_mailbox() {
    let cluster = Cluster::start();
    let pair = Pair::new(&cluster, Fleet { gap: "4m", ..Fleet::of(2) });
    let scene = &pair.scene;
    scene.begin("workers", 6);
    let mut daemons = pair.run(&["run"]);
    let status = || scene.installation.run(&["status", "--json"]).done().json();
    let count = |status: &serde_json::Value| {
        let workers = status["workers"].as_array().cloned().unwrap_or_default();
        (workers.len(), workers.iter().filter_map(|worker| worker["mailboxes"].as_u64()).sum())
    };
    wait_until("each mailbox has sent one and waits for its gap", || {
        scene.sink.accepted_count() == 2 && count(&status()) == (2, 0)
    });
    let told = scene.installation.run(&["status"]).done();
    for daemon in &daemons {
        let name = format!("running: process {} on ", daemon.id());
        assert_eq!(told.out.matches(&name).count(), 1, "{told}");
    }
    assert_eq!(told.out.matches("s ago, with no mailbox at present").count(), 2, "{told}");
    // One that is lost is told of for a minute; one that ends, no more.
    daemons[0].kill();
    daemons[1].terminate();
    daemons[1].ended_well("asked to end");
    assert_eq!(count(&status()), (1, 0));
    let gone = || count(&status()) == (0, 0);
    wait_within(std::time::Duration::from_secs(75), "it is not heard of any more", gone);
}

/// Another machine's configuration may be older. Whoever looks from there changes nothing.
#[test]
fn a_command_changes_nothing_of_the_fleet_under_a_daemon_at_work() {
    let cluster = Cluster::start();
    let pair = Pair::new(&cluster, Fleet::of(2));
    let mut daemon = pair.one(0, &["run"]);
    let here = || pair.scene.installation.run(&["status", "--json"]).done().json();
    wait_until("it is at work", || here()["workers"].as_array().is_some_and(|all| all.len() == 1));
    let whole =
        std::fs::read_to_string(pair.elsewhere.file("warmfront.toml")).expect("it is there");
    let (first, second) = whole.rsplit_once("[[mailbox]]").expect("two mailboxes");
    assert!(second.contains("sender2"));
    pair.elsewhere.write("warmfront.toml", format!("{first}[limits]\ncompany_per_day = 1\n"));
    let there = pair.elsewhere.run(&["status"]).done();
    let note = format!("warmfront.toml is not what process {} on", daemon.id());
    assert!(there.err.contains(&note) && there.out.contains("2 of 2 mailboxes active"), "{there}");

    daemon.terminate();
    daemon.ended_well("asked to end");
    let there = pair.elsewhere.run(&["status"]).done();
    assert!(there.out.contains("1 of 2 mailboxes active"), "nobody minds: {there}");
}

/// Two daemons that have all mailboxes between them. Whoever comes late may find none left.
fn both_at_work(pair: &Pair) -> [Daemon; 2] {
    let daemons = pair.run(&["run"]);
    wait_until("both are known, and all mailboxes are held", || {
        let status = pair.scene.installation.run(&["status", "--json"]).done().json();
        let workers = status["workers"].as_array().cloned().unwrap_or_default();
        let held = workers.iter().filter_map(|worker| worker["mailboxes"].as_u64());
        (workers.len(), held.sum()) == (daemons.len(), MAILBOXES as u64)
    });
    daemons
}

/// Both by the number of their process, each mailbox once, no line too long.
#[track_caller]
fn told_to_people(status: &Answer, daemons: &[Daemon; 2], addresses: &BTreeSet<String>) {
    for daemon in daemons {
        let name = format!("running: process {} on ", daemon.id());
        assert_eq!(status.out.matches(&name).count(), 1, "{status}");
    }
    let words: Vec<&str> = status.out.split([' ', ',', '\n']).collect();
    for address in addresses {
        let times = words.iter().filter(|word| *word == address).count();
        assert_eq!(times, 1, "{address}: {status}");
    }
    let long: Vec<&str> = status.out.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{status}");
}

const MAILBOXES: usize = 20;
