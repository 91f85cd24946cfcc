//! Mailboxes that log in by tokens: the real program, an identity provider of the tests' own, and a
//! Dovecot behind a Postfix that ask it what a token is good for.

mod daemon;
mod fleet;
mod keys;
mod log_ins;
mod machines;
mod provider;
mod races;
mod waiting;
mod world;
