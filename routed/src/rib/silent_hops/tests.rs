use std::time::Duration;

use super::*;

#[test]
fn silent_hop_returns_once_it_answers_but_not_too_soon() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let hop = (2, "192.168.1.2".parse().unwrap());
    let mut silent = SilentHops::default();
    assert!(silent.due_at().is_none());
    assert!(silent.failed(hop, at(0)) && !silent.failed(hop, at(1)));
    assert!(silent.contains(hop) && !silent.contains((3, hop.1)));

    // It is asked again and again.
    assert_eq!(silent.due_at(), Some(at(6)));
    assert_eq!(silent.take_probes(at(5)), []);
    assert_eq!(silent.take_probes(at(6)), [hop]);
    assert_eq!(silent.take_probes(at(6)), []);
    assert_eq!(silent.take_returned(at(100)), []);

    // An answer counts after the shortest absence, unless it falls silent before.
    silent.answered(hop);
    assert_eq!(silent.due_at(), Some(at(30)));
    assert_eq!(silent.take_returned(at(29)), []);
    silent.failed(hop, at(29));
    assert_eq!(silent.take_returned(at(40)), []);
    silent.answered(hop);
    assert_eq!(silent.take_returned(at(41)), [hop]);
    assert!(!silent.contains(hop) && silent.due_at().is_none());

    // Another failure starts anew.
    silent.failed(hop, at(42));
    silent.answered(hop);
    assert_eq!(silent.take_returned(at(71)), []);
    assert_eq!(silent.take_returned(at(72)), [hop]);
}

#[test]
fn hop_that_is_not_known_to_be_silent_stays_unknown() {
    let hop = (2, "192.168.1.2".parse().unwrap());
    let mut silent = SilentHops::default();
    silent.answered(hop);
    assert!(!silent.contains(hop) && silent.iter().next().is_none());
    silent.failed(hop, Instant::now());
    silent.retain(|(dev, _)| dev != 2);
    assert!(!silent.contains(hop));
}
