//! The loops that make a plan happen: planner, sender, watcher, examiner. Each is a `tick(now)` that does what
//! is due and says when to come back; a daemon sleeps until then, tests and simulations move `now`
//! themselves.
//!
//! Decides nothing that core can decide, and remembers nothing that the books should.

mod attempt;
pub mod clock;
mod doubts;
mod error;
mod examiner;
pub mod failpoint;
pub mod fleet;
pub mod import;
mod judge;
mod lane;
mod lanes;
mod letter;
mod loops;
mod office;
mod person;
mod planner;
mod reconcile;
mod roster;
mod run;
mod sender;
mod snapshot;
pub mod tokens;
mod watcher;

pub use self::doubts::settle_by_operator;
pub use self::error::EngineError;
pub use self::examiner::Examiner;
pub use self::lane::{Lane, Next};
pub use self::loops::Loops;
pub use self::office::{Office, Opens, Ways};
pub use self::planner::Planner;
pub use self::reconcile::{Reconciled, Standing, reconcile, take_up_strays};
pub use self::roster::{BookedManifest, Campaign, Roster};
pub use self::run::{Until, run};
pub use self::sender::Sender;
pub use self::snapshot::{Extent, snapshot};
pub use self::watcher::Watcher;
