use super::*;

fn network() -> Network {
    Network {
        pod_cidrs: vec![
            "10.244.0.0/16".parse().unwrap(),
            "fd00:10:244::/56".parse().unwrap(),
        ],
        subnet_lengths: vec![24, 80],
    }
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn given_addresses_come_first_and_the_uplink_fills_in_the_missing_family() {
    let uplink = ips(&["192.168.1.1", "192.168.1.7", "fd00:1::1"]);
    for (hints, expected) in [
        (&[][..], &["192.168.1.1", "192.168.1.7", "fd00:1::1"][..]),
        (&["192.168.1.7"], &["192.168.1.7", "fd00:1::1"]),
        (&["fd00:1::9"], &["fd00:1::9", "192.168.1.1", "192.168.1.7"]),
        (&["10.0.0.1", "fd00:1::9"], &["10.0.0.1", "fd00:1::9"]),
    ] {
        assert_eq!(
            choose(&ips(hints), &uplink, &network()),
            ips(expected),
            "{hints:?}"
        );
    }
}

#[test]
fn an_address_inside_a_pod_cidr_is_not_told_and_neither_is_an_unused_family() {
    let uplink = ips(&["10.244.3.1", "192.168.1.1", "fd00:1::1"]);
    assert_eq!(
        choose(&[], &uplink, &network()),
        ips(&["192.168.1.1", "fd00:1::1"])
    );
    let mut v6 = network();
    v6.pod_cidrs.remove(0);
    assert_eq!(choose(&[], &uplink, &v6), ips(&["fd00:1::1"]));
}

#[test]
fn ipv4_pods_are_reached_by_ipv6_too_unless_somebody_says_by_what() {
    let uplink = ips(&["192.168.1.1", "fd00:1::1"]);
    let mut v4 = network();
    v4.pod_cidrs.pop();
    for (hints, expected) in [
        (&[][..], &["192.168.1.1", "fd00:1::1"][..]),
        (&["192.168.1.7"], &["192.168.1.7"]),
        (&["fd00:1::7"], &["fd00:1::7", "192.168.1.1"]),
    ] {
        assert_eq!(
            choose(&ips(hints), &uplink, &v4),
            ips(expected),
            "{hints:?}"
        );
    }
}

#[test]
fn what_is_told_is_bounded_but_for_what_was_given() {
    let many: Vec<IpAddr> = (1..=30).map(|n| [192, 168, 1, n].into()).collect();
    assert_eq!(choose(&[], &many, &network()), many[..16]);
    assert_eq!(choose(&many, &[], &network()), many);
}

/// A link of an Ethernet, by index, kind and the bridge it is a port of.
fn kernel_link(index: u32, kind: Option<&str>, master: Option<u32>) -> wire::netlink::Link {
    wire::netlink::Link {
        index,
        mac: Some("02:00:00:00:00:01".parse().unwrap()),
        up: true,
        kind: kind.map(ToOwned::to_owned),
        master,
        ..wire::netlink::Link::default()
    }
}

#[test]
fn only_links_to_other_machines_give_next_hops() {
    let loopback = wire::netlink::Link {
        loopback: true,
        ..kernel_link(1, None, None)
    };
    let down = wire::netlink::Link {
        up: false,
        ..kernel_link(2, None, None)
    };
    let tunnel = wire::netlink::Link {
        mac: None,
        ..kernel_link(3, Some("wireguard"), None)
    };
    let links = [
        loopback,
        down,
        tunnel,
        kernel_link(4, None, None),
        kernel_link(5, Some("vlan"), None),
        kernel_link(6, Some("dummy"), None),
        kernel_link(7, Some("bridge"), None),
        kernel_link(8, Some("bridge"), None),
        kernel_link(9, Some("bridge"), None),
        kernel_link(10, None, Some(7)),
        kernel_link(11, Some("veth"), Some(8)),
    ];
    let outward = links
        .iter()
        .filter(|link| is_uplink_candidate(link, &links));
    let outward: Vec<_> = outward.map(|link| link.index).collect();
    assert_eq!(outward, [4, 5, 7]);
}

#[test]
fn only_addresses_that_stay_are_next_hops() {
    let own = |address: &str| Address::new(4, address.parse().unwrap());
    let addresses = [
        own("fd00:1::4/64"),
        own("fe80::4/64"),
        own("192.168.1.4/24"),
        Address {
            temporary: true,
            ..own("fd00:1::5/64")
        },
        Address {
            deprecated: true,
            ..own("fd00:1::6/64")
        },
        Address {
            tentative: true,
            ..own("fd00:1::7/64")
        },
        Address::new(5, "172.16.0.1/24".parse().unwrap()),
    ];
    let links = [kernel_link(4, None, None)];
    assert_eq!(
        next_hops(&links, &addresses),
        ips(&["192.168.1.4", "fd00:1::4"])
    );
}

#[test]
fn a_family_whose_addresses_vanished_is_bridged_and_one_that_moved_is_not() {
    let told = ips(&["192.168.1.1", "fd00:1::1"]);
    for (found, expected) in [
        (
            &["192.168.1.1", "fd00:1::1"][..],
            &["192.168.1.1", "fd00:1::1"][..],
        ),
        (&["192.168.1.1"], &["192.168.1.1", "fd00:1::1"]),
        (&["192.168.1.2"], &["192.168.1.2", "fd00:1::1"]),
        (&["fd00:1::2"], &["fd00:1::2", "192.168.1.1"]),
        (&[], &["192.168.1.1", "fd00:1::1"]),
    ] {
        assert_eq!(
            keep_missing_family(&told, &ips(found)),
            ips(expected),
            "{found:?}"
        );
    }
}

#[test]
fn an_overlap_with_a_network_of_any_link_is_found() {
    let link = |index, name: &str, address: &str| Link {
        index,
        name: name.to_owned(),
        up: true,
        running: true,
        addresses: vec![address.parse().unwrap()],
        lasting: Vec::new(),
    };
    let mut links = vec![
        link(1, "lo", "127.0.0.1/8"),
        link(2, "eth0", "192.168.1.1/24"),
    ];
    assert_eq!(overlap_with(&links, &network()), None);
    links.push(link(3, "cni0", "10.244.3.1/24"));
    let found = overlap_with(&links, &network()).unwrap().to_string();
    assert!(
        found.contains("cni0") && found.contains("10.244.0.0/16"),
        "{found}"
    );
}
