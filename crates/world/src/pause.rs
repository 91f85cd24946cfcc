//! A point at which others may take their turn, and a future may be dropped.

use std::future::poll_fn;
use std::task::Poll;

/// Ready at the second asking. Needs no runtime.
pub(crate) async fn pause() {
    let mut asked = false;
    poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
