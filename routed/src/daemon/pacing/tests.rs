use super::*;

use std::collections::BTreeSet;

#[test]
fn nodes_start_over_at_different_times_unless_they_are_new() {
    assert_eq!(start_over_delay(&[]), Duration::ZERO);
    let before = ["10.244.0.0/16".parse().unwrap()];
    let delays: BTreeSet<_> = (0..50).map(|_| start_over_delay(&before)).collect();
    assert!(delays.len() > 10, "{delays:?}");
    assert!(delays.iter().all(|delay| *delay < START_OVER_SPREAD));
}
