//! What tests of several crates share.

pub mod binary;
pub mod postgres;
pub mod server;
pub mod simulation;
