//! What a play is about: a fleet, campaigns, people, moods. All of it data, all of it from a seed.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use warmfront_core::address::Address;
use warmfront_core::calendar::Window;
use warmfront_core::plan::Pace;
use warmfront_core::provider::{FinalId, Presets};
use warmfront_core::span::{MINUTE, Millis};
use warmfront_core::warmup::Curve;
use warmfront_engine::fleet::{self, Fleet};
use warmfront_store::Scope;
use warmfront_world::{Temper, Weather};

use super::hours::Hours;

/// A play's whole setting.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it was drawn from.
    pub seed: u64,
    /// The first day.
    pub first_day: Date,
    /// How many days it lasts.
    pub days: u32,
    /// The counting zone.
    pub zone: &'static str,
    /// The fleet.
    pub mailboxes: Vec<Mailbox>,
    /// Messages of one sending domain in a day.
    pub domain_per_day: u32,
    /// Messages of each tenant in a day.
    pub tenants: BTreeMap<String, u32>,
    /// Messages to one company in a day.
    pub company_per_day: u32,
    /// Least time between two messages to one person.
    pub person_gap: Millis,
    /// The campaigns.
    pub campaigns: Vec<Campaign>,
    /// Who is suppressed before anything begins.
    pub suppressed: Vec<(Scope, String)>,
    /// Whether providers take one connection of a mailbox at a time only.
    pub one_connection: bool,
    /// What servers do.
    pub weather: Weather,
    /// What people do.
    pub temper: Temper,
    /// How often the loops look around.
    pub poll: Millis,
    /// What happens meanwhile, by the hour counted from the beginning, in order.
    pub events: Vec<(Millis, Event)>,
    /// Of a hundred follow-ups, how many are answered shortly before they are due.
    pub in_haste: u32,
    /// After how many letters each engine breaks between a server's answer and the books; those
    /// after the last of them do not.
    pub breaks_after: Vec<u32>,
}

/// A mailbox.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// Its address.
    pub address: Address,
    /// Its cap.
    pub cap: u32,
    /// Its curve.
    pub curve: Curve,
    /// Where it stands on its curve.
    pub warm_days: u32,
    /// Its gap.
    pub gap: Millis,
    /// What its provider takes in a minute.
    pub per_minute: Option<u32>,
    /// Whether its provider puts ids of its own in the place of ours.
    pub rewrites_ids: bool,
    /// Its own hours.
    pub hours: Option<Hours>,
    /// The zone of its hours.
    pub zone: &'static str,
    /// Its tenant.
    pub tenant: Option<String>,
    /// Whether it bears the tag `chosen`.
    pub chosen: bool,
    /// How it spreads its day.
    pub pace: Pace,
}

/// A campaign.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its folder's name.
    pub slug: String,
    /// Messages a day.
    pub daily_target: u32,
    /// Which mailboxes carry it.
    pub mailboxes: String,
    /// When people may be written to.
    pub hours: Hours,
    /// The zone of people of whom none is known.
    pub zone: Option<&'static str>,
    /// The steps.
    pub steps: Vec<Step>,
    /// The people.
    pub people: Vec<Person>,
    /// Lines of the list that are no good.
    pub bad_rows: Vec<String>,
    /// How many of the people are on the list twice.
    pub twice: usize,
}

/// A step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// How long it waits for the one before; the first does not.
    pub wait: Option<Wait>,
    /// Whether it begins a thread of its own.
    pub own_subject: bool,
}

/// How long a step waits.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// So many hours.
    Hours(u32),
    /// So many days on the recipient's calendar.
    Days(u32),
    /// The same, weekends and holidays left out.
    BusinessDays(u32),
}

/// Somebody on a list.
#[derive(Clone, Debug)]
pub struct Person {
    /// The address.
    pub address: Address,
    /// What the list says of the zone.
    pub zone: Zone,
}

/// What a list says of somebody's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Its name.
    Named(&'static str),
    /// The country.
    Country(&'static str),
    /// Nothing.
    Unknown,
}

/// What happens while the engine is at work.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody is added to the suppressions.
    Suppress(Scope, String),
    /// A campaign is paused.
    PauseCampaign(String),
    /// A campaign goes on.
    StartCampaign(String),
    /// The operator pauses a mailbox.
    PauseMailbox(Address),
    /// The operator resumes it.
    ResumeMailbox(Address),
    /// Another weather.
    Weather(Weather),
    /// The engine vanishes between two things it does, and another begins.
    Crash,
}

/// Paused by the operator's own word: nothing else ends it.
pub(super) const PAUSED_BECAUSE: &str = "the scenario says so";

impl Scenario {
    /// The fleet as the engine has it.
    #[must_use]
    pub fn fleet(&self) -> Fleet {
        let mailboxes = self.mailboxes.iter().map(|m| (m.address.clone(), m.configured()));
        Fleet {
            mailboxes: mailboxes.collect(),
            timezone: zone(self.zone),
            timezone_name: self.zone.to_owned(),
            company_per_day: self.company_per_day,
            person_gap: self.person_gap,
            domain_per_day: self.domain_per_day,
            thresholds: warmfront_core::health::Thresholds::default(),
            tenants: self.tenants.clone(),
            domains: None,
        }
    }

    /// The campaign of that name.
    #[must_use]
    pub fn campaign(&self, slug: &str) -> Option<&Campaign> {
        self.campaigns.iter().find(|campaign| campaign.slug == slug)
    }

    /// The mailbox of that address.
    #[must_use]
    pub fn mailbox(&self, address: &Address) -> Option<&Mailbox> {
        self.mailboxes.iter().find(|mailbox| mailbox.address == *address)
    }
}

impl Mailbox {
    fn configured(&self) -> fleet::Mailbox {
        let presets = Presets::load();
        let mut provider = presets.find("smtp").expect("the generic preset").clone();
        provider.limit_per_minute = self.per_minute;
        provider.final_id = if self.rewrites_ids { FinalId::In250 } else { FinalId::None };
        let window = |hours: &Hours| {
            let openings = hours.openings.iter();
            let windows = openings.map(|o| Window::parse(&o.cron(), &format!("{}h", o.length)));
            windows.collect::<Result<Vec<_>, _>>().expect("openings are windows")
        };
        fleet::Mailbox {
            address: self.address.clone(),
            name: Some("Ann Lee".to_owned()),
            provider,
            cap: self.cap,
            curve: self.curve.clone(),
            gap: self.gap,
            window: self.hours.as_ref().map(window),
            timezone: zone(self.zone),
            tenant: self.tenant.clone(),
            tags: self.chosen.then(|| "chosen".to_owned()).into_iter().collect(),
            pace: self.pace,
            inbox_is_read: true,
            warm_days: self.warm_days,
            sharers: 1,
        }
    }

    /// The least time between two of its attempts.
    #[must_use]
    pub fn spacing(&self) -> Millis {
        let by_rate = self.per_minute.map_or(0, |rate| MINUTE / Millis::from(rate));
        self.gap.max(by_rate)
    }

    /// Whether a campaign may use it.
    #[must_use]
    pub fn carries(&self, campaign: &Campaign) -> bool {
        match campaign.mailboxes.split_once('@') {
            None => self.chosen,
            Some((_, "*")) => true,
            Some((_, domain)) => self.address.domain() == domain,
        }
    }
}

impl Zone {
    /// Every zone that rules the clocks there; none where nothing is known.
    #[must_use]
    pub fn zones(self) -> Vec<TimeZone> {
        match self {
            Self::Named(name) => vec![zone(name)],
            Self::Country(country) => {
                let known = COUNTRIES.iter().find(|(name, _)| *name == country);
                known.map(|(_, names)| names.iter().map(|n| zone(n)).collect()).unwrap_or_default()
            }
            Self::Unknown => Vec::new(),
        }
    }
}

/// The zone of that name.
#[must_use]
pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone of the database")
}

/// Countries as lists name them, and one zone for each way their clocks go (IANA zone1970.tab);
/// the first is the most populous.
pub(super) const COUNTRIES: [(&str, &[&str]); 6] = [
    (
        "United States",
        &[
            "America/New_York",
            "America/Chicago",
            "America/Denver",
            "America/Phoenix",
            "America/Los_Angeles",
            "America/Anchorage",
            "America/Adak",
            "Pacific/Honolulu",
        ],
    ),
    (
        "Australia",
        &[
            "Australia/Lord_Howe",
            "Antarctica/Macquarie",
            "Australia/Sydney",
            "Australia/Brisbane",
            "Australia/Adelaide",
            "Australia/Darwin",
            "Australia/Perth",
            "Australia/Eucla",
        ],
    ),
    ("Germany", &["Europe/Berlin"]),
    ("UK", &["Europe/London"]),
    ("JP", &["Asia/Tokyo"]),
    ("India", &["Asia/Kolkata"]),
];
