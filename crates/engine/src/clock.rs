//! The only place that reads the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use warmfront_core::span::Millis;

/// What time it is.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    Wall,
    /// Whoever holds it too sets it.
    Simulated(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now` until it is set.
    #[must_use]
    pub fn simulated(now: Millis) -> Self {
        Self::Simulated(Arc::new(AtomicI64::new(now)))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Millis {
        match self {
            Self::Wall => wall(),
            Self::Simulated(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Sets a simulated clock; the machine's is not ours to set.
    pub fn set(&self, now: Millis) {
        if let Self::Simulated(clock) = self {
            clock.store(now, Ordering::Relaxed);
        }
    }

    /// Waits until `moment`; where time is simulated, only lets others go on. A clock that jumps while we
    /// wait is noticed within [`LONGEST_WAIT`].
    pub async fn wait_until(&self, moment: Millis) {
        match self {
            Self::Wall => {
                let left = u64::try_from(moment - wall()).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(left).min(LONGEST_WAIT)).await;
            }
            Self::Simulated(_) => tokio::task::yield_now().await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn wall() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// Nobody sleeps longer than this without looking at the clock again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
