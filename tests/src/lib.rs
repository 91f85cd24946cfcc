//! What tests of several crates share.

pub mod binary;
pub mod server;
pub mod simulation;
