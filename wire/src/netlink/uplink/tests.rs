//! The choice of the uplink.

use super::*;
use crate::netlink::{Route, RouteKind};

fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.to_owned(),
        up: true,
        running: true,
        mtu: 1500,
        ..Link::default()
    }
}

fn links() -> Vec<Link> {
    vec![
        Link {
            loopback: true,
            ..link(1, "lo")
        },
        link(2, "eth0"),
        link(3, "eth1"),
        Link {
            up: false,
            ..link(4, "eth2")
        },
        link(5, "flat0123456789a"),
    ]
}

fn address(link: u32, address: &str) -> Address {
    Address::new(link, address.parse().unwrap())
}

fn default_route(dst: &str, dev: u32, metric: Option<u32>, kind: RouteKind) -> Route {
    let hop = NextHop {
        via: None,
        dev,
        onlink: false,
        alive: true,
    };
    Route {
        dev: Some(dev),
        hops: vec![hop],
        metric,
        ..Route::new(dst.parse().unwrap(), kind)
    }
}

fn chosen(addresses: &[Address], routes: &[Route]) -> Result<String, String> {
    choose(&links(), addresses, routes).map(|link| link.name.clone())
}

#[test]
fn uplink_is_the_link_of_the_best_default_route() {
    const V4: &str = "0.0.0.0/0";
    const V6: &str = "::/0";
    use RouteKind::{Multipath, Other, Unicast, Unreachable};
    let eth0 = default_route(V4, 2, Some(100), Unicast);
    for (routes, expected) in [
        (vec![eth0.clone()], "eth0"),
        (
            vec![eth0.clone(), default_route(V4, 3, Some(50), Unicast)],
            "eth1",
        ),
        (
            vec![eth0.clone(), default_route(V4, 3, None, Unicast)],
            "eth1",
        ),
        (
            vec![default_route(V6, 3, None, Unicast), eth0.clone()],
            "eth0",
        ),
        (vec![default_route(V6, 3, None, Unicast)], "eth1"),
        (
            vec![default_route(V4, 3, None, Multipath), eth0.clone()],
            "eth1",
        ),
        (
            vec![default_route(V4, 3, None, Unreachable), eth0.clone()],
            "eth0",
        ),
        (
            vec![default_route(V4, 3, None, Other), eth0.clone()],
            "eth0",
        ),
        (
            vec![default_route(V4, 4, None, Unicast), eth0.clone()],
            "eth0",
        ),
        (
            vec![default_route(V4, 1, None, Unicast), eth0.clone()],
            "eth0",
        ),
        (
            vec![default_route("10.0.0.0/8", 3, None, Unicast), eth0],
            "eth0",
        ),
    ] {
        assert_eq!(chosen(&[], &routes).as_deref(), Ok(expected), "{routes:?}");
    }
}

#[test]
fn uplink_without_default_route_is_the_only_link_with_address() {
    let addresses = [
        address(1, "10.9.0.1/32"),
        address(2, "fe80::2/64"),
        address(3, "192.168.1.10/24"),
        address(4, "192.168.2.10/24"),
        Address {
            temporary: true,
            ..address(2, "fd00::2/64")
        },
        Address {
            deprecated: true,
            ..address(2, "fd00::3/64")
        },
        Address {
            tentative: true,
            ..address(2, "fd00::4/64")
        },
    ];

    assert_eq!(chosen(&addresses, &[]).as_deref(), Ok("eth1"));
}

#[test]
fn ambiguous_uplink_error_names_the_candidates() {
    let addresses = [address(2, "192.168.1.10/24"), address(3, "192.168.2.10/24")];

    let two = chosen(&addresses, &[]).unwrap_err();
    let none = chosen(&[], &[]).unwrap_err();

    assert_eq!(
        two,
        "there is no default route, and it could be any of eth0, eth1"
    );
    assert_eq!(
        none,
        "there is no default route and no link that is up with an address"
    );
}

#[test]
fn first_configured_address_on_an_outer_link_selects_the_uplink() {
    let addresses = [
        address(1, "10.9.0.1/32"),
        address(2, "192.168.1.10/24"),
        address(3, "fd00::3/64"),
    ];
    let wanted =
        ["10.0.0.1", "10.9.0.1", "fd00::3", "192.168.1.10"].map(|text| text.parse().unwrap());
    let links = links();
    let found = |wanted| with_address(wanted, &addresses, &links).map(|link| link.index);

    assert_eq!(found(&wanted), Some(3));
    assert_eq!(found(&wanted[..2]), None);
    assert_eq!(found(&[]), None);
}

fn through(dst: &str, hops: &[(Option<&str>, u32)]) -> Route {
    let mut route = Route::new(dst.parse().unwrap(), RouteKind::Multipath);
    route.hops = hops
        .iter()
        .map(|(via, dev)| NextHop {
            via: via.map(|via| via.parse().unwrap()),
            dev: *dev,
            onlink: false,
            alive: true,
        })
        .collect();
    route
}

#[test]
fn uplink_without_default_route_leads_to_the_peers() {
    let bgp = |dst: &str, hops: &[(Option<&str>, u32)]| Route {
        protocol: 186,
        ..through(dst, hops)
    };
    let (up, fe80) = (Some("192.168.1.1"), Some("fe80::1"));
    for (routes, expected) in [
        (vec![through("10.1.20.0/24", &[(up, 3)])], "eth1"),
        (
            vec![
                bgp("10.0.0.2/32", &[(fe80, 2)]),
                through("10.1.20.0/24", &[(up, 3)]),
            ],
            "eth1",
        ),
        (vec![bgp("10.0.0.2/32", &[(fe80, 3)])], "eth1"),
        (vec![bgp("10.0.0.2/32", &[(fe80, 6), (fe80, 3)])], "narrow"),
        // Pods and connected prefixes are not peers.
        (
            vec![
                bgp("192.168.2.0/24", &[(None, 2)]),
                bgp("10.0.0.2/32", &[(up, 3)]),
            ],
            "eth1",
        ),
    ] {
        let mut links = links();
        links.push(Link {
            mtu: 1400,
            ..link(6, "narrow")
        });
        let chosen = choose(&links, &[], &routes).map(|link| link.name.as_str());
        assert_eq!(chosen, Ok(expected), "{routes:?}");
    }
}

#[test]
fn multipath_default_route_gives_the_smallest_mtu_with_carrier() {
    let narrow = |index, running| Link {
        mtu: 1400,
        running,
        ..link(index, "narrow")
    };
    let wide = |index, running| Link {
        running,
        ..link(index, "wide")
    };
    for (links, expected) in [
        ([wide(2, true), narrow(3, true)], "narrow"),
        ([wide(2, true), narrow(3, false)], "wide"),
        ([wide(2, false), narrow(3, false)], "narrow"),
    ] {
        let default = through(
            "0.0.0.0/0",
            &[(Some("192.168.1.1"), 2), (Some("192.168.2.1"), 3)],
        );
        let chosen = choose(&links, &[], &[default]).map(|link| link.name.as_str());
        assert_eq!(chosen, Ok(expected), "{links:?}");
    }
}

#[test]
fn ipv6_default_route_with_the_smallest_metric_is_preferred() {
    // None is 1024.
    let first = default_route("::/0", 2, None, RouteKind::Unicast);
    let second = default_route("::/0", 3, Some(512), RouteKind::Unicast);

    assert_eq!(chosen(&[], &[first, second]).as_deref(), Ok("eth1"));
}

#[test]
fn link_without_way_out_is_no_uplink() {
    for (kind, has_ports, expected) in [
        (None, true, true),
        (Some("veth"), false, true),
        (Some("bridge"), true, true),
        (Some("bridge"), false, false),
        (Some("dummy"), true, false),
        (Some("vrf"), true, false),
    ] {
        let link = Link {
            kind: kind.map(str::to_owned),
            ..link(2, "eth0")
        };
        assert_eq!(leads_outside(&link, has_ports), expected, "{link:?}");
    }
}

#[test]
fn uplink_lists_only_lasting_global_addresses() {
    let addresses = [
        address(2, "fd00::2/64"),
        address(2, "fe80::2/64"),
        address(3, "192.168.3.10/24"),
        Address {
            temporary: true,
            ..address(2, "fd00::7/64")
        },
        Address {
            permanent: false,
            ..address(2, "192.168.1.11/24")
        },
        address(2, "192.168.1.10/24"),
    ];

    let uplink = Uplink::new(&link(2, "eth0"), &addresses, &[]);

    let expected = ["192.168.1.11", "192.168.1.10", "fd00::2"];
    assert_eq!(
        uplink.addresses,
        expected.map(|text| text.parse::<IpAddr>().unwrap())
    );
}
