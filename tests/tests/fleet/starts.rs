//! Daemons that start at the same moment, on a database that is empty and on one that has work.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use warmfront_tests::binary::{Daemon, Fleet, wait_until};
use warmfront_tests::postgres::Cluster;

use super::accounts::{balance, people};
use super::pair::{Pair, UNTIL_IDLE, terminate_all};
use super::{say, times};

#[test]
fn daemons_that_start_at_once_share_what_there_is() {
    let (starts, begun) = (times("WARMFRONT_STARTS", STARTS), AtomicU64::new(0));
    let cluster = Cluster::start();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while begun.fetch_add(1, Ordering::Relaxed) < starts {
                    start(&cluster);
                }
            });
        }
    });
    say(&format!("{starts} pairs started at once"));
}

/// Two daemons and an import make the schema at once; later two daemons plan a day at once.
fn start(cluster: &Cluster) {
    let pair = Pair::new(cluster, Fleet::of(3));
    let scene = &pair.scene;
    scene.write_campaign("first", PEOPLE);
    let mut daemons = pair.run(&["run"]);
    let import = ["campaign", "import", "campaigns/first"];
    Daemon::start(&scene.installation, &import, None).ended_well("an import beside two starts");
    let _ = scene.installation.run(&["campaign", "start", "first"]).done();
    wait_until("the first campaign is sent", || scene.sink.accepted_count() == PEOPLE);
    wait_until("both are there to be asked", || {
        let status = scene.installation.run(&["status", "--json"]).done().json();
        status["workers"].as_array().is_some_and(|workers| workers.len() == daemons.len())
    });
    terminate_all(&mut daemons, "both came up");

    scene.begin("second", PEOPLE);
    for mut daemon in pair.run(&UNTIL_IDLE) {
        daemon.ended_well("both are done");
    }
    let sent = BTreeMap::from([("accepted".to_owned(), 2 * PEOPLE)]);
    assert_eq!(balance(scene, "two starts"), sent);
    let all = ["first", "second"].map(|name| (name.to_owned(), PEOPLE as u64));
    assert_eq!(people(scene), BTreeMap::from(all));
    planned_once(&pair);
}

/// Each campaign was planned by one of the daemons, whole, and by no other again.
#[track_caller]
fn planned_once(pair: &Pair) {
    let plan = pair.scene.installation.run(&["plan", "--json"]).done().json();
    let planned = plan["campaigns"].as_array().expect("what was planned of each");
    let planned: Vec<_> = planned.iter().map(|c| (&c["name"], &c["planned"])).collect();
    let want = ["first", "second"].map(|name| (name.into(), PEOPLE.into()));
    assert_eq!(planned, want.each_ref().map(|(name, count)| (name, count)), "{plan}");
    assert_eq!(plan["planned"], 2 * PEOPLE, "{plan}");
}

/// Starts, unless told otherwise.
const STARTS: u64 = 20;

/// Databases at work at a time.
const SIDE_BY_SIDE: usize = 4;

/// People of each campaign.
const PEOPLE: usize = 12;
