//! A mailbox's connection to its provider, from the greeting to the log-in. It ends when it is
//! dropped.

use warmfront_core::address::Address;
use warmfront_core::answer::Phase;
use warmfront_core::span::{MINUTE, Millis};
use warmfront_mail::submit::Trouble;

use crate::chance::{Chance, Purpose};
use crate::refusal::Refusal;
use crate::tally::{Event, Violation};
use crate::world::World;

/// One connection. The provider counts it until it is dropped.
pub(crate) struct Connection {
    world: World,
    mailbox: Address,
    chance: Chance,
    used_at: Millis,
}

impl Connection {
    /// Connects and hears the greeting.
    pub(crate) fn open(world: &World, mailbox: &Address, now: Millis) -> Result<Self, Trouble> {
        let mut state = world.state();
        let (seed, weather) = (state.seed, state.weather);
        let limit = state.provider(mailbox).connections;
        let account = state.mailbox(mailbox);
        account.calls += 1;
        let open = account.connections;
        let mut chance = Chance::new(seed, Purpose::Connection, &[mailbox.as_str()], account.calls);
        if chance.hits(weather.unreachable) {
            state.tally.count(Event::Unreachable);
            let why = "connection refused".to_owned();
            return Err(Trouble::Lost { phase: Phase::Connect, why });
        }
        if limit.is_some_and(|limit| open >= limit) {
            let mailbox = mailbox.clone();
            state.tally.violations.push(Violation::Connections { mailbox, at: now });
            return Err(state.refuse(Refusal::Connections));
        }
        if chance.hits(weather.busy) {
            return Err(state.refuse(Refusal::Busy));
        }
        state.mailbox(mailbox).connections += 1;
        Ok(Self { world: world.clone(), mailbox: mailbox.clone(), chance, used_at: now })
    }

    /// Logs in.
    pub(crate) fn log_in(&mut self) -> Result<(), Trouble> {
        let mut state = self.world.state();
        if self.chance.hits(state.weather.auth_refused) {
            return Err(state.refuse(Refusal::AuthRefused));
        }
        if self.chance.hits(state.weather.auth_deferred) {
            return Err(state.refuse(Refusal::AuthDeferred));
        }
        state.tally.count(Event::Connected);
        Ok(())
    }

    /// Whether the server still listens.
    pub(crate) fn is_fresh(&self, now: Millis) -> bool {
        now - self.used_at < IDLE
    }

    /// The same connection after a letter.
    pub(crate) fn used(self, now: Millis) -> Self {
        let mut connection = self;
        connection.used_at = now;
        connection
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.world.state().mailbox(&self.mailbox).connections -= 1;
    }
}

/// After so long a silence servers hang up; the strictest are met with.
const IDLE: Millis = MINUTE;
