//! What tests of several crates share.

pub mod binary;
pub mod cable;
pub mod dns;
pub mod dovecot;
pub mod endure;
pub mod identity;
pub mod instance;
pub mod machine;
pub mod postfix;
pub mod postgres;
pub mod server;
pub mod simulation;
