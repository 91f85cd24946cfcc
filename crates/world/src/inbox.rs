//! An inbox of the world, read through the `Inbox` seam.

use std::collections::BTreeSet;
use std::time::Duration;

use warmfront_core::address::Address;
use warmfront_core::inbound::Inbound;
use warmfront_core::reading::{Arrived, Bookmarks, Reading};
use warmfront_core::span::Millis;
use warmfront_mail::inbox::{Inbox, Unreadable};

use crate::chance::{Chance, Purpose};
use crate::pause::pause;
use crate::tally::Event;
use crate::world::{Place, World};

/// One mailbox's inbox. A new one tells everything again that ever arrived: what an earlier one
/// told may not have been written down.
pub struct WorldInbox {
    world: World,
    mailbox: Address,
    told: BTreeSet<Place>,
}

impl WorldInbox {
    pub(crate) fn new(world: World, mailbox: Address) -> Self {
        Self { world, mailbox, told: BTreeSet::new() }
    }

    /// What a reading shows. Nothing counts as told before this returns.
    fn look(&mut self, now: Millis) -> Result<Vec<Inbound>, Unreadable> {
        let mut state = self.world.state();
        let (seed, weather) = (state.seed, state.weather);
        let account = state.mailbox(&self.mailbox);
        account.readings += 1;
        let whom = [self.mailbox.as_str()];
        let mut chance = Chance::new(seed, Purpose::Reading, &whom, account.readings);
        let (unreachable, repeats) =
            (chance.hits(weather.inbox_unreachable), chance.hits(weather.inbox_repeats));
        let arrived = account.post.range_mut(..=(now, usize::MAX));
        if unreachable {
            // Nobody can be blamed for not knowing what could not be read.
            arrived.filter(|(_, post)| !post.told).for_each(|(_, post)| post.readable_at = now);
            state.tally.count(Event::InboxUnreachable);
            return Err(Unreadable::Lost("connection refused".to_owned()));
        }
        if repeats {
            self.told.clear();
        }
        let mut news = Vec::new();
        for (&place, post) in arrived {
            post.told = true;
            if self.told.insert(place) {
                news.push(post.arrival.inbound.clone());
            }
        }
        state.tally.count(Event::InboxRead);
        Ok(news)
    }
}

impl Inbox for WorldInbox {
    async fn read(&mut self, _bookmarks: &Bookmarks, now: Millis) -> Result<Reading, Unreadable> {
        pause().await;
        let told = self.look(now)?.into_iter();
        let arrivals = told.map(|inbound| Arrived { place: None, inbound }).collect();
        Ok(Reading { arrivals, is_whole: true, ..Reading::default() })
    }

    /// Nobody waits for news of a world whose time somebody moves.
    fn is_open(&self) -> bool {
        false
    }

    async fn news(&mut self, _within: Duration) -> bool {
        false
    }

    async fn close(&mut self) {}
}
