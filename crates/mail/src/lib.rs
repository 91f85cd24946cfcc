//! Mail servers: composing what goes out, handing it over, and what the DNS says of who sends it.
//!
//! [`submit`] and [`inbox`] are the two seams: their real side is somebody else's server, and a
//! simulated world stands in for it. [`compose`] makes the message, [`smtp`] is the real `Submit`,
//! [`imap`] the real `Inbox`, and [`arrival`] reads what it brings. [`oauth`] gets tokens for those who
//! log in with them, and [`bearer`] shows them; [`dns`] asks for the records of sending domains. Nothing
//! here decides when or to whom to write, and nothing here reads a clock: `now` is told.

pub mod arrival;
pub mod bearer;
pub mod compose;
#[cfg(test)]
mod deadline;
pub mod dns;
pub mod imap;
pub mod inbox;
pub mod oauth;
pub mod server;
pub mod smtp;
pub mod submit;
pub mod tls;
