//! A scenario put on: books in memory, the world behind the seams, the engine moved on by hand.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use warmfront_campaigns::folder::{self, Sender, Terms};
use warmfront_core::health::PauseReason;
use warmfront_core::span::{DAY, MINUTE, Millis};
use warmfront_engine::clock::Clock;
use warmfront_engine::failpoint::Failpoint;
use warmfront_engine::fleet::Fleet;
use warmfront_engine::import::{Request, import};
use warmfront_engine::{EngineError, Loops, Office, Ways};
use warmfront_store::{Durability, Store};
use warmfront_world::{Provider, World};

use super::folder as files;
use super::record::Log;
use super::scenario::{Event, PAUSED_BECAUSE, Scenario, zone};
use super::seams::{Gate, WatchedInbox, WatchedOut};
use super::untimely::Untimely;
use crate::postgres::Cluster;

/// The engine as a play has it.
pub type Engine = Loops<WatchedOut, WatchedInbox>;

/// One run of a scenario.
pub struct Play {
    /// What is played.
    pub scenario: Arc<Scenario>,
    /// The books.
    pub store: Store,
    /// The outside.
    pub world: World,
    /// What went through the seams.
    pub log: Log,
    /// The moment.
    pub now: Millis,
    /// When it began.
    pub start: Millis,
    /// When it ends.
    pub end: Millis,
    /// How long leases last.
    pub lease_ttl: Millis,
    /// Whether mailboxes send one at a time, so that any database tells the same story.
    pub in_turn: bool,
    fleet: Arc<Fleet>,
    engines: u32,
    events: usize,
    pub(super) untimely: Untimely,
    folders: TempDir,
    /// The PostgreSQL database that keeps the books, where one does.
    database: Option<String>,
}

impl Play {
    /// Sets the stage: books written, campaigns imported and started, nothing sent.
    pub async fn begin(scenario: Scenario) -> Self {
        Self::begin_with(scenario, "sqlite::memory:").await
    }

    /// The same with books on disk. Those in memory do not outlive the one connection they have,
    /// and a query that is dropped half-way costs its connection.
    pub async fn begin_on_disk(scenario: Scenario, folder: &Path) -> Self {
        Self::begin_with(scenario, &format!("sqlite://{}/books.db", folder.display())).await
    }

    /// The same with books in PostgreSQL.
    pub async fn begin_on_postgres(scenario: Scenario) -> Self {
        let cluster = Cluster::shared();
        let name = cluster.database(None);
        let play = Self::begin_with(scenario, &cluster.url(&name)).await;
        Self { database: Some(name), ..play }
    }

    async fn begin_with(scenario: Scenario, url: &str) -> Self {
        let store = Store::open(url, Durability::None).await.expect("books");
        let fleet = Arc::new(scenario.fleet());
        let start = zone(scenario.zone).to_timestamp(scenario.first_day.at(0, 0, 0, 0));
        let start = start.expect("days begin").as_millisecond();
        let seed = i64::try_from(scenario.seed).unwrap_or(i64::MAX);
        store.write_settings(&fleet.settings(seed)).await.expect("settings are written");
        let day = scenario.first_day.to_string();
        store.write_fleet(&fleet.specs(), &day, start).await.expect("the fleet is written");
        let folders = tempfile::tempdir().expect("a temporary folder");
        for (scope, value) in &scenario.suppressed {
            let written = store.suppress(*scope, value, "asked us never to write", start).await;
            written.expect("suppressions are written");
        }
        let play = Self {
            world: outside(&scenario),
            log: Log::default(),
            now: start,
            start,
            end: start + Millis::from(scenario.days) * DAY,
            lease_ttl: DAY,
            in_turn: false,
            engines: 0,
            events: 0,
            untimely: Untimely::default(),
            scenario: Arc::new(scenario),
            folders,
            database: None,
            store,
            fleet,
        };
        play.load_campaigns().await;
        play
    }

    async fn load_campaigns(&self) {
        let sender = Sender {
            legal_name: "Example Ltd".to_owned(),
            postal_address: "1 Main Street, Springfield, IL 62701, USA".to_owned(),
        };
        for campaign in &self.scenario.campaigns {
            let dir = self.folders.path();
            files::write(dir, campaign);
            let person_gap = self.scenario.person_gap;
            let terms = Terms { sender: &sender, person_gap, encoding: None };
            let (loaded, problems) = folder::load(&dir.join(&campaign.slug), &terms);
            let loaded = loaded.unwrap_or_else(|| panic!("{}: {problems:?}", campaign.slug));
            let request =
                Request { campaign: &loaded, encoding: None, update: false, rehearse: false };
            let outcome = import(&self.store, request, self.start).await.expect("an import");
            let id = outcome.imported.campaign;
            self.store.start_campaign(id, self.start).await.expect("a campaign starts");
        }
    }

    /// An engine that has done nothing yet, with a clock of its own, under a name of its own.
    pub fn engine(&mut self, failpoint: Failpoint, gate: Option<Arc<Gate>>) -> (Engine, Clock) {
        let (mut office, clock) = self.office();
        office.failpoint = failpoint;
        let engine = Loops::new(office, self.ways(gate));
        (if self.in_turn { engine.in_turn() } else { engine }, clock)
    }

    /// An engine that breaks where the scenario has it break.
    fn next_engine(&mut self) -> Engine {
        let nth = self.scenario.breaks_after.get(self.engines as usize);
        let text = nth.map(|nth| format!("before_settle:{nth}:error"));
        let failpoint = Failpoint::parse(text.as_deref()).expect("a failpoint");
        self.engine(failpoint, None).0
    }

    /// What an engine works with.
    pub fn office(&mut self) -> (Office, Clock) {
        self.engines += 1;
        let clock = Clock::simulated(self.now);
        let owner = format!("engine {}", self.engines);
        let (store, fleet) = (self.store.clone(), Arc::clone(&self.fleet));
        let mut office = Office::new(store, fleet, clock.clone(), owner);
        office.poll = self.scenario.poll;
        office.lease_ttl = self.lease_ttl;
        (office, clock)
    }

    /// The seams, watched.
    #[must_use]
    pub fn ways(&self, gate: Option<Arc<Gate>>) -> Ways<WatchedOut, WatchedInbox> {
        let (world, log) = (self.world.clone(), self.log.clone());
        let (world_in, log_in) = (world.clone(), log.clone());
        Ways {
            out: Arc::new(move |mailbox| {
                let address = mailbox.address.clone();
                let way = world.way_out(&address);
                Ok(WatchedOut::new(way, address, log.clone(), gate.clone()))
            }),
            inbox: Arc::new(move |mailbox| {
                let address = mailbox.address.clone();
                Some(WatchedInbox::new(world_in.inbox(&address), address, log_in.clone()))
            }),
        }
    }

    /// What follows an engine's end: nobody holds a lease any more.
    pub async fn bury(&self) {
        if let Some(database) = &self.database {
            // There a lock proves nothing, so only somebody past the store knows that all are gone.
            let free = "UPDATE mailboxes SET lease_owner = NULL, lease_expires_at = NULL, \
                        reader = NULL, reader_until = NULL";
            Cluster::shared().run_sql(database, &[free.to_owned()]);
        }
        let lock = self.store.lock_for_daemon("the undertaker").expect("books in memory");
        self.store.end_all_leases(&lock).await.expect("leases end");
    }

    /// Lets the scenario's events happen that are due; says whether the engine vanishes.
    pub async fn happen(&mut self) -> bool {
        let scenario = Arc::clone(&self.scenario);
        let mut crashes = false;
        while let Some((after, event)) = scenario.events.get(self.events)
            && self.start + after <= self.now
        {
            self.events += 1;
            crashes |= self.befall(event).await;
        }
        crashes
    }

    async fn befall(&self, event: &Event) -> bool {
        let (store, now) = (&self.store, self.now);
        match event {
            Event::Suppress(scope, value) => {
                let done = store.suppress(*scope, value, "asked by telephone", now).await;
                done.expect("suppressions are written");
            }
            Event::PauseCampaign(slug) => {
                let id = self.campaign_id(slug).await;
                let done = store.pause_campaign(id, PAUSED_BECAUSE, now).await;
                done.expect("a campaign pauses");
            }
            Event::StartCampaign(slug) => {
                let id = self.campaign_id(slug).await;
                store.start_campaign(id, now).await.expect("a campaign starts");
            }
            Event::PauseMailbox(address) => {
                let id = self.mailbox_id(address.as_str()).await;
                let reason = PauseReason::Operator;
                let done = store.stop_mailbox(id, reason, PAUSED_BECAUSE, now).await;
                done.expect("a mailbox pauses");
            }
            Event::ResumeMailbox(address) => {
                let id = self.mailbox_id(address.as_str()).await;
                store.resume_mailbox(id, now).await.expect("a mailbox resumes");
            }
            Event::Weather(weather) => self.world.set_weather(*weather),
            Event::Crash => return true,
        }
        false
    }

    async fn campaign_id(&self, slug: &str) -> i64 {
        self.store.campaign(slug).await.expect("books").expect("a campaign of that name").id
    }

    async fn mailbox_id(&self, address: &str) -> i64 {
        let rows = self.store.mailboxes().await.expect("books");
        rows.iter().find(|row| row.address == address).expect("a mailbox of that address").id
    }

    /// When something happens next, whatever the engine wants.
    #[must_use]
    pub fn next_event(&self) -> Millis {
        let next = self.scenario.events.get(self.events);
        next.map_or(self.end, |(after, _)| self.start + after).min(self.end)
    }

    /// Plays on with fresh engines until `until`; `watch` looks on after each tick.
    pub async fn run(
        &mut self,
        until: Millis,
        mut watch: impl AsyncFnMut(&Self),
    ) -> Result<(), EngineError> {
        let mut engine = self.next_engine();
        while self.now < until {
            if self.happen().await {
                drop(engine);
                self.bury().await;
                engine = self.next_engine();
            }
            let wake = match engine.tick(self.now).await {
                Ok(wake) => wake,
                Err(error) if error.to_string().contains(BREAKS_AT) => {
                    drop(engine);
                    let again_at = self.now + MINUTE;
                    self.forget_the_unsettled(again_at).await;
                    self.bury().await;
                    engine = self.next_engine();
                    again_at
                }
                Err(error) => return Err(error),
            };
            watch(self).await;
            self.answer_in_haste().await;
            self.now = wake.max(self.now + 1).min(self.next_event().max(self.now + 1));
        }
        drop(engine);
        self.bury().await;
        Ok(())
    }
}

/// Where engines break: a server has answered, and the books do not know.
const BREAKS_AT: &str = "failpoint before_settle";

fn outside(scenario: &Scenario) -> World {
    let world = World::new(scenario.seed, scenario.weather, scenario.temper);
    world.set_person_gap(scenario.person_gap);
    for mailbox in &scenario.mailboxes {
        let provider = Provider {
            per_minute: mailbox.per_minute,
            // What a cap may be at most is a tenth of the provider's limit.
            per_day: Some(mailbox.cap * 10),
            connections: scenario.one_connection.then_some(1),
            rewrites_ids: mailbox.rewrites_ids,
        };
        world.provider(mailbox.address.as_str(), provider);
    }
    world
}
