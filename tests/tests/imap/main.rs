//! The real inbox and a real Dovecot: what one counts is what lies in the other.

mod folders;
mod reader;
mod safety;
mod script;
mod storm;
mod stumbles;
