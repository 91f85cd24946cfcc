//! Octets in, facts out.

use super::*;

#[test]
fn nothing_at_all_is_an_arrival_too() {
    let arrival = read(b"", 7);
    assert_eq!((arrival.received_at, arrival.key.len(), arrival.failures.len()), (7, 64, 0));
}
