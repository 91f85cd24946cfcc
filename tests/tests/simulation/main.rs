//! The engine itself through simulated days: by seed in worlds large and small, ended at every
//! await, failed and held up at every point of the send path.
//!
//! `WARMFRONT_SEEDS=5000` plays that many seeds, `WARMFRONT_SEED=n` the one, `WARMFRONT_YEAR=1` a
//! whole fleet's year.

mod awaits;
mod daemon;
mod failpoints;
mod little;
mod places;
mod recruits;
mod seeds;

use std::env;
use std::future::Future;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::thread;

/// Runs one play, on a runtime of its own.
fn block_on<T>(play: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(play)
}

/// Tries cases in order, one on each core at a time, until one says no or panics. Says how many
/// said yes.
fn on_every_core<T: Send>(
    cases: impl IntoIterator<Item = T, IntoIter: Send>,
    try_one: impl Fn(&T) -> bool + Sync,
) -> usize {
    let cases = Mutex::new(Some(cases.into_iter()));
    let next = || cases.lock().expect("a short hold").as_mut().and_then(Iterator::next);
    let work = || {
        let mut tried = 0;
        while let Some(case) = next() {
            let stop = Stop(&cases);
            if !try_one(&case) {
                break;
            }
            std::mem::forget(stop);
            tried += 1;
        }
        tried
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let ends: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ends.into_iter().map(|end| end.unwrap_or_else(|panic| resume_unwind(panic))).sum()
    })
}

/// Leaves nothing for the other cores when it is dropped, by a no or by a panic.
struct Stop<'a, T>(&'a Mutex<Option<T>>);

impl<T> Drop for Stop<'_, T> {
    fn drop(&mut self) {
        *self.0.lock().expect("a short hold") = None;
    }
}

/// The number in an environment variable, if it is set.
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}
