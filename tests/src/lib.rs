//! What tests of several crates share.

pub mod binary;
pub mod endure;
pub mod machine;
pub mod postfix;
pub mod postgres;
pub mod server;
pub mod simulation;
