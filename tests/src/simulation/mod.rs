//! The real engine in a pretend world, and an oracle that watches it.
//!
//! A [`Scenario`] is drawn from a seed: a fleet, campaigns, people, moods. A [`Play`] puts it on:
//! books in memory, the engine's loops in simulated time, the world behind the seams. The [`Record`]
//! is what went through the seams, written down by nobody but us, and the [`Oracle`] holds it
//! against the scenario by rules of its own: it asks none of the code it judges.

mod books;
mod draw;
mod explained;
mod folder;
mod hours;
mod letter;
mod oracle;
mod play;
mod record;
mod scenario;
mod seams;
mod untimely;

pub use self::books::{ledger_text, prove, prove_rows};
pub use self::draw::{Sizes, address, draw};
pub use self::explained::prove_explained;
pub use self::hours::{Hours, Opening};
pub use self::oracle::Oracle;
pub use self::play::{Engine, Play};
pub use self::record::{Attempt, Dot, End, Log, Record};
pub use self::scenario::{Campaign, Event, Mailbox, Person, Scenario, Step, Wait, Zone};
pub use self::seams::{Gate, POINTS, Point, WatchedInbox, WatchedOut};
