//! The real inbox and a real Dovecot: what one counts is what lies in the other.

mod daemon;
mod doubts;
mod folders;
mod follow_up;
mod reader;
mod restored;
mod safety;
mod scene;
mod script;
mod storm;
mod strangers;
mod stumbles;
