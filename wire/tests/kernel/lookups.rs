//! What the kernel says it would do with a packet.

use std::net::IpAddr;

use nix::errno::Errno;
use wire::netlink::{Fate, Packet};
use wire::netns::Netns;

use crate::support::{ConnectedNetns, ip, joined, wait_until_local};

/// A node with the links `host0` (`192.168.1.10`, `fd00:1::10`) and `lo`, which forwards, and routes as
/// a node has: to a peer's subnets by `192.168.1.20` and `fd00:1::20`, and to nothing for its own.
fn node() -> ConnectedNetns {
    let mut joined = joined();
    for command in [
        "address add 192.168.1.10/24 dev host0",
        "address add fd00:1::10/64 dev host0 nodad",
        "route add 10.244.7.0/24 via 192.168.1.20",
        "route add fd00:10:244:7::/80 via fd00:1::20",
        "route add unreachable 10.244.8.0/24",
        "route add unreachable fd00:10:244:8::/80",
        "route add blackhole 10.244.9.0/24",
    ] {
        ip(&joined.host, command);
    }
    set(&joined.host, "net/ipv4/ip_forward", "1");
    set(&joined.host, "net/ipv6/conf/all/forwarding", "1");
    wait_until_local(&mut joined.host_socket, "fd00:1::10");
    joined
}

fn set(namespace: &Netns, setting: &str, value: &str) {
    let changed = namespace.run(|| wire::sysctl::ensure(setting, value));
    changed.unwrap().unwrap();
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The fate in one line: `via GATEWAY table N`, `local` or the error.
fn fate(node: &mut ConnectedNetns, packet: Packet) -> String {
    match node.host_socket.fate_of(packet).unwrap() {
        Fate::Forward { route, table } => match route.via {
            Some(via) => format!("via {via} table {table}"),
            None => format!("direct table {table}"),
        },
        Fate::Local => "local".to_owned(),
        Fate::Dropped { errno } => errno.to_string(),
    }
}

#[test]
fn packet_of_this_host_takes_the_route_of_the_main_table() {
    let mut node = node();
    for (dst, expected) in [
        ("10.244.7.3", "via 192.168.1.20 table 254"),
        ("fd00:10:244:7::3", "via fd00:1::20 table 254"),
        ("192.168.1.99", "direct table 254"),
        ("192.168.1.10", "local"),
        ("fd00:1::10", "local"),
        ("10.244.8.3", &Errno::EHOSTUNREACH.to_string()),
        ("fd00:10:244:8::3", &Errno::EHOSTUNREACH.to_string()),
        ("10.244.9.3", &Errno::EINVAL.to_string()),
        ("8.8.8.8", &Errno::ENETUNREACH.to_string()),
    ] {
        assert_eq!(fate(&mut node, Packet::to(addr(dst))), expected, "{dst}");
    }
}

#[test]
fn policy_rule_before_main_is_seen_by_its_table() {
    let mut node = node();
    ip(
        &node.host,
        "route add 10.244.0.0/16 via 192.168.1.254 table 52",
    );
    ip(&node.host, "rule add priority 5270 lookup 52");
    let dst = addr("10.244.7.3");
    assert_eq!(
        fate(&mut node, Packet::to(dst)),
        "via 192.168.1.254 table 52"
    );
    ip(&node.host, "rule del priority 5270");
    ip(&node.host, "rule add priority 5270 fwmark 0x10 lookup 52");
    assert_eq!(
        fate(&mut node, Packet::to(dst)),
        "via 192.168.1.20 table 254"
    );
    let marked = Packet {
        mark: 0x10,
        ..Packet::to(dst)
    };
    assert_eq!(fate(&mut node, marked), "via 192.168.1.254 table 52");
}

#[test]
fn packet_that_comes_in_is_forwarded_only_if_its_link_does() {
    let mut node = node();
    let iif = node.host_end.index;
    let packet = Packet::through(iif, addr("192.168.1.99"), addr("10.244.7.3"));
    assert_eq!(fate(&mut node, packet), "via 192.168.1.20 table 254");
    set(&node.host, "net/ipv4/conf/host0/forwarding", "0");
    assert_eq!(fate(&mut node, packet), Errno::EHOSTUNREACH.to_string());
}

#[test]
fn packet_from_the_wrong_link_is_refused_by_strict_rp_filter() {
    let mut node = node();
    let iif = node.host_end.index;
    set(&node.host, "net/ipv4/conf/host0/rp_filter", "1");
    let packet = Packet::through(iif, addr("172.16.0.1"), addr("10.244.7.3"));
    let refused = [Errno::EXDEV, Errno::EINVAL].map(|errno| errno.to_string());
    let fate = fate(&mut node, packet);
    assert!(refused.contains(&fate), "{fate}");
}

#[test]
fn policy_rules_print_as_ip_rule_shows_them() {
    let mut node = joined();
    for rule in [
        "priority 100 to 10.244.7.0/24 unreachable",
        "priority 101 from 10.244.8.3 blackhole",
        "priority 102 not fwmark 0xca6c lookup 51820",
        "priority 103 fwmark 0x4000/0x4000 prohibit",
        "priority 104 iif host0 goto 32766",
        "priority 105 lookup main suppress_prefixlength 0",
    ] {
        ip(&node.host, &format!("rule add {rule}"));
    }
    ip(
        &node.host,
        "-6 rule add priority 99 from fd00:1::/64 lookup 52",
    );
    let rules = node.host_socket.policy_rules().unwrap();
    let rules: Vec<_> = rules.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            "0: from all lookup local",
            "100: from all to 10.244.7.0/24 unreachable",
            "101: from 10.244.8.3 blackhole",
            "102: not from all fwmark 0xca6c lookup 51820",
            "103: from all fwmark 0x4000/0x4000 prohibit",
            "104: from all iif host0 goto 32766",
            "105: from all lookup main suppress_prefixlength 0",
            "32766: from all lookup main",
            "32767: from all lookup default",
            "0: from all lookup local",
            "99: from fd00:1::/64 lookup 52",
            "32766: from all lookup main",
        ]
    );
}

#[test]
fn ipv4_packet_to_an_ipv6_next_hop_is_read_with_its_next_hop() {
    let mut node = node();
    ip(&node.host, "route add 10.244.6.0/24 via inet6 fd00:1::20");
    let dst = addr("10.244.6.3");
    let expected = "via fd00:1::20 table 254";
    assert_eq!(fate(&mut node, Packet::to(dst)), expected);
    let packet = Packet::through(node.host_end.index, addr("192.168.1.99"), dst);
    assert_eq!(fate(&mut node, packet), expected);
}
