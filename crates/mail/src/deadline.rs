//! When a step is over, for tests with a clock that stands still.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

/// What a step comes to, which is over after that long and not before.
pub(crate) async fn over_after<T>(after: Duration, step: impl Future<Output = T>) -> T {
    let mut step = pin!(step);
    let moment = Duration::from_millis(1);
    if let Some(before) = after.checked_sub(moment) {
        assert!(timeout(before, &mut step).await.is_err(), "over before {after:?}");
    }
    timeout(2 * moment, step).await.expect("over in time")
}
