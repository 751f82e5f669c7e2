//! The addresses that a node advertises to its peers, and what happens when they change.

use lab::{DEADLINE, Families, Lab, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{advertised, wait_route};

#[test]
fn temporary_or_deprecated_address_is_not_advertised() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V6).start()?;
    let node = lab.node(1);
    let address = |words: &[&str]| {
        node.run(&[&["ip", "address"], words, &["dev", "eth0", "nodad"]].concat())
            .map(drop)
    };
    // The kernel makes a temporary address for each prefix (RFC 8981).
    node.run(&["sysctl", "-qw", "net.ipv6.conf.eth0.use_tempaddr=2"])?;
    let old = "fd00:192:168:1::77/64";
    address(&["add", old, "preferred_lft", "0"])?;
    let fresh = "fd00:192:168:1::88/64";
    let lives = ["valid_lft", "7200", "preferred_lft", "3600"];
    address(&[&["add", fresh, "mngtmpaddr"], &lives[..]].concat())?;
    wait_until("temporary address", DEADLINE, || {
        let shown = node.run(&["ip", "-6", "address", "show", "temporary"]);
        shown.is_ok_and(|shown| shown.contains("fd00:192:168:1:"))
    })?;
    lab.start_routed()?;
    let advertises = |expected: &[&str]| {
        wait_until(format!("record with {expected:?}"), DEADLINE, || {
            advertised(&lab, "n1").is_ok_and(|mut addresses| {
                addresses.sort();
                addresses == expected
            })
        })
    };
    advertises(&["fd00:192:168:1::11", "fd00:192:168:1::88"])?;

    // Changes are followed: a deprecated address is removed, a preferred one is added.
    address(&["change", fresh, "preferred_lft", "0", "valid_lft", "7200"])?;
    advertises(&["fd00:192:168:1::11"])?;
    let forever = ["preferred_lft", "forever", "valid_lft", "forever"];
    address(&[&["change", old], &forever[..]].concat())?;
    advertises(&["fd00:192:168:1::11", "fd00:192:168:1::77"])
}

#[test]
fn changed_node_address_is_followed_without_a_gap() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let watch = one.spawn("monitor", None, &["ip", "monitor", "route"])?;
    let target = b.addresses()[0].to_string();
    let traffic = a.spawn("ping", &["ping", "-i0.01", &target])?;
    wait_until("traffic", DEADLINE, || {
        traffic.log().contains("icmp_seq=20 ")
    })?;

    // As an administrator would change it: the new address first, and later the old one is removed.
    two.run(&["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1"])?;
    two.run(&["ip", "address", "add", "192.168.1.112/24", "dev", "eth0"])?;
    two.run(&["ip", "address", "del", "192.168.1.12/24", "dev", "eth0"])?;
    wait_route(one, two, "192.168.1.112 dev eth0")?;

    let seen = traffic.log().lines().count();
    wait_until("more traffic", DEADLINE, || {
        traffic.log().lines().count() > seen + 50
    })?;
    traffic.signal(Signal::SIGINT)?;
    wait_until("end of the traffic", DEADLINE, || !traffic.running())?;
    // The route of neither node was missing for a moment. The peer must restore the route to its
    // own pod after its address was removed; that takes less than five packets of 50 ms.
    assert!(!watch.log().contains("Deleted"), "{}", watch.log());
    let (sent, received) = counts(&traffic.log());
    assert!(sent - received <= 5, "{sent} sent, {received} received");

    // The node's own pod is reached as before, from an existing source address.
    let route = two.run(&["ip", "route", "show", &target])?;
    assert!(route.contains("src 192.168.1.112"), "{route}");
    two.run(&["ping", "-c1", "-W5", &target]).map(drop)
}

/// The numbers of sent and received packets in ping's summary.
fn counts(log: &str) -> (u32, u32) {
    let summary = log
        .lines()
        .find(|line| line.contains("packets transmitted"));
    let mut numbers = summary
        .unwrap_or_default()
        .split(' ')
        .filter_map(|word| word.parse().ok());
    let mut next = || numbers.next().expect("a summary of ping");
    (next(), next())
}
