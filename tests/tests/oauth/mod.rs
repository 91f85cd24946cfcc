//! Mailboxes that log in by tokens: the real program, an identity provider of the tests' own or of
//! others, and a Dovecot behind a Postfix that ask it what a token is good for.

mod believed;
mod daemon;
mod fleet;
mod identity;
mod keys;
mod log_ins;
mod machines;
mod openid;
mod races;
mod waiting;
mod world;
