//! Many concurrent operations.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Barrier;
use std::thread;

use crate::common::{START, TestNode, pod};
use ipam::Error;

const CROWD: usize = 300;

/// Calls `act` with 0 to `CROWD` from that many threads, all at the same time.
fn together<T: Send>(act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(CROWD);
    let one = |number| {
        barrier.wait();
        act(number)
    };
    thread::scope(|scope| {
        let start = |number| {
            scope.spawn({
                let one = &one;
                move || one(number)
            })
        };
        let threads: Vec<_> = (0..CROWD).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn concurrent_adds_get_different_addresses_and_dels_free_all() {
    let node = TestNode::new(&[&["10.9.0.0/24", "10.9.1.0/24"], &["fd00::/80"]]);
    for round in 0..2 {
        let name = |number| pod(&format!("pod{round}-{number}"));
        let given = together(|number| node.add(&name(number), START).unwrap());
        let distinct: BTreeSet<IpAddr> = given.iter().flatten().copied().collect();
        assert_eq!(distinct.len(), 2 * CROWD);
        assert_eq!(node.inventory().held.len(), 2 * CROWD);
        let freed = together(|number| node.del(&name(number), START).unwrap());
        assert_eq!(freed, given);
        assert_eq!((node.inventory().held.len(), node.links().len()), (0, 0));
    }
}

#[test]
fn of_many_adds_for_one_attachment_one_wins() {
    let node = TestNode::new(&[&["10.9.0.0/24"], &["fd00::/80"]]);
    let results = together(|_| node.add(&pod("a"), START));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::Held { .. }), "{error}");
    }
    assert_eq!((node.inventory().held.len(), node.links().len()), (2, 2));
}

#[test]
fn more_adds_than_addresses_fill_the_subnet_exactly() {
    let node = TestNode::new(&[&["10.9.0.0/25"]]);
    let results = together(|number| node.add(&pod(&format!("pod{number}")), START));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 125);
    assert_eq!(node.inventory().held.len(), 125);
}
