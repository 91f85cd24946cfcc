//! A real mail world: the real program in front of a Postfix and a Dovecot that are joined, so that
//! whoever is written to has a mailbox, bounces are Postfix's own, and answers go the way of all mail.

mod bombs;
mod cuts;
mod forgeries;
mod office;
mod scenario;
mod scene;
mod verify;
