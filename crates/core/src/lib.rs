//! What Warmfront decides, and nothing of how it is done.
//!
//! No clock, no randomness of its own, no files, no network, no database: every function here is
//! told the time and handed its random numbers, so the same inputs give the same plan on any
//! machine, in a test as in production.

pub mod address;
pub mod allot;
pub mod answer;
pub mod calendar;
mod cells;
pub mod domain;
pub mod health;
pub mod id;
pub mod identity;
pub mod inbound;
pub mod interval;
pub mod pacing;
pub mod plan;
pub mod problem;
pub mod provider;
pub mod reading;
pub mod reason;
pub mod rng;
pub mod send_id;
pub mod sequence;
pub mod span;
pub mod text;
pub mod warmup;
