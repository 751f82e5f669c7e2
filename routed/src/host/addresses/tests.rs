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
fn configured_addresses_come_first_and_uplink_adds_a_family() {
    let uplink = ips(&["192.168.1.1", "192.168.1.7", "fd00:1::1"]);
    for (configured, expected) in [
        (&[][..], &["192.168.1.1", "192.168.1.7", "fd00:1::1"][..]),
        (&["192.168.1.7"], &["192.168.1.7", "fd00:1::1"]),
        (&["fd00:1::9"], &["fd00:1::9", "192.168.1.1", "192.168.1.7"]),
        (&["10.0.0.1", "fd00:1::9"], &["10.0.0.1", "fd00:1::9"]),
    ] {
        assert_eq!(
            choose(&ips(configured), &uplink, &network()),
            ips(expected),
            "{configured:?}"
        );
    }
}

#[test]
fn pod_cidr_address_and_unused_family_are_not_advertised() {
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
fn ipv6_is_added_for_ipv4_pods_unless_ipv4_is_configured() {
    let uplink = ips(&["192.168.1.1", "fd00:1::1"]);
    let mut v4 = network();
    v4.pod_cidrs.pop();
    for (configured, expected) in [
        (&[][..], &["192.168.1.1", "fd00:1::1"][..]),
        (&["192.168.1.7"], &["192.168.1.7"]),
        (&["fd00:1::7"], &["fd00:1::7", "192.168.1.1"]),
    ] {
        assert_eq!(
            choose(&ips(configured), &uplink, &v4),
            ips(expected),
            "{configured:?}"
        );
    }
}

#[test]
fn discovered_addresses_are_limited_and_configured_are_not() {
    let many: Vec<IpAddr> = (1..=30).map(|n| [192, 168, 1, n].into()).collect();
    assert_eq!(choose(&[], &many, &network()), many[..16]);
    assert_eq!(choose(&many, &[], &network()), many);
}

/// An Ethernet link, by index, kind and the bridge whose port it is.
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
fn only_links_to_other_machines_are_uplinks() {
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
    let uplinks = links
        .iter()
        .filter(|link| is_uplink_candidate(link, &links));
    let uplinks: Vec<_> = uplinks.map(|link| link.index).collect();
    assert_eq!(uplinks, [4, 5, 7]);
}

#[test]
fn only_permanent_addresses_are_next_hops() {
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
fn missing_family_is_kept_and_changed_family_is_replaced() {
    let advertised = ips(&["192.168.1.1", "fd00:1::1"]);
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
            keep_missing_family(&advertised, &ips(found)),
            ips(expected),
            "{found:?}"
        );
    }
}

#[test]
fn overlap_with_a_network_of_any_link_is_found() {
    let link = |index, name: &str, address: &str| NodeLink {
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
