//! A pretend outside: mail providers with limits and moods, and people who reply, bounce, opt out
//! and complain. Tests and the demo run the real engine against it.
//!
//! [`World`] hands out a [`WayOut`] (the `Submit` seam) and a [`WorldInbox`] (the `Inbox` seam) for
//! each mailbox. It is told the time with each call and draws its luck from a seed, so the same
//! seed tells the same story, in whatever order the mailboxes take their turns. What it took is the
//! truth ([`World::held`]) to hold the books against; what should never happen to a provider or to
//! a person is noted as a [`Violation`].
//!
//! Absent on purpose: a clock (whoever sets the engine's moves the world along), the wire (the
//! submission client is tried against a real server elsewhere), Sent folders, and any opinion on
//! what a letter says.

mod aftermath;
mod chance;
mod connection;
mod dialogue;
mod headers;
mod inbox;
mod pause;
mod provider;
mod refusal;
mod tally;
mod temper;
mod way_out;
mod weather;
mod witness;
mod world;

#[cfg(test)]
mod tests;

pub use chance::WHOLE;
pub use inbox::WorldInbox;
pub use provider::Provider;
pub use refusal::Refusal;
pub use tally::{Event, Tally, Violation};
pub use temper::{Fate, Temper};
pub use way_out::WayOut;
pub use weather::Weather;
pub use world::{Arrival, Held, World};
