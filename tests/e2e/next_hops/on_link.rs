//! What is on link is what the kernel's routes say, and peers that do not answer.

use std::time::Duration;

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{advertised, plug_in, route_to, wait_route};

fn ip(node: &Node, words: &str) -> Result {
    let words: Vec<&str> = words.split(' ').collect();
    node.run(&[&["ip"], &words[..]].concat()).map(drop)
}

fn wait_no_route(node: &Node, peer: &Node) -> Result {
    wait_until("end of the route", DEADLINE, || {
        route_to(node, peer).is_ok_and(|route| route.is_none())
    })
    .map_err(|error| error.doing(node.routed_log()))
}

fn wait_status(node: &Node, text: &str) -> Result {
    wait_until(format!("{text:?} in the status"), DEADLINE, || {
        let status = node.routed_command(&["status"]);
        status.is_ok_and(|status| status.stdout.contains(text))
    })
}

#[test]
fn dhcpv6_address_reaches_peers_by_the_advertised_prefix() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V6).start()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    for (number, node) in lab.nodes().iter().enumerate() {
        ip(node, "-6 address flush dev eth0 scope global")?;
        let own = 11 + number;
        ip(
            node,
            &format!("address add fd00:192:168:1::{own}/128 dev eth0 nodad"),
        )?;
        ip(
            node,
            "route add fd00:192:168:1::/64 dev eth0 proto ra metric 1024",
        )?;
    }
    lab.start_routed()?;
    wait_route(one, two, "fd00:192:168:1::12 dev eth0")?;
    wait_route(two, one, "fd00:192:168:1::11 dev eth0")?;
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    a.run(&["ping", "-c1", "-W5", &b.addresses()[0].to_string()])?;

    ip(one, "route del fd00:192:168:1::/64 dev eth0")?;
    wait_no_route(one, two)?;
    wait_status(one, "on no connected link")?;
    ip(one, "route add fd00:192:168:1::/64 dev eth0")?;
    wait_route(one, two, "fd00:192:168:1::12 dev eth0")
}

#[test]
fn peer_follows_prefix_routes_that_come_and_go() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    lab.run(&["ip", "link", "add", "second", "up", "type", "bridge"])?;
    let [one, two] = [lab.node(1), lab.node(2)];
    plug_in(&lab, one, "172.16.0.11/24")?;
    plug_in(&lab, two, "172.16.0.12/24")?;
    one.spawn_routed(&[])?;
    two.spawn_routed(&["--node-address", "172.16.0.12"])?;
    wait_route(one, two, "172.16.0.12 dev eth1")?;

    // The mask stays, its route goes.
    ip(one, "route del 172.16.0.0/24 dev eth1")?;
    wait_no_route(one, two)?;
    wait_status(one, "`ip route add 172.16.0.0/24 dev eth1`")?;
    ip(one, "route add 172.16.0.0/24 dev eth1")?;
    wait_route(one, two, "172.16.0.12 dev eth1")?;

    // A route on another link, which the kernel prefers; then no mask at all.
    ip(one, "route add 172.16.0.12/32 dev eth0")?;
    wait_route(one, two, "172.16.0.12 dev eth0")?;
    ip(one, "route del 172.16.0.12/32 dev eth0")?;
    wait_route(one, two, "172.16.0.12 dev eth1")?;
    ip(one, "address add 172.30.0.1/32 dev eth1")?;
    ip(one, "address del 172.16.0.11/24 dev eth1")?;
    one.wait_log("n1 by 192.168.1.11, fd00:192:168:1::11, 172.30.0.1\n")?;
    wait_route(one, two, "172.16.0.12 dev eth1")
}

#[test]
fn virtual_address_of_two_nodes_is_named_and_not_used() -> Result {
    let lab = Lab::builder().nodes(3).families(Families::V4).start()?;
    for number in 2..=3 {
        let node = lab.node(number);
        let own = format!("192.168.1.{}", 10 + number);
        ip(node, "-4 address flush dev eth0")?;
        node.run(&["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1"])?;
        // The one beside a wider address; the other looks like any address.
        ip(node, "address add 192.168.1.101/32 dev eth0")?;
        ip(node, "address add 192.168.1.100/24 dev eth0")?;
        ip(node, &format!("address add {own}/24 dev eth0"))?;
        // Two nodes cannot both talk to etcd from one address.
        let source = format!("route replace 192.168.1.0/24 dev eth0 scope link src {own}");
        ip(node, &source)?;
        ip(node, "route add default via 192.168.1.1")?;
    }
    lab.start_routed()?;
    let [one, two, three] = [1, 2, 3].map(|number| lab.node(number));
    wait_route(one, two, "192.168.1.12 dev eth0")?;
    wait_route(one, three, "192.168.1.13 dev eth0")?;
    assert_eq!(
        advertised(&lab, "n2")?[..3],
        ["192.168.1.100", "192.168.1.12", "192.168.1.101"]
    );
    let text = "n2 and n3 advertise the same address 192.168.1.100";
    wait_status(one, text)?;
    one.wait_log(text)?;
    assert_eq!(one.count_logged(text), 1);

    // It is an address as any other once one of them has it alone.
    ip(three, "address del 192.168.1.100/24 dev eth0")?;
    wait_route(one, two, "192.168.1.100 dev eth0")
}

#[test]
fn next_hop_that_fails_is_left_until_it_answers() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    two.run(&["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1"])?;
    ip(two, "address add 192.168.1.112/24 dev eth0")?;
    lab.start_routed()?;
    wait_route(one, two, "192.168.1.12 dev eth0")?;
    let pod = two.add_pod("b")?;
    let target = pod.addresses()[0].to_string();

    // A peer that is merely quiet: no entry, or a stale one.
    ip(one, "neighbour flush dev eth0")?;
    one.run(&["ping", "-c1", "-W5", &target])?;
    let mac = "02:00:00:00:00:01";
    ip(
        one,
        &format!("neighbour replace 192.168.1.112 lladdr {mac} dev eth0 nud stale"),
    )?;
    ip(one, "neighbour flush dev eth0")?;
    wait_route(one, two, "192.168.1.12 dev eth0")?;

    // Its routed is away, so that the registry keeps the address that it no longer has.
    two.end_routed(Signal::SIGKILL)?;
    ip(two, "address del 192.168.1.12/24 dev eth0")?;
    let _ = one.run_with(&["ping", "-c1", "-W5", &target], b"")?;
    wait_route(one, two, "192.168.1.112 dev eth0")?;
    wait_status(one, "n2 does not answer at 192.168.1.12 on eth0")?;

    ip(two, "address add 192.168.1.12/24 dev eth0")?;
    let text = " via 192.168.1.12 dev eth0";
    wait_until("return of the next hop", Duration::from_secs(90), || {
        route_to(one, two).is_ok_and(|route| route.is_some_and(|it| it.contains(text)))
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    wait_until("status without it", DEADLINE, || {
        let status = one.routed_command(&["status"]);
        status.is_ok_and(|status| !status.stdout.contains("does not answer"))
    })
}

#[test]
fn nodes_with_two_links_in_common_take_the_same_one() -> Result {
    for (first, second, link) in [("eth0", "eth1", "eth0"), ("eth1", "eth0", "eth1")] {
        let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
        lab.run(&["ip", "link", "add", "second", "up", "type", "bridge"])?;
        lab.run(&["ip", "address", "add", "172.16.0.1/24", "dev", "second"])?;
        let [one, two] = [lab.node(1), lab.node(2)];
        plug_in(&lab, one, "172.16.0.11/24")?;
        plug_in(&lab, two, "172.16.0.12/24")?;
        for (node, uplink) in [(one, first), (two, second)] {
            for dev in ["all", "eth0", "eth1"] {
                node.run(&["sysctl", "-qw", &format!("net.ipv4.conf.{dev}.rp_filter=1")])?;
            }
            let router = if uplink == "eth0" {
                "192.168.1.1"
            } else {
                "172.16.0.1"
            };
            ip(node, &format!("route replace default via {router}"))?;
        }
        lab.start_routed()?;
        let address = |last: u8| match link {
            "eth0" => format!("192.168.1.{last} dev eth0"),
            _ => format!("172.16.0.{last} dev eth1"),
        };
        wait_route(one, two, &address(12))?;
        wait_route(two, one, &address(11))?;
        let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
        a.run(&["ping", "-c1", "-W5", &b.addresses()[0].to_string()])?;
    }
    Ok(())
}
