//! No finding right after ADD, and one finding for each change.

mod later_plugins;

use serde_json::json;
use wire::cni::{Attachment, CniVersion, Dns, Success};
use wire::netlink::{Address, Link, Mac, Neighbour, NetlinkRequest, Route, RouteKind};

use super::{Expected, Observed, ObservedEnd, compare, pod_interface};
use crate::spoof_guard::GUARDED;
use crate::wiring::{Wiring, WiringInput};

const INSIDE: u32 = 2;
const OUTSIDE: u32 = 7;

/// A dual-stack pod with one additional route.
fn wiring() -> Wiring {
    let ipam = json!({
        "ips": [{ "address": "10.244.7.3/24" }, { "address": "fd00:10:244:7::3/80" }],
        "routes": [{ "dst": "10.96.0.0/12" }],
    });
    Wiring::new(&WiringInput {
        network: "flatland",
        attachment: &Attachment::new("c1", "eth0").unwrap(),
        ipam: &Success::parse(&ipam, CniVersion::LATEST).unwrap(),
        mtu: 1500,
        node_addresses: &["192.168.1.11".parse().unwrap()],
        ipv6: true,
        mac: None,
        settings: &[("net/ipv4/conf/IFNAME/arp_ignore".into(), "1".into())],
        existing_routes: &[],
    })
}

/// The state that the requests of ADD make.
fn state_after(requests: &[NetlinkRequest], link: Link) -> ObservedEnd {
    let mut side = ObservedEnd {
        link: Some(link),
        ..ObservedEnd::default()
    };
    for request in requests {
        match request {
            NetlinkRequest::AddAddress(address) => side.addresses.push(address.clone()),
            NetlinkRequest::AddRoute(route) if route.kind != RouteKind::Local => {
                side.routes.push(route.clone());
            }
            NetlinkRequest::AddNeighbour(neighbour) => side.neighbours.push(*neighbour),
            _ => {}
        }
    }
    side
}

fn after_add(wiring: &Wiring) -> Observed {
    let link = |index, other, name: &str, mac| Link {
        index,
        link: Some(other),
        name: name.to_owned(),
        mac: Some(mac),
        mtu: wiring.mtu,
        up: true,
        ..Link::default()
    };
    let inside = link(INSIDE, OUTSIDE, &wiring.pod_name, wiring.pod_mac);
    let outside = Link {
        alias: Some(wiring.alias.clone()),
        ..link(OUTSIDE, INSIDE, &wiring.host_name, wiring.host_mac)
    };
    Observed {
        pod: state_after(&wiring.pod_requests(INSIDE), inside),
        host: state_after(
            &[
                wiring.host_requests(OUTSIDE),
                wiring.neighbour_requests(OUTSIDE),
            ]
            .concat(),
            outside,
        ),
        spoof_guard: GUARDED,
        proxy_arp: true,
        forwards: true,
    }
}

/// The result as a runtime returns it that uses this version.
fn result(wiring: &Wiring, version: CniVersion) -> Success {
    let rendered = wiring
        .result("/run/netns/x", Dns::default())
        .render(version);
    Success::parse(&rendered, version).unwrap()
}

/// The findings after `change` of the state and the result of ADD.
fn found(version: CniVersion, change: impl FnOnce(&mut Observed, &mut Success)) -> Vec<String> {
    let wiring = wiring();
    let mut observed = after_add(&wiring);
    let mut result = result(&wiring, version);
    change(&mut observed, &mut result);
    compare(&Expected::new(wiring, &result), &observed)
}

fn inside(observed: &mut Observed) -> &mut Link {
    observed.pod.link.as_mut().unwrap()
}

fn outside(observed: &mut Observed) -> &mut Link {
    observed.host.link.as_mut().unwrap()
}

/// Replaces the mask of the address of this family.
fn remask(addresses: &mut [Address]) {
    addresses[0].address = "10.244.7.3/24".parse().unwrap();
}

fn drop_route(routes: &mut Vec<Route>, dst: &str) {
    routes.retain(|route| route.dst.to_string() != dst);
}

fn turn(routes: &mut [Route], dst: &str, via: &str) {
    for route in routes {
        if route.dst.to_string() == dst {
            route.via = Some(via.parse().unwrap());
            route.dev = Some(9);
        }
    }
}

fn drop_neighbour(neighbours: &mut Vec<Neighbour>, address: &str) {
    neighbours.retain(|neighbour| neighbour.address.to_string() != address);
}

#[test]
fn check_right_after_add_finds_nothing() {
    for version in CniVersion::ALL {
        assert_eq!(found(version, |_, _| {}), Vec::<String>::new(), "{version}");
    }
}

type Break = fn(&mut Observed, &mut Success);

/// Each change, and its finding.
const BREAKS: [(Break, &str); 25] = [
    (
        |o, _| o.pod = ObservedEnd::default(),
        "interface eth0 in the pod is gone",
    ),
    (
        |o, _| inside(o).up = false,
        "interface eth0 in the pod is down",
    ),
    (
        |o, _| inside(o).mtu = 9000,
        "eth0 in the pod has MTU 9000, more than 1500",
    ),
    (
        |o, _| inside(o).mac = Some(Mac([2; 6])),
        "eth0 in the pod has MAC 02:02",
    ),
    (
        |o, _| inside(o).link = Some(9),
        "eth0 in the pod is not the other end of flat",
    ),
    (
        |o, _| o.pod.addresses.clear(),
        "eth0 does not have address 10.244.7.3/32",
    ),
    (
        |o, _| remask(&mut o.pod.addresses),
        "eth0 does not have address 10.244.7.3/32",
    ),
    (
        |o, _| drop_route(&mut o.pod.routes, "0.0.0.0/0"),
        "the route to 0.0.0.0/0 through eth0 is missing",
    ),
    (
        |o, _| drop_route(&mut o.pod.routes, "10.96.0.0/12"),
        "the route to 10.96.0.0/12 through eth0 is missing",
    ),
    (
        |o, _| drop_route(&mut o.pod.routes, "169.254.1.1/32"),
        "the route to 169.254.1.1/32 through eth0 is missing",
    ),
    (
        |o, _| turn(&mut o.pod.routes, "::/0", "fe80::9"),
        "the route to ::/0 does not lead through eth0: it is ::/0 via fe80::9",
    ),
    (
        |o, _| o.pod.neighbours[0].mac = Mac([2; 6]),
        "eth0 sends what is for 169.254.1.1 to MAC 02:02:02:02:02:02, not",
    ),
    (
        |o, _| o.host = ObservedEnd::default(),
        "host interface flat",
    ),
    (|o, _| outside(o).up = false, "is down"),
    (
        |o, _| outside(o).alias = Some("flatland c2/eth0".into()),
        "belongs to \"flatland c2/eth0\"",
    ),
    (
        |o, _| drop_route(&mut o.host.routes, "fd00:10:244:7::3/128"),
        "the route to fd00:10:244:7::3/128 through flat",
    ),
    (
        |o, _| turn(&mut o.host.routes, "10.244.7.3/32", "192.168.1.1"),
        "the route to 10.244.7.3/32 does not lead through flat",
    ),
    (
        |o, _| drop_neighbour(&mut o.host.neighbours, "10.244.7.3"),
        "the neighbour 10.244.7.3 of flat",
    ),
    (
        |o, _| {
            o.host.neighbours[1].mac = Mac([2; 6]);
            o.host.neighbours[1].permanent = true;
        },
        "sends what is for fd00:10:244:7::3 to MAC 02:02:02:02:02:02, not",
    ),
    (
        |o, _| o.host.addresses.clear(),
        "does not have address fe80::1/128",
    ),
    (
        |o, _| o.spoof_guard.own = Some(0),
        "lets the pod send from any address",
    ),
    (|o, _| o.proxy_arp = false, "proxy_arp is not 1"),
    (|o, _| outside(o).mtu = 1400, "has MTU 1400, not 1500"),
    (|o, _| outside(o).mtu = 9000, "has MTU 9000, more than 1500"),
    (|o, _| o.forwards = false, "forwarding is not 1"),
];

#[test]
fn each_change_is_found_and_named() {
    for (change, expected) in BREAKS {
        let found = found(CniVersion::V1_1_0, change);
        assert!(
            found.iter().any(|finding| finding.contains(expected)),
            "{found:?} should say {expected:?}"
        );
    }
}

#[test]
fn mac_advertised_by_the_pod_is_no_finding() {
    let found = found(CniVersion::V1_1_0, |observed, _| {
        observed.host.neighbours[0].mac = Mac([2; 6]);
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn before_1_1_0_only_a_raised_mtu_is_a_finding() {
    for change in [
        |observed: &mut Observed, _: &mut Success| inside(observed).mtu = 1400,
        |observed: &mut Observed, _: &mut Success| outside(observed).mtu = 1400,
    ] {
        assert_eq!(found(CniVersion::V1_0_0, change), Vec::<String>::new());
    }
    let found = found(CniVersion::V1_0_0, |observed, _| {
        outside(observed).mtu = 9000;
    });
    assert!(
        found[0].contains("has MTU 9000, more than 1500"),
        "{found:?}"
    );
}

#[test]
fn pod_interface_is_found_by_name_or_behind_its_host_end() {
    let result = |names: [(&str, bool); 4]| {
        let interfaces = names.map(|(name, inside)| {
            json!({ "name": name, "sandbox": if inside { "/run/netns/x" } else { "" } })
        });
        Success::parse(&json!({ "interfaces": interfaces }), CniVersion::LATEST).unwrap()
    };
    for (names, expected) in [
        (
            [("a", false), ("b", true), ("host", false), ("eth0", true)],
            Some(3),
        ),
        (
            [
                ("eth0", false),
                ("eth0", true),
                ("host", false),
                ("b", true),
            ],
            Some(1),
        ),
        (
            [("a", false), ("b", true), ("host", false), ("net0", true)],
            Some(3),
        ),
        (
            [("a", true), ("host", false), ("b", false), ("c", true)],
            None,
        ),
        (
            [("a", false), ("b", true), ("c", false), ("host", false)],
            None,
        ),
    ] {
        let found = pod_interface(&result(names), "host", "eth0");
        assert_eq!(found, expected, "{names:?}");
    }
}

#[test]
fn second_interface_needs_no_route_to_the_gateway() {
    let found = found(CniVersion::V1_1_0, |observed, _| {
        drop_route(&mut observed.pod.routes, "169.254.1.1/32");
        for route in &mut observed.pod.routes {
            route.onlink = true;
        }
    });
    assert_eq!(found, Vec::<String>::new());
}
