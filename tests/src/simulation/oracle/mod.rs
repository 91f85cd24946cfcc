//! Holds what went through the seams against the scenario, by rules of its own.
//!
//! Counts, clocks and threads are kept here anew from the record; nothing is asked of the books or
//! of the code under test. A breach panics with what, who and when.

mod counts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use warmfront_core::address::Address;
use warmfront_core::inbound::Kind;
use warmfront_core::span::Millis;
use warmfront_store::Scope;
use warmfront_world::World;

use super::hours::date;
use super::record::{Attempt, Log, Told};
use super::scenario::{Campaign, Event, Mailbox, Scenario, Zone, zone};

/// One step for one person: campaign, address, step.
type Key = (String, Address, u32);

/// What is watched.
pub struct Oracle {
    scenario: Arc<Scenario>,
    world: World,
    log: Log,
    start: Millis,
    zone: TimeZone,
    homes: BTreeMap<(String, Address), Zone>,
    seen: Seen,
    attempts: usize,
    told: usize,
    readings: usize,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    last_by_mailbox: BTreeMap<Address, Millis>,
    last_by_person: BTreeMap<Address, BTreeMap<Key, Millis>>,
    messages: BTreeMap<Key, Message>,
    threads: BTreeMap<(String, Address), Address>,
    counts: BTreeMap<(Budget, String, Date), u32>,
    steps_of_a_day: BTreeMap<(String, Date), BTreeSet<Key>>,
    noes: BTreeMap<Address, (Millis, &'static str)>,
    /// Our Message-IDs: which step for whom.
    steps: BTreeMap<String, Key>,
    /// What something came of, which proves that it went out: when that was told, and when it was
    /// taken.
    proven: BTreeMap<Key, (Millis, Millis)>,
    /// Who is away until when, as they said upon which step: by campaign and address.
    away: BTreeMap<(String, Address), (Millis, u32, Date)>,
    /// Who waits for the operator, as a report came that a letter was refused for our sake.
    held: BTreeMap<(String, Address), Millis>,
    /// Companies of which somebody replied.
    answered: BTreeMap<String, Millis>,
    readings: BTreeMap<Address, Vec<Millis>>,
}

/// What limits are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Budget {
    Mailbox,
    Domain,
    Tenant,
    Company,
}

/// One message as far as it was seen.
struct Message {
    id: String,
    accepted_at: Option<Millis>,
    may_be_there: bool,
}

impl Oracle {
    /// An oracle that has seen nothing yet.
    #[must_use]
    pub fn new(scenario: Arc<Scenario>, world: World, log: Log, start: Millis) -> Self {
        let campaigns = scenario.campaigns.iter();
        let homes = campaigns.flat_map(|campaign| {
            let home = |p: &super::Person| ((campaign.slug.clone(), p.address.clone()), p.zone);
            campaign.people.iter().map(home).collect::<Vec<_>>()
        });
        Self {
            homes: homes.collect(),
            zone: zone(scenario.zone),
            scenario,
            world,
            log,
            start,
            seen: Seen::default(),
            attempts: 0,
            told: 0,
            readings: 0,
        }
    }

    /// Looks at what is new since the last time. Within one tick inboxes are read before anything is
    /// sent.
    pub fn look(&mut self) {
        let log = self.log.clone();
        let record = log.open();
        for (mailbox, at) in &record.readings[self.readings..] {
            self.seen.readings.entry(mailbox.clone()).or_default().push(*at);
        }
        for attempt in &record.attempts[self.attempts..] {
            self.seen.steps.insert(attempt.letter.message_id.clone(), counts::key(attempt));
        }
        for told in &record.told[self.told..] {
            self.hear(told);
        }
        for attempt in &record.attempts[self.attempts..] {
            self.judge(attempt);
        }
        let fresh = self.attempts < record.attempts.len();
        self.readings = record.readings.len();
        self.told = record.told.len();
        self.attempts = record.attempts.len();
        drop(record);
        if fresh {
            let violations = self.world.tally().violations;
            assert!(violations.is_empty(), "the world saw {violations:?}");
        }
    }

    /// Remembers what arrivals mean, from the moment the engine was told.
    fn hear(&mut self, told: &Told) {
        let Some(about) = &told.about else { return };
        let letter = self.world.letter(about).expect("about a held letter");
        let (campaign, person, step) = self.seen.steps[&letter.message_id].clone();
        let key = (campaign.clone(), person.clone(), step);
        self.seen.proven.entry(key).or_insert((told.at, letter.at));
        let no = match told.kind {
            Kind::Reply => "somebody who had replied",
            Kind::Unsubscribe => "somebody who had opted out",
            Kind::Complaint => "somebody who had complained",
            Kind::HardBounce => "somebody whose mail had bounced",
            Kind::SenderBlock => {
                self.seen.held.entry((campaign, person)).or_insert(told.at);
                return;
            }
            Kind::AutoReply => {
                let enrolment = (campaign, person);
                if let Some(back_on) = told.back_on {
                    let away = self.seen.away.entry(enrolment).or_insert((told.at, step, back_on));
                    away.2 = away.2.max(back_on);
                }
                return;
            }
            Kind::SoftBounce | Kind::Delayed | Kind::Suspicious | Kind::Unrelated => return,
        };
        self.seen.noes.entry(letter.to.clone()).or_insert((told.at, no));
        if let (Kind::Reply, Some(company)) = (told.kind, counts::company(&letter.to)) {
            self.seen.answered.entry(company).or_insert(told.at);
        }
    }

    fn judge(&mut self, attempt: &Attempt) {
        let last = self.seen.last_by_mailbox.get(&attempt.mailbox);
        if !attempt.counts() && last.is_some_and(|last| attempt.at < *last) {
            // An engine that slept, and found on waking that it may not go on.
            return;
        }
        let scenario = Arc::clone(&self.scenario);
        let campaign = scenario.campaign(&attempt.letter.campaign).expect("a campaign of ours");
        let mailbox = scenario.mailbox(&attempt.mailbox).expect("a mailbox of ours");
        let breaches = [
            self.wrong_person(campaign, attempt),
            self.wrong_mailbox(campaign, mailbox, attempt),
            self.too_soon_for_the_mailbox(mailbox, attempt),
            self.outside_hours(campaign, mailbox, attempt),
            self.paused(attempt),
            self.after_no(attempt),
            self.while_away(campaign, attempt),
            self.twice(attempt),
            self.too_soon_for_the_person(attempt),
            self.before_its_time(campaign, attempt),
        ];
        let breach = breaches.into_iter().flatten().next();
        assert!(breach.is_none(), "{}: {attempt:?}", breach.unwrap_or_default());
        self.count(campaign, mailbox, attempt);
    }

    fn wrong_person(&self, campaign: &Campaign, attempt: &Attempt) -> Option<&'static str> {
        if attempt.letter.to != attempt.to {
            return Some("the envelope names somebody else than the letter");
        }
        let listed = self.homes.contains_key(&(campaign.slug.clone(), attempt.to.clone()));
        (!listed).then_some("nobody of that list")
    }

    fn wrong_mailbox(
        &self,
        campaign: &Campaign,
        mailbox: &Mailbox,
        attempt: &Attempt,
    ) -> Option<&'static str> {
        if !mailbox.carries(campaign) {
            return Some("the campaign may not use that mailbox");
        }
        let thread = self.seen.threads.get(&(campaign.slug.clone(), attempt.to.clone()));
        thread
            .is_some_and(|first| *first != attempt.mailbox)
            .then_some("another mailbox than the one that began")
    }

    fn too_soon_for_the_mailbox(
        &self,
        mailbox: &Mailbox,
        attempt: &Attempt,
    ) -> Option<&'static str> {
        let last = self.seen.last_by_mailbox.get(&attempt.mailbox)?;
        (attempt.at - last < mailbox.spacing()).then_some("sooner than the mailbox's gap")
    }

    fn outside_hours(
        &self,
        campaign: &Campaign,
        mailbox: &Mailbox,
        attempt: &Attempt,
    ) -> Option<&'static str> {
        let (zones, fallback) = self.home(campaign, &attempt.to);
        let zones = if zones.is_empty() { vec![fallback.clone()] } else { zones };
        if !campaign.hours.is_open_in_all(&zones, &fallback, attempt.at) {
            return Some("outside the person's hours");
        }
        let own = mailbox.hours.as_ref()?;
        (!own.is_open(&zone(mailbox.zone), attempt.at)).then_some("outside the mailbox's hours")
    }

    /// The zones of a person, none where nothing is known, and the campaign's.
    fn home(&self, campaign: &Campaign, person: &Address) -> (Vec<TimeZone>, TimeZone) {
        let home = self.homes[&(campaign.slug.clone(), person.clone())];
        (home.zones(), campaign.zone.map_or_else(|| self.zone.clone(), zone))
    }

    /// Whether the operator, or the scenario in its place, has stopped it.
    fn paused(&self, attempt: &Attempt) -> Option<&'static str> {
        let (mut campaign, mut mailbox, mut suppressed) = (false, false, None);
        let events = self.scenario.events.iter();
        for (_, event) in events.take_while(|(after, _)| self.start + after <= attempt.at) {
            match event {
                Event::PauseCampaign(slug) if *slug == attempt.letter.campaign => campaign = true,
                Event::StartCampaign(slug) if *slug == attempt.letter.campaign => campaign = false,
                Event::PauseMailbox(address) if *address == attempt.mailbox => mailbox = true,
                Event::ResumeMailbox(address) if *address == attempt.mailbox => mailbox = false,
                Event::Suppress(scope, value) if covers(*scope, value, &attempt.to) => {
                    suppressed = Some("a suppressed person");
                }
                _ => {}
            }
        }
        let mut before = self.scenario.suppressed.iter();
        if before.any(|(scope, value)| covers(*scope, value, &attempt.to)) {
            suppressed = Some("a suppressed person");
        }
        let campaign = campaign.then_some("the campaign was paused");
        suppressed.or(campaign).or(mailbox.then_some("the mailbox was paused by the operator"))
    }

    fn after_no(&self, attempt: &Attempt) -> Option<&'static str> {
        let no = self.seen.noes.get(&attempt.to);
        if let Some((_, kind)) = no.filter(|(since, _)| *since <= attempt.at) {
            return Some(kind);
        }
        let enrolment = (attempt.letter.campaign.clone(), attempt.to.clone());
        if self.seen.held.get(&enrolment).is_some_and(|since| *since <= attempt.at) {
            return Some("somebody whose server had refused us");
        }
        let answered = self.seen.answered.get(&counts::company(&attempt.to)?)?;
        (*answered <= attempt.at).then_some("a colleague of somebody who had replied")
    }

    /// Nobody is reminded of a letter before the day on which they are back.
    fn while_away(&self, campaign: &Campaign, attempt: &Attempt) -> Option<&'static str> {
        let enrolment = (campaign.slug.clone(), attempt.to.clone());
        let (since, step, back_on) = self.seen.away.get(&enrolment)?;
        let (zones, fallback) = self.home(campaign, &attempt.to);
        let today = date(zones.first().unwrap_or(&fallback), attempt.at);
        (*since <= attempt.at && *step < attempt.letter.step && today < *back_on)
            .then_some("a reminder to somebody who is away")
    }
}

fn covers(scope: Scope, value: &str, person: &Address) -> bool {
    match scope {
        Scope::Address => person.as_str() == value,
        Scope::Domain => {
            person.domain() == value || person.domain().ends_with(&format!(".{value}"))
        }
    }
}
