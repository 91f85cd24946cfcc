//! The world as tests and the demo see it, and the state behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use warmfront_core::address::Address;
use warmfront_core::inbound::{Inbound, Kind};
use warmfront_core::span::{DAY, HOUR, Millis};
use warmfront_mail::submit::Trouble;

use crate::inbox::WorldInbox;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::tally::{Event, Tally};
use crate::temper::{Fate, Sequel, Temper};
use crate::way_out::WayOut;
use crate::weather::Weather;

/// A world of providers and people. Clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

/// A letter that a recipient's server really took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The Message-ID as we wrote it.
    pub message_id: String,
    /// The Message-ID it arrived with, and that what comes back names.
    pub final_id: String,
    /// The mailbox it came from.
    pub from: Address,
    /// The person it went to.
    pub to: Address,
    /// When.
    pub at: Millis,
    /// The subject, as it stood in the header.
    pub subject: String,
    /// The message it answers.
    pub in_reply_to: Option<String>,
    /// The thread, oldest first.
    pub references: Vec<String>,
}

/// Something that arrives, or will arrive, in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Where it arrives.
    pub mailbox: Address,
    /// Whom it comes from, or whose server.
    pub from: Address,
    /// What it is, and when it arrives.
    pub inbound: Inbound,
}

impl World {
    /// A world without limits, in which people mind two letters within 48 hours.
    #[must_use]
    pub fn new(seed: u64, weather: Weather, temper: Temper) -> Self {
        Self(Arc::new(Mutex::new(State {
            seed,
            weather,
            temper,
            person_gap: 48 * HOUR,
            providers: BTreeMap::new(),
            fates: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            people: BTreeMap::new(),
            pairs: BTreeMap::new(),
            held: Vec::new(),
            by_id: BTreeMap::new(),
            tally: Tally::default(),
        })))
    }

    /// A mailbox's way out. Each has a connection of its own.
    #[must_use]
    pub fn way_out(&self, mailbox: &Address) -> WayOut {
        WayOut::new(self.clone(), mailbox.clone())
    }

    /// A mailbox's inbox.
    #[must_use]
    pub fn inbox(&self, mailbox: &Address) -> WorldInbox {
        WorldInbox::new(self.clone(), mailbox.clone())
    }

    /// Says who carries a mailbox, or all mailboxes of a domain. An address goes before its domain.
    pub fn provider(&self, mailbox_or_domain: &str, provider: Provider) {
        self.state().providers.insert(mailbox_or_domain.to_ascii_lowercase(), provider);
    }

    /// Changes the weather from here on.
    pub fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Makes somebody another sort of person from here on.
    pub fn set_fate(&self, person: &Address, fate: Fate) {
        self.state().fates.insert(person.clone(), fate);
    }

    /// What sort of person somebody is.
    #[must_use]
    pub fn fate(&self, person: &Address) -> Fate {
        self.state().fate(person)
    }

    /// Nobody heard that somebody's server refused them for good: whoever was told is no more.
    pub fn unsay_refusal(&self, person: &Address) {
        self.state().person(person).refused = None;
    }

    /// How close two letters to one person may be before that is a violation.
    pub fn set_person_gap(&self, gap: Millis) {
        self.state().person_gap = gap;
    }

    /// Makes something come of a held letter, on top of what its recipient does anyway. False if
    /// no letter of this Message-ID, ours or the final one, is held.
    pub fn react(&self, message_id: &str, kind: Kind, at: Millis) -> bool {
        let mut state = self.state();
        let index = state.by_id.get(message_id).copied();
        index.map(|index| state.post(index, Sequel::new(kind, 0), at)).is_some()
    }

    /// Everything recipients' servers took, in the order they did: the truth that the books are
    /// held against.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        self.state().held.clone()
    }

    /// The held letter of a Message-ID, ours or the final one.
    #[must_use]
    pub fn letter(&self, message_id: &str) -> Option<Held> {
        let state = self.state();
        state.by_id.get(message_id).map(|&index| state.held[index].clone())
    }

    /// Everything that has arrived, or will, by mailbox and time.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        let state = self.state();
        let post = state.mailboxes.values().flat_map(|account| account.post.values());
        post.map(|post| post.arrival.clone()).collect()
    }

    /// When something arrives next, after a moment: whoever drives the clock need not go there in
    /// small steps.
    #[must_use]
    pub fn next_arrival(&self, after: Millis) -> Option<Millis> {
        let state = self.state();
        let next = state.mailboxes.values().filter_map(|account| {
            account.post.range((after + 1, 0)..).next().map(|(&(at, _), _)| at)
        });
        next.min()
    }

    /// What happened so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.state().tally.clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it holds the world")
    }
}

/// Everything there is.
pub(crate) struct State {
    pub(crate) seed: u64,
    pub(crate) weather: Weather,
    pub(crate) person_gap: Millis,
    pub(crate) mailboxes: BTreeMap<Address, Mailbox>,
    pub(crate) people: BTreeMap<Address, Person>,
    /// Senders and recipients who met.
    pub(crate) pairs: BTreeMap<(Address, Address), Pair>,
    pub(crate) held: Vec<Held>,
    /// Held letters by Message-ID, ours and the final one.
    pub(crate) by_id: BTreeMap<String, usize>,
    pub(crate) tally: Tally,
    temper: Temper,
    providers: BTreeMap<String, Provider>,
    fates: BTreeMap<Address, Fate>,
}

/// Where something lies in an inbox: when it arrived, and how many came before.
pub(crate) type Place = (Millis, usize);

/// A mailbox, as its provider knows it.
#[derive(Default)]
pub(crate) struct Mailbox {
    pub(crate) calls: u64,
    pub(crate) connections: u32,
    pub(crate) readings: u64,
    pub(crate) post: BTreeMap<Place, Post>,
    sent: Vec<Millis>,
}

/// Something in an inbox.
pub(crate) struct Post {
    pub(crate) arrival: Arrival,
    /// Since when it could have been read.
    pub(crate) readable_at: Millis,
    pub(crate) told: bool,
}

/// A recipient.
#[derive(Default)]
pub(crate) struct Person {
    /// The letters held, in order.
    pub(crate) letters: Vec<usize>,
    /// Where to find what he or she said no by.
    pub(crate) noes: Vec<(Address, Place)>,
    /// The Message-ID that RCPT was first refused to for good, and when.
    pub(crate) refused: Option<(String, Millis)>,
}

/// A sender and a recipient.
#[derive(Default)]
pub(crate) struct Pair {
    pub(crate) attempts: u64,
    pub(crate) first_seen_at: Option<Millis>,
}

impl State {
    pub(crate) fn mailbox(&mut self, address: &Address) -> &mut Mailbox {
        self.mailboxes.entry(address.clone()).or_default()
    }

    pub(crate) fn person(&mut self, address: &Address) -> &mut Person {
        self.people.entry(address.clone()).or_default()
    }

    pub(crate) fn provider(&self, mailbox: &Address) -> Provider {
        let named = |name| self.providers.get(name).copied();
        named(mailbox.as_str()).or_else(|| named(mailbox.domain())).unwrap_or_default()
    }

    pub(crate) fn fate(&self, person: &Address) -> Fate {
        let said = self.fates.get(person).copied();
        said.unwrap_or_else(|| self.temper.fate(self.seed, person))
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) -> Trouble {
        self.tally.count(Event::Refused(refusal));
        Trouble::Refused(refusal.answer())
    }
}

impl Mailbox {
    /// How many letters came within a span before a moment.
    pub(crate) fn sent_within(&self, span: Millis, now: Millis) -> u32 {
        let recent = self.sent.iter().filter(|&&at| now - at < span).count();
        u32::try_from(recent).unwrap_or(u32::MAX)
    }

    /// Remembers a letter for as long as a limit may count it.
    pub(crate) fn note_sent(&mut self, now: Millis) {
        self.sent.retain(|&at| now - at < DAY);
        self.sent.push(now);
    }
}
