//! Kills at moments drawn at random, while the server loses one answer in a hundred.
//!
//! `WARMFRONT_KILLS=200` kills that often instead of [`KILLS`] times, and `WARMFRONT_SEED` repeats
//! the moments of another run (`cargo test --workspace --test servers kill::`, for `fleet::` heeds both, too). Where the machine is when a moment comes is not in the seed's hand.

use std::process::Child;
use std::time::Duration;

use rand::rngs::{ChaCha12Rng, SysRng};
use rand::{RngExt, SeedableRng, TryRng};
use warmfront_tests::binary::{Answer, Scene};
use warmfront_tests::server::Fault;

use super::accounts::balance;

#[test]
fn no_kill_makes_the_program_write_twice_or_lose_anybody() {
    let kills = number("WARMFRONT_KILLS").unwrap_or(KILLS);
    let drawn = || u64::from(SysRng.try_next_u32().expect("the machine has randomness"));
    let seed = number("WARMFRONT_SEED").unwrap_or_else(drawn);
    let mut storm = Storm::new(kills, seed);
    storm.rage();
    storm.calm();
}

struct Storm {
    scene: Scene,
    mailboxes: usize,
    rng: ChaCha12Rng,
    story: String,
    kills: u64,
    killed: u64,
    campaigns: usize,
}

impl Storm {
    fn new(kills: u64, seed: u64) -> Self {
        let story = format!("WARMFRONT_KILLS={kills} WARMFRONT_SEED={seed}");
        say(&story);
        // Each mailbox may carry 500 a day, and half of a burst goes out before a kill.
        let room = BURST * usize::try_from(kills).expect("few") + 2 * PEOPLE;
        let mailboxes = room.div_ceil(500);
        let scene = Scene::of(mailboxes);
        scene.sink.fault(Fault::Doubtful, 0.01, seed);
        let rng = ChaCha12Rng::seed_from_u64(seed);
        Self { scene, mailboxes, rng, story, kills, killed: 0, campaigns: 0 }
    }

    /// Kills imports, plans and sends; where everything was sent, brings new people.
    fn rage(&mut self) {
        self.begin();
        while self.killed < self.kills {
            let child = self.scene.installation.start(&["run", "--until-idle"]);
            if !self.kills_within(child, SENDING) {
                self.begin();
            }
        }
    }

    /// Imports another campaign, killing some of the tries.
    fn begin(&mut self) {
        self.campaigns += 1;
        let name = format!("storm{}", self.campaigns);
        self.scene.write_campaign(&name, PEOPLE);
        let folder = format!("campaigns/{name}");
        let import = ["campaign", "import", folder.as_str()];
        for _ in 0..IMPORTS_KILLED {
            let child = self.scene.installation.start(&import);
            self.kills_within(child, IMPORTING);
        }
        let _ = self.scene.installation.run(&import).done();
        let started = self.scene.installation.run(&["campaign", "start", &name]);
        assert_eq!(started.code, Some(0), "{}: {started}", self.story);
    }

    /// Kills a process at a moment of its first `most` milliseconds, or as soon as [`BURST`]
    /// messages came of it; `false` if it was faster, and then it had to end well.
    fn kills_within(&mut self, mut child: Child, most: u64) -> bool {
        let patience = self.rng.random_range(0..most);
        let enough = self.scene.sink.accepted_count() + self.rng.random_range(1..=BURST);
        for _ in 0..patience {
            std::thread::sleep(Duration::from_millis(1));
            let has_ended = child.try_wait().expect("a child").is_some();
            if has_ended || self.scene.sink.accepted_count() >= enough {
                break;
            }
        }
        child.kill().expect("a child that is ours");
        let answer = Answer::from(child.wait_with_output().expect("a child"));
        if let Some(code) = answer.code {
            assert_eq!(code, 0, "{}: {answer}", self.story);
            return false;
        }
        self.killed += 1;
        true
    }

    /// The server is mended and the program runs to its end: everybody is accounted for.
    fn calm(&self) {
        self.scene.sink.fault(Fault::Doubtful, 0.0, 0);
        let ended = self.scene.installation.run(&["run", "--until-idle"]);
        assert_eq!(ended.code, Some(0), "{}: {ended}", self.story);
        let people = self.campaigns * PEOPLE;
        let states = balance(&self.scene, people, &self.story);
        say(&format!("{}: {} kills, {states:?}", self.story, self.killed));
        // A kill can leave each mailbox with one doubt, and the server makes one in a hundred.
        let doubts = states.get("in_doubt").copied().unwrap_or(0);
        let most = usize::try_from(self.killed).expect("few") * self.mailboxes + people / 20;
        assert!(doubts <= most, "{}: more than {most} in doubt: {states:?}", self.story);
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

#[expect(clippy::print_stderr, reason = "whoever runs a storm wants to know which one it was")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// Kills, unless told otherwise.
const KILLS: u64 = 50;

/// People of each campaign.
const PEOPLE: usize = 400;

/// Imports of each campaign that are not let to end.
const IMPORTS_KILLED: usize = 2;

/// Messages that one run may send at most before it is killed, or little more.
const BURST: usize = 30;

/// How long a run is left alone at most, in milliseconds: past its start, its plan and some sends.
const SENDING: u64 = 1_500;

/// The same of an import.
const IMPORTING: u64 = 400;
