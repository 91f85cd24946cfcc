//! Whatever waits for servers, leases and tokens more than it works. In one program all of it waits side
//! by side: one after the other these take minutes more.

mod fleet;
mod imap;
mod kill;
mod oauth;
mod post;
