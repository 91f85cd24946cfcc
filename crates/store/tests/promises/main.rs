//! Every promise of the books, and an attempt to break it: by the public interface where it has a
//! way, and by plain SQL past it. One suite for each database that can keep the books.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

mod answers;
mod arrivals;
mod away;
mod blocked;
mod blocks;
mod books;
mod claims;
mod days;
mod domains;
mod early;
mod edges;
mod elsewhere;
mod evidence;
mod forged;
mod groups;
mod health;
mod imports;
mod leases;
#[path = "../../../../tests/src/machine.rs"]
#[expect(unreachable_pub, reason = "the package of tests publishes it")]
mod machine;
mod moves;
mod moves_refused;
mod opening;
mod people;
mod plans;
#[path = "../../../../tests/src/postgres.rs"]
#[expect(unreachable_pub, reason = "the package of tests publishes it")]
mod postgres;
mod readings;
mod reasons;
mod restored;
mod rows;
mod scene;
mod sent_copies;
mod server;
mod settled;
mod sharing;
mod stops;
mod taken_up;
mod tokens;
mod twins;
mod unknown;
mod values;
mod visits;
mod workers;
