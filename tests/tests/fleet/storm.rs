//! Kills at moments drawn at random, of either daemon or of the database, while the server loses
//! one answer in a hundred.
//!
//! Whoever is killed leaves its mailboxes leased for a minute, so the storm goes on to others: each
//! group of mailboxes has two campaigns of its own, which share people and companies with one
//! another and with those of the next group, and more people than the group may write to in a day.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use warmfront_tests::binary::{Daemon, Fleet, wait_within};
use warmfront_tests::postgres::Cluster;
use warmfront_tests::server::Fault;

use super::accounts::{balance, domain, people, taken_by};
use super::pair::{Pair, UNTIL_IDLE};
use super::{say, seed, times};

#[test]
fn no_kill_of_anybody_makes_them_write_twice_lose_anybody_or_pass_a_limit() {
    let mut storm = Storm::new(times("WARMFRONT_KILLS", KILLS), seed());
    storm.rage();
    storm.calm();
    storm.keeps_every_limit();
}

struct Storm {
    cluster: Cluster,
    pair: Pair,
    daemons: [Daemon; 2],
    rng: ChaCha12Rng,
    story: String,
    kills: u64,
    groups: usize,
    /// Daemons killed, and databases.
    killed: [u64; 2],
}

impl Storm {
    fn new(kills: u64, seed: u64) -> Self {
        let story = format!("WARMFRONT_KILLS={kills} WARMFRONT_SEED={seed}");
        say(&story);
        let cluster = Cluster::start();
        let groups = usize::try_from(kills / KILLS_A_GROUP).expect("few") + 2;
        let mailboxes = (0..groups).flat_map(group).collect();
        let limits =
            format!("domain_per_day = {DOMAIN_PER_DAY}\ncompany_per_day = {COMPANY_PER_DAY}");
        let pair = Pair::new(&cluster, Fleet { mailboxes, limits, ..Fleet::of(0) });
        pair.scene.sink.fault(Fault::Doubtful, 0.01, seed);
        let daemons = pair.run(&["run"]);
        let rng = ChaCha12Rng::seed_from_u64(seed);
        Self { cluster, pair, daemons, rng, story, kills, groups: 0, killed: [0, 0] }
    }

    /// Kills this one and that one, and brings new people before there are none left to write to.
    fn rage(&mut self) {
        while self.killed[0] + self.killed[1] < self.kills {
            if (self.killed[0] + self.killed[1]).is_multiple_of(KILLS_A_GROUP) {
                self.begin();
            }
            self.wait_a_while();
            if self.rng.random_bool(0.2) {
                self.cluster.crash();
                std::thread::sleep(Duration::from_millis(self.rng.random_range(0..1_500)));
                self.cluster.begin();
                self.killed[1] += 1;
            } else {
                let one = self.rng.random_range(0..2);
                self.daemons[one].kill();
                self.daemons[one] = self.pair.one(one, &["run"]);
                self.killed[0] += 1;
            }
        }
    }

    /// Another group of mailboxes has work.
    fn begin(&mut self) {
        let scene = &self.pair.scene;
        let mailboxes: Vec<String> = group(self.groups).map(|(address, _)| address).into();
        for (which, list) in lists(self.groups).iter().enumerate() {
            let name = format!("storm{}-{which}", self.groups);
            scene.write_campaign_to(&name, PEOPLE_MAX, list, &mailboxes);
            scene.start(&name);
        }
        self.groups += 1;
    }

    /// Until some messages are taken, or nobody has anything to do. Whoever ended meanwhile found no
    /// database when it started.
    fn wait_a_while(&mut self) {
        let sink = &self.pair.scene.sink;
        let enough = sink.accepted_count() + self.rng.random_range(1..=BURST);
        for _ in 0..self.rng.random_range(1..PATIENCE) {
            std::thread::sleep(Duration::from_millis(1));
            if sink.accepted_count() >= enough {
                break;
            }
        }
        for one in 0..2 {
            if !self.daemons[one].is_running() {
                let said = self.daemons[one].said();
                let found_none = ["cannot open the database", "the database does not answer"];
                let is_told = found_none.iter().any(|words| said.contains(words));
                let had_begun = said.contains("run: stopped");
                assert!(is_told && !had_begun, "{}: {said}", self.story);
                self.daemons[one] = self.pair.one(one, &["run"]);
            }
        }
    }

    /// The server is mended, and both run to their end.
    fn calm(&mut self) {
        self.pair.scene.sink.fault(Fault::Doubtful, 0.0, 0);
        for daemon in &mut self.daemons {
            if daemon.is_running() {
                daemon.terminate();
                wait_within(LEASES_OVER, "it ends when it is asked to", || !daemon.is_running());
            }
        }
        self.daemons = self.pair.run(&UNTIL_IDLE);
        let daemons = &mut self.daemons;
        wait_within(LEASES_OVER, "both are done", || !daemons.iter_mut().any(Daemon::is_running));
        for daemon in daemons {
            daemon.ended_well(&self.story);
        }
    }

    /// Nobody was written to twice, nobody is lost, and no day's limit was passed; all that a limit
    /// left room for was done.
    fn keeps_every_limit(&self) {
        let (scene, story) = (&self.pair.scene, &self.story);
        let states = balance(scene, story);
        let [daemons, databases] = self.killed;
        say(&format!("{story}: {daemons} daemons and {databases} databases, {states:?}"));
        let lists = (0..self.groups).flat_map(|nr| {
            let names = (0..2).map(move |which| format!("storm{nr}-{which}"));
            names.zip(lists(nr).map(|list| list.lines().count() as u64 - 1))
        });
        assert_eq!(people(scene), lists.collect::<BTreeMap<_, _>>(), "{story}");
        let within = |what: &str, counts: BTreeMap<String, u32>, most: &dyn Fn(&str) -> u32| {
            let over: Vec<_> = counts.iter().filter(|(name, n)| **n > most(name)).collect();
            assert_eq!(over, [], "{story}: over the limit of a {what}");
        };
        let caps: BTreeMap<String, u32> = (0..self.groups).flat_map(group).collect();
        within("person", taken_by(scene, |_, to| to.to_owned()), &|_| 1);
        within("company", taken_by(scene, |_, to| domain(to)), &|_| COMPANY_PER_DAY);
        within("domain", taken_by(scene, |from, _| domain(from)), &|_| DOMAIN_PER_DAY);
        within("mailbox", taken_by(scene, |from, _| from.to_owned()), &|from| caps[from]);
        let count = |state: &str| states.get(state).copied().unwrap_or(0);
        let tried = count("accepted") + count("in_doubt");
        assert_eq!(tried, self.groups * ROOM, "{story}: room was left: {states:?}");
        // A kill can leave each mailbox with one doubt, and the server makes one in a hundred.
        let most = usize::try_from(daemons + databases).expect("few") * 3 + tried / 20;
        assert!(count("in_doubt") <= most, "{story}: more than {most} in doubt: {states:?}");
    }
}

/// The mailboxes of a group: two that share a domain whose limit is below both caps, and one whose
/// cap is below its domain's.
fn group(nr: usize) -> [(String, u32); 3] {
    [
        (format!("ann@pair{nr}.example"), 40),
        (format!("bob@pair{nr}.example"), 40),
        (format!("cat@alone{nr}.example"), 30),
    ]
}

/// The lists of a group's two campaigns. Each company has four people: two in one campaign, one in
/// the other, one in both. Some companies are the next group's too.
fn lists(nr: usize) -> [String; 2] {
    let mut lists = ["email,first_name\n".to_owned(), "email,first_name\n".to_owned()];
    for company in nr * COMPANIES_APART..nr * COMPANIES_APART + COMPANIES {
        for (person, which) in [(0, 0), (1, 0), (2, 0), (2, 1), (3, 1)] {
            writeln!(lists[which], "p{person}@company{company}.example,Pat").expect("room");
        }
    }
    lists
}

/// Kills, unless told otherwise.
const KILLS: u64 = 50;

/// How many of them a group of mailboxes sees.
const KILLS_A_GROUP: u64 = 3;

/// Messages after which somebody is killed at the latest.
const BURST: usize = 30;

/// How long that may take, in milliseconds: past a start, a plan and some sends.
const PATIENCE: u64 = 1_500;

/// Companies of a group, and by how many those of two groups lie apart.
const COMPANIES: usize = 60;
const COMPANIES_APART: usize = 50;
const COMPANY_PER_DAY: u32 = 2;
const DOMAIN_PER_DAY: u32 = 60;

/// What a group may send in a day: its pair's domain, and its third mailbox. Its own companies alone
/// take more.
const ROOM: usize = 60 + 30;

/// More than any campaign has.
const PEOPLE_MAX: usize = 1_000;

/// How long the last one killed holds mailboxes, and what it takes to send what they have.
const LEASES_OVER: Duration = Duration::from_secs(150);
