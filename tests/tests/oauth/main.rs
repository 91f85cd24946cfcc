//! Mailboxes that log in by tokens: the real program, an identity provider of the tests' own or of
//! others, and a Dovecot behind a Postfix that ask it what a token is good for.

mod believed;
mod daemon;
mod fleet;
mod identity;
mod log_ins;
mod openid;
mod races;
mod world;
