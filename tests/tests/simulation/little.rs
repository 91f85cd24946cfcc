//! A world so small that its one afternoon can be played hundreds of times: two mailboxes, six
//! people, a follow-up two hours later. One of the people replies in between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use warmfront_core::plan::Pace;
use warmfront_core::span::{HOUR, MINUTE, Millis};
use warmfront_core::warmup::Curve;
use warmfront_tests::simulation::{
    Campaign, Hours, Mailbox, Opening, Oracle, Person, Play, Scenario, Step, Wait, Zone, address,
    prove,
};
use warmfront_world::{Fate, Temper, Weather};

/// The play, at nine in the morning.
pub(crate) async fn begin() -> Play {
    at_nine(Play::begin(scenario()).await)
}

/// The same of mailboxes that need not rest between two letters.
pub(crate) async fn begin_hurried() -> Play {
    at_nine(Play::begin(hurried()).await)
}

/// Any such play with books on disk.
pub(crate) async fn begin_on_disk(scenario: Scenario, folder: &Path) -> Play {
    at_nine(Play::begin_on_disk(scenario, folder).await)
}

/// From nine in the morning on.
pub(crate) fn at_nine(mut play: Play) -> Play {
    play.world.set_fate(&address(REPLIES), Fate::Replies { letter: 1, after: HOUR });
    play.now += 9 * HOUR;
    play.end = play.start + LASTS_UNTIL;
    play
}

/// What must be true at the end, whatever happened on the way; says how many messages are in doubt.
pub(crate) async fn prove_all(play: &Play) -> u64 {
    let scenario = Arc::clone(&play.scenario);
    let mut oracle = Oracle::new(scenario, play.world.clone(), play.log.clone(), play.start);
    oracle.look();
    prove(play).await;
    prove_nobody_forgotten(play).await
}

/// Everybody has both letters, or one of them is in doubt, or the first was answered.
async fn prove_nobody_forgotten(play: &Play) -> u64 {
    let mut states: BTreeMap<(String, u32), String> = BTreeMap::new();
    for line in play.store.ledger(None, 0, 1_000).await.expect("books") {
        states.insert((line.rcpt.expect("nobody is erased"), line.step), line.state);
    }
    for person in &play.scenario.campaigns[0].people {
        let name = person.address.to_string();
        let state = |step| states.get(&(name.clone(), step)).map(String::as_str);
        let whole = match (state(1), state(2)) {
            (Some("accepted"), Some("accepted")) => name != REPLIES,
            (Some("accepted"), None | Some("cancelled")) => name == REPLIES,
            (Some("in_doubt"), None) => true,
            (Some("accepted"), Some("in_doubt")) => name != REPLIES,
            _ => false,
        };
        assert!(whole, "{name} was forgotten: {:?}, {:?}", state(1), state(2));
    }
    states.values().filter(|state| *state == "in_doubt").count() as u64
}

/// The world itself.
pub(crate) fn scenario() -> Scenario {
    let always = Opening { weekdays: [true; 7], hour: 9, minute: 0, length: 10 };
    let hours = Hours { openings: vec![always], holidays: BTreeSet::new() };
    let mailbox = |name: &str| Mailbox {
        address: address(name),
        cap: 20,
        curve: Curve::Off,
        warm_days: 0,
        gap: 4 * MINUTE,
        per_minute: None,
        rewrites_ids: true,
        hours: None,
        zone: "UTC",
        tenant: None,
        chosen: false,
        pace: Pace::AsSoonAsPossible,
    };
    let person = |name: &&str| Person { address: address(name), zone: Zone::Unknown };
    let follow_up = Step { wait: Some(Wait::Hours(2)), own_subject: false };
    Scenario {
        seed: 1,
        first_day: jiff::civil::date(2026, 1, 12),
        days: 1,
        zone: "UTC",
        mailboxes: vec![mailbox("ann@alpha.example"), mailbox("bob@beta.example")],
        domain_per_day: 100,
        tenants: BTreeMap::new(),
        company_per_day: 10,
        person_gap: HOUR,
        campaigns: vec![Campaign {
            slug: "little".to_owned(),
            daily_target: 100,
            mailboxes: "*@*".to_owned(),
            hours,
            zone: None,
            steps: vec![Step { wait: None, own_subject: true }, follow_up],
            people: PEOPLE.iter().map(person).collect(),
            bad_rows: Vec::new(),
            twice: 0,
        }],
        suppressed: Vec::new(),
        one_connection: false,
        weather: Weather::calm(),
        temper: Temper::none(),
        poll: HOUR,
        events: Vec::new(),
    }
}

/// The same, but a mailbox's next letter is claimed by the commit that settles its last.
pub(crate) fn hurried() -> Scenario {
    let mut scenario = scenario();
    scenario.mailboxes.iter_mut().for_each(|mailbox| mailbox.gap = 0);
    scenario
}

/// Long enough for both letters, with a message or two set back an hour.
const LASTS_UNTIL: Millis = 17 * HOUR;

const REPLIES: &str = "rob@one.example";

const PEOPLE: [&str; 6] = [
    "ada@two.example",
    "ben@three.example",
    REPLIES,
    "cat@four.example",
    "dan@five.example",
    "eve@six.example",
];
