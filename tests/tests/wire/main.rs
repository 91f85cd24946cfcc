//! The real program and a real Postfix: what one says was accepted is what the other received.

mod accounts;
mod fleet;
mod machine;
mod refusals;
mod scene;
