//! The readers to fuzz, as the tests know them.

#[path = "../../src/endure.rs"]
pub mod endure;
