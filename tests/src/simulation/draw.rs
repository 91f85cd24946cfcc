//! Draws a scenario from a seed. Whatever an operator may write is drawn now and then.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use rand::RngExt as _;
use rand::rngs::ChaCha12Rng;
use warmfront_core::address::Address;
use warmfront_core::plan::Pace;
use warmfront_core::rng;
use warmfront_core::span::{DAY, HOUR, MINUTE, Millis};
use warmfront_core::warmup::Curve;
use warmfront_store::Scope;
use warmfront_world::{Temper, Weather};

use super::hours::{Hours, Opening};
use super::scenario::{Campaign, Event, Mailbox, Person, Scenario, Step, Wait, Zone};

/// How large a scenario may be: at least and at most.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Mailboxes.
    pub mailboxes: (u32, u32),
    /// People, over all campaigns.
    pub people: (u32, u32),
    /// Days.
    pub days: (u32, u32),
    /// Messages of a campaign in a day.
    pub daily_target: (u32, u32),
    /// Messages of a sending domain in a day: one of these.
    pub domain_per_day: [u32; 4],
}

impl Sizes {
    /// Small enough for hundreds of them.
    pub const SMALL: Self = Self {
        mailboxes: (2, 8),
        people: (20, 100),
        days: (3, 10),
        daily_target: (3, 60),
        domain_per_day: [4_000, 4_000, 30, 12],
    };
    /// A real fleet's year.
    pub const YEAR: Self = Self {
        mailboxes: (20, 20),
        people: (6_000, 6_000),
        days: (365, 365),
        daily_target: (80, 120),
        domain_per_day: [4_000; 4],
    };
}

/// The scenario of a seed.
#[must_use]
pub fn draw(seed: u64, sizes: Sizes) -> Scenario {
    let mut luck = Luck(rng::stream(seed, &[PURPOSE]));
    let days = luck.between(sizes.days);
    let first_day = luck.one_of(&FIRST_DAYS);
    let mailboxes = mailboxes(luck.between(sizes.mailboxes), &mut luck);
    let tenants = ["north", "south"].map(|name| (name.to_owned(), luck.between((4, 60))));
    let count = luck.between((1, 3));
    let person_gap = luck.one_of(&[48 * HOUR, 48 * HOUR, 72 * HOUR]);
    let people = luck.between(sizes.people) / count;
    let mut campaigns: Vec<Campaign> = Vec::new();
    for number in 0..count {
        let known: Vec<Person> = campaigns.iter().flat_map(|c| c.people.clone()).collect();
        let people = folk(number, people, &known, &mut luck);
        campaigns.push(campaign(number, people, (first_day, days, person_gap), sizes, &mut luck));
    }
    let (weather, temper) = (mood(&mut luck), luck.one_of(&[Temper::ordinary(), Temper::lively()]));
    let mut scenario = Scenario {
        seed,
        first_day,
        days,
        zone: luck.one_of(&["America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC"]),
        mailboxes,
        domain_per_day: luck.one_of(&sizes.domain_per_day),
        tenants: BTreeMap::from(tenants),
        company_per_day: luck.between((1, 3)),
        person_gap,
        campaigns,
        suppressed: Vec::new(),
        one_connection: true,
        weather,
        temper: Temper { follow_up_after: person_gap, ..temper },
        poll: luck.one_of(&[20, 60, 60]) * MINUTE,
        events: Vec::new(),
        in_haste: luck.one_of(&[0, 10, 30]),
        breaks_after: Vec::new(),
    };
    scenario.breaks_after = (0..luck.below(4)).map(|_| luck.between((1, 12))).collect();
    scenario.suppressed = (0..luck.below(5)).map(|_| refusal(&scenario, &mut luck)).collect();
    scenario.events = events(&scenario, &mut luck);
    scenario
}

fn mood(luck: &mut Luck) -> Weather {
    luck.one_of(&[Weather::calm(), Weather::ordinary(), Weather::stormy()])
}

fn mailboxes(count: u32, luck: &mut Luck) -> Vec<Mailbox> {
    let domains = luck.between((1, 3));
    let mut mailboxes = Vec::new();
    for number in 0..count {
        let domain = DOMAINS[luck.below(domains) as usize];
        let gap = luck.one_of(&[4, 4, 4, 7, 15, 30, 1, 0]) * MINUTE;
        let curve = match luck.below(5) {
            0 => Curve::Off,
            1 => Curve::Table(vec![2, 4, 4, 9, 15, 22]),
            2 => Curve::Growth { start: 3, percent: 40 },
            _ => Curve::Linear { start: luck.between((2, 6)), step: luck.between((1, 3)) },
        };
        mailboxes.push(Mailbox {
            address: address(&format!("m{number}@{domain}")),
            cap: luck.between((3, 40)),
            curve,
            warm_days: luck.one_of(&[0, 0, 3, 20]),
            gap,
            // Without a gap only a provider's rate spaces the sends.
            per_minute: if gap == 0 {
                Some(luck.one_of(&[7, 30]))
            } else {
                luck.one_of(&[None, Some(1)])
            },
            rewrites_ids: luck.hits(30),
            hours: luck.hits(30).then(|| hours(1, BTreeSet::new(), luck)),
            zone: luck.one_of(&ZONES),
            tenant: luck.one_of(&[None, Some("north".to_owned()), Some("south".to_owned())]),
            chosen: luck.hits(60),
            pace: if luck.hits(20) { Pace::AsSoonAsPossible } else { Pace::Even },
        });
    }
    mailboxes
}

fn hours(openings: u32, holidays: BTreeSet<Date>, luck: &mut Luck) -> Hours {
    let opening = |luck: &mut Luck| {
        let weekend = luck.hits(30);
        Opening {
            weekdays: [true, true, luck.hits(90), true, true, weekend, weekend],
            hour: i8::try_from(luck.one_of(&[6, 8, 9, 9, 9, 13, 22])).expect("an hour"),
            minute: i8::try_from(luck.one_of(&[0, 0, 15, 30])).expect("a minute"),
            length: i8::try_from(luck.one_of(&[2, 4, 8, 8, 10])).expect("some hours"),
        }
    };
    Hours { openings: (0..openings).map(|_| opening(luck)).collect(), holidays }
}

fn campaign(
    number: u32,
    people: Vec<Person>,
    (first_day, days, person_gap): (Date, u32, Millis),
    sizes: Sizes,
    luck: &mut Luck,
) -> Campaign {
    let holidays = (0..luck.below(3)).map(|_| first_day + i64::from(luck.below(days)).days());
    let holidays = holidays.collect();
    let days = u32::try_from(person_gap / DAY).expect("a few days");
    let step = |position: u32, luck: &mut Luck| Step {
        wait: (position > 0).then(|| match luck.below(3) {
            0 => Wait::Hours(days * 24 + luck.below(30)),
            1 => Wait::Days(days + luck.below(2)),
            _ => Wait::BusinessDays(days),
        }),
        own_subject: position == 0 || luck.hits(20),
    };
    Campaign {
        slug: format!("c{number}"),
        daily_target: luck.between(sizes.daily_target),
        mailboxes: luck.one_of(&["*@*", "*@*", "*@alpha.example", "tag:chosen"]).to_owned(),
        hours: hours(luck.between((1, 2)), holidays, luck),
        zone: luck.one_of(&[None, Some("America/Chicago"), Some("Asia/Tokyo")]),
        steps: (0..luck.between((1, 3))).map(|position| step(position, luck)).collect(),
        bad_rows: (0..luck.below(4)).map(|n| BAD_ROWS[n as usize].to_owned()).collect(),
        twice: (luck.below(4) as usize).min(people.len()),
        people,
    }
}

/// New people, and some whom an earlier campaign writes to as well.
fn folk(campaign: u32, count: u32, known: &[Person], luck: &mut Luck) -> Vec<Person> {
    let mut seen = BTreeSet::new();
    let mut people = Vec::new();
    for number in 0..count.max(1) {
        let person = if !known.is_empty() && luck.hits(15) {
            known[luck.below(u32::try_from(known.len()).expect("few")) as usize].clone()
        } else {
            let domain = match luck.below(10) {
                0 | 1 => luck.one_of(&["gmail.com", "outlook.com"]).to_owned(),
                2 => format!("mail.firm-{}.example", luck.below(1 + count / 3)),
                _ => format!("firm-{}.example", luck.below(1 + count / 2)),
            };
            Person { address: address(&format!("p{number}.{campaign}@{domain}")), zone: home(luck) }
        };
        if seen.insert(person.address.clone()) {
            people.push(person);
        }
    }
    people
}

fn home(luck: &mut Luck) -> Zone {
    match luck.below(4) {
        0 => Zone::Country(luck.one_of(&super::scenario::COUNTRIES).0),
        1 => Zone::Unknown,
        _ => Zone::Named(luck.one_of(&ZONES)),
    }
}

/// A person or a whole company that wants no mail.
fn refusal(scenario: &Scenario, luck: &mut Luck) -> (Scope, String) {
    let campaign = luck.one_of(&scenario.campaigns);
    let address = luck.one_of(&campaign.people).address;
    match address.company() {
        Some(company) if luck.hits(40) => (Scope::Domain, company.to_owned()),
        _ => (Scope::Address, address.to_string()),
    }
}

fn events(scenario: &Scenario, luck: &mut Luck) -> Vec<(Millis, Event)> {
    let mut events = Vec::new();
    for _ in 0..luck.below(8) {
        let at = luck.at(scenario.days);
        let later = at + luck.at(3);
        let campaign = luck.one_of(&scenario.campaigns).slug;
        let mailbox = luck.one_of(&scenario.mailboxes).address;
        match luck.below(6) {
            0 => {
                let (scope, value) = refusal(scenario, luck);
                events.push((at, Event::Suppress(scope, value)));
            }
            1 => {
                events.push((at, Event::PauseCampaign(campaign.clone())));
                events.push((later, Event::StartCampaign(campaign)));
            }
            2 => {
                events.push((at, Event::PauseMailbox(mailbox.clone())));
                events.push((later, Event::ResumeMailbox(mailbox)));
            }
            3 => events.push((at, Event::Weather(mood(luck)))),
            _ => events.push((at, Event::Crash)),
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

/// A scenario's luck.
struct Luck(ChaCha12Rng);

impl Luck {
    fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end)
    }

    fn between(&mut self, (least, most): (u32, u32)) -> u32 {
        self.0.random_range(least..=most)
    }

    fn hits(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.0.random_range(0..all.len())].clone()
    }

    /// Some moment within so many days.
    fn at(&mut self, days: u32) -> Millis {
        self.0.random_range(0..Millis::from(days) * DAY)
    }
}

/// An address of ours.
#[must_use]
pub fn address(text: &str) -> Address {
    Address::parse(text).expect("a good address")
}

/// An ordinary week, and weeks in which clocks change or the year does.
const FIRST_DAYS: [Date; 5] = [
    date(2026, 1, 12),
    date(2026, 3, 2),
    date(2026, 3, 20),
    date(2026, 10, 21),
    date(2026, 12, 24),
];

const DOMAINS: [&str; 3] = ["alpha.example", "beta.example", "gamma.example"];

const ZONES: [&str; 8] = [
    "America/New_York",
    "America/Los_Angeles",
    "Europe/Berlin",
    "Europe/London",
    "Asia/Tokyo",
    "Asia/Kathmandu",
    "Pacific/Auckland",
    "Pacific/Honolulu",
];

const BAD_ROWS: [&str; 3] = ["nobody,Nob,Ody,,,", "a@@b.example,A,B,,,", "a b@c.example,A,B,,,"];

/// Tells this stream of chance from those of other purposes.
const PURPOSE: u64 = 0x7363_656e_6500;
