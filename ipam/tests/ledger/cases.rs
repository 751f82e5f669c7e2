//! The guarantees of the ledger, case by case.

use std::time::Duration;

use crate::common::{COOL_DOWN, START, TestNode, ip, names, pod};
use ipam::Error;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn addresses_come_in_order_one_of_each_family() {
    let node = TestNode::new(&[&["10.9.1.0/24"], &["fd00::/80"]]);
    for (name, v4, v6) in [("a", "10.9.1.2", "fd00::2"), ("b", "10.9.1.3", "fd00::3")] {
        assert_eq!(node.add(&pod(name), START).unwrap(), [ip(v4), ip(v6)]);
    }
    assert_eq!(
        node.links(),
        ["a@eth0.4", "a@eth0.6", "b@eth0.4", "b@eth0.6"]
    );
    assert_eq!(
        names(&node.path("addresses")),
        ["10.9.1.2", "10.9.1.3", "fd00::2", "fd00::3"]
    );
}

#[test]
fn second_add_names_the_address_and_changes_nothing() {
    let node = TestNode::new(&[&["10.9.1.0/24"]]);
    node.add(&pod("a"), START).unwrap();
    let error = node.add(&pod("a"), START).unwrap_err();
    assert_eq!(
        error.to_string(),
        "attachment a/eth0 already holds 10.9.1.2"
    );
    assert_eq!(node.inventory().held.len(), 1);
    assert_eq!(node.add(&pod("b"), START).unwrap(), [ip("10.9.1.3")]);
}

#[test]
fn del_frees_everything_and_may_be_repeated() {
    let node = TestNode::new(&[&["10.9.1.0/24"], &["fd00::/80"]]);
    assert_eq!(node.del(&pod("a"), START).unwrap().len(), 0);
    assert!(!node.root().exists(), "DEL made a ledger");
    let held = node.add(&pod("a"), START).unwrap();
    assert_eq!(node.del(&pod("a"), START).unwrap(), held);
    assert_eq!(node.del(&pod("a"), START).unwrap().len(), 0);
    assert_eq!((node.inventory().held.len(), node.links()), (0, Vec::new()));
}

#[test]
fn interfaces_of_one_container_are_separate_attachments() {
    let node = TestNode::new(&[&["10.9.1.0/24"]]);
    let second = wire::cni::Attachment::new("a", "net@1.4").unwrap();
    assert_eq!(node.add(&pod("a"), START).unwrap(), [ip("10.9.1.2")]);
    assert_eq!(node.add(&second, START).unwrap(), [ip("10.9.1.3")]);
    assert_eq!(node.del(&second, START).unwrap(), [ip("10.9.1.3")]);
    assert_eq!(node.inventory().held.len(), 1);
}

#[test]
fn freed_address_within_cool_down_is_reused_last() {
    // Five addresses, .2 to .6.
    let node = TestNode::new(&[&["10.9.1.0/29"]]);
    for name in ["a", "b", "c"] {
        node.add(&pod(name), START).unwrap();
    }
    node.del(&pod("b"), START).unwrap();
    node.del(&pod("a"), START + SECOND).unwrap();
    let soon = START + 2 * SECOND;
    let add = |name: &str, at| node.add(&pod(name), at).unwrap()[0];
    assert_eq!(add("d", soon), ip("10.9.1.5"), "never used comes first");
    assert_eq!(add("e", soon), ip("10.9.1.6"), "never used comes first");
    assert_eq!(
        add("f", soon),
        ip("10.9.1.3"),
        "then the one that was freed first"
    );
    node.del(&pod("d"), soon).unwrap();
    let late = START + SECOND + COOL_DOWN;
    assert_eq!(
        add("g", late),
        ip("10.9.1.2"),
        "then the one that has cooled down"
    );
    assert_eq!(add("h", late), ip("10.9.1.5"), "then the only one left");
    let error = node.add(&pod("i"), late).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no address is free in 10.9.1.0/29: all are in use"
    );
}

#[test]
fn cooling_address_within_the_share_is_kept_back() {
    // 13 addresses, of which 3 may cool down.
    let mut node = TestNode::new(&[&["10.9.1.0/28"]]);
    for number in 0..13 {
        node.add(&pod(&format!("a{number}")), START).unwrap();
    }
    for number in 0..4 {
        let at = START + number * SECOND;
        node.del(&pod(&format!("a{number}")), at).unwrap();
    }
    let mut add = |percent, after: u32| {
        node.max_cooling_percent = percent;
        let added = node.add(&pod(&format!("b{after}")), START + after * SECOND);
        added.map(|addresses| addresses[0].to_string()).ok()
    };
    for (case, percent, after, expected) in [
        ("the share does not count yet", Some(25), 14, None),
        ("the fourth is beyond it", Some(25), 15, Some("10.9.1.2")),
        ("three are not", Some(25), 100, None),
        ("without a share there is one", None, 101, Some("10.9.1.3")),
        ("the third has cooled down", Some(25), 132, Some("10.9.1.4")),
        ("the fourth has not", Some(100), 132, None),
    ] {
        assert_eq!(add(percent, after).as_deref(), expected, "{case}");
    }
}

#[test]
fn add_without_an_address_of_one_family_allocates_none() {
    let node = TestNode::new(&[&["10.9.1.0/24"], &["fd00::/126"]]);
    node.add(&pod("a"), START).unwrap();
    node.add(&pod("b"), START).unwrap();
    let error = node.add(&pod("c"), START).unwrap_err();
    assert!(matches!(&error, Error::Exhausted { subnets, .. } if subnets == &node.pools[1]));
    assert_eq!((node.inventory().held.len(), node.links().len()), (4, 4));
    node.del(&pod("a"), START).unwrap();
    let again = node.add(&pod("c"), START).unwrap();
    assert_eq!(
        again,
        [ip("10.9.1.4"), ip("fd00::2")],
        "the failed ADD had used up an address"
    );
}

#[test]
fn addresses_of_a_subnet_no_longer_owned_are_not_handed_out() {
    let mut node = TestNode::new(&[&["10.9.1.0/29", "10.9.2.0/29"]]);
    for number in 0..6 {
        node.add(&pod(&format!("a{number}")), START).unwrap();
    }
    for number in 0..6 {
        node.del(&pod(&format!("a{number}")), START).unwrap();
    }
    node.pools[0].remove(0);
    for number in 0..5 {
        let address = node.add(&pod(&format!("b{number}")), START).unwrap()[0];
        assert!(node.pools[0][0].contains(&address), "{address}");
    }
    node.add(&pod("b5"), START).unwrap_err();
}

#[test]
fn ledger_stays_small_over_many_pods() {
    let node = TestNode::new(&[&["fd00::/80"]]);
    for round in 0..6_000_u32 {
        let now = START + round * SECOND;
        node.add(&pod("a"), now).unwrap();
        node.del(&pod("a"), now).unwrap();
    }
    assert!(names(&node.path("freed")).len() <= 1024);
    let queue = std::fs::metadata(node.path("queues/fd00::-80"))
        .unwrap()
        .len();
    assert!(queue < 4096 * 64, "{queue} bytes");
}
