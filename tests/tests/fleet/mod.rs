//! Several daemons of the real program on one PostgreSQL: started at once, stopped for longer than
//! their leases last, killed, left without their database. The server keeps what it took, and the
//! books are held against that: nobody is written to twice, nobody is lost, no limit is passed. And
//! one that finds a server or a clock it cannot work by.
//!
//! `WARMFRONT_STARTS`, `WARMFRONT_STOPS` and `WARMFRONT_KILLS` do each of these so often, and
//! `WARMFRONT_SEED` draws the moments of another run again.

mod accounts;
mod outage;
mod pair;
mod refusals;
mod starts;
mod stops;
mod storm;
mod workers;

use rand::TryRng as _;
use rand::rngs::SysRng;

/// Side by side: most of both is waiting.
#[test]
fn nothing_leaves_without_a_lease_or_without_the_database() {
    std::thread::scope(|scope| {
        scope.spawn(stops::without_a_lease);
        scope.spawn(outage::without_the_database);
    });
}

/// How often, as a variable says it, or unless it does.
fn times(variable: &str, usually: u64) -> u64 {
    number(variable).unwrap_or(usually)
}

fn seed() -> u64 {
    let drawn = || u64::from(SysRng.try_next_u32().expect("the machine has randomness"));
    number("WARMFRONT_SEED").unwrap_or_else(drawn)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

#[expect(clippy::print_stderr, reason = "whoever runs these wants to know what came of them")]
fn say(what: &str) {
    eprintln!("{what}");
}
