//! Next-hop selection; `decide::tests` has the verdicts on claims.

mod pairs;

use registry::Network;
use wire::netlink::{Route, RouteKind};
use wire::node::NodeName;

use super::*;
use crate::rib::connected::ConnectedRoutes;
use crate::rib::cross_subnet::CrossSubnetRoutes;
use crate::rib::silent_hops::SilentHops;

const V4: &str = "10.244.7.0/24";
const V6: &str = "fd00:10:244:0:7::/80";

fn link(index: u32, running: bool, addresses: &[&str]) -> NodeLink {
    NodeLink {
        index,
        name: format!("eth{index}"),
        up: true,
        running,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        lasting: Vec::new(),
    }
}

/// The next hop to a peer with these addresses from a node with these links, by gateway and link,
/// or the faults of the addresses.
fn next_hop_of(
    links: &[NodeLink],
    cross_subnet: Option<&CrossSubnetRoutes>,
    subnet: &str,
    addresses: &[&str],
) -> Result<(String, u32), Vec<NextHopFault>> {
    let network = Network {
        pod_cidrs: vec![
            "10.244.0.0/16".parse().unwrap(),
            "fd00:10:244::/56".parse().unwrap(),
        ],
        subnet_lengths: vec![24, 80],
    };
    let local = &LocalNode {
        registered_machine: None,
        node: NodeName::new("n1").unwrap(),
        network: network.clone(),
        owned: Vec::new(),
        links: links.to_vec(),
        connected: ConnectedRoutes::of(links),
        silent: SilentHops::default(),
        cross_subnet: cross_subnet.cloned(),
    };
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let peer = PeerView {
        node: &NodeName::new("n2").unwrap(),
        addresses: &addresses,
        own: &[],
        advertisers: &Advertisers::default(),
    };
    match choose(subnet.parse().unwrap(), peer, local) {
        Ok(RoutePath::Via { gateway, dev }) => Ok((gateway.to_string(), dev)),
        Ok(other) => panic!("{other:?}"),
        Err(Refusal::NoNextHop(rejected)) => {
            Err(rejected.into_iter().map(|(_, fault)| fault).collect())
        }
        Err(_) => Err(Vec::new()),
    }
}

fn via(gateway: &str, dev: u32) -> Result<(String, u32), Vec<NextHopFault>> {
    let gateway: IpAddr = gateway.parse().map_err(|_| Vec::new())?;
    Ok((gateway.to_string(), dev))
}

#[test]
fn ipv4_subnet_falls_back_to_ipv6_next_hop_only() {
    let v6_only = [link(2, true, &["fd00:1::1/64"])];
    let both = [link(2, true, &["192.168.1.1/24", "fd00:1::1/64"])];
    for (links, subnet, addresses, expected) in [
        (&v6_only[..], V4, &["fd00:1::2"][..], via("fd00:1::2", 2)),
        (
            &v6_only,
            V4,
            &["192.168.1.2", "fd00:1::2"],
            via("fd00:1::2", 2),
        ),
        (
            &both,
            V4,
            &["fd00:1::2", "192.168.1.2"],
            via("192.168.1.2", 2),
        ),
        (&both, V4, &["172.16.0.2", "fd00:1::2"], via("fd00:1::2", 2)),
        (&both, V4, &["fe80::2", "fd00:1::2"], via("fd00:1::2", 2)),
        (
            &both,
            V6,
            &["192.168.1.2", "fd00:1::2"],
            via("fd00:1::2", 2),
        ),
        (&both, V6, &["192.168.1.2"], Err(vec![])),
        (
            &v6_only,
            V4,
            &["fe80::2"],
            Err(vec![NextHopFault::LinkLocal]),
        ),
    ] {
        assert_eq!(
            next_hop_of(links, None, subnet, addresses),
            expected,
            "{addresses:?}"
        );
    }
}

#[test]
fn link_with_carrier_is_preferred() {
    let dead = link(2, false, &["192.168.1.1/24"]);
    let other_network = link(3, true, &["172.16.0.1/24"]);
    let same_network = link(4, true, &["192.168.1.3/24"]);
    let peer = &["192.168.1.2", "172.16.0.2"];
    for (links, expected) in [
        (vec![dead.clone()], via("192.168.1.2", 2)),
        (
            vec![dead.clone(), other_network.clone()],
            via("172.16.0.2", 3),
        ),
        (vec![dead.clone(), same_network], via("192.168.1.2", 4)),
        (vec![other_network], via("172.16.0.2", 3)),
    ] {
        assert_eq!(next_hop_of(&links, None, V4, peer), expected, "{links:?}");
    }
}

#[test]
fn gateway_is_used_only_for_valid_address_on_no_link() {
    let mut default = Route::new("0.0.0.0/0".parse().unwrap(), RouteKind::Unicast);
    (default.via, default.dev, default.protocol) = ("192.168.1.254".parse().ok(), Some(2), 3);
    let cross_subnet = CrossSubnetRoutes::new(vec![default], &[]);
    let links = [link(2, true, &["192.168.1.1/24"])];
    let router = via("192.168.1.254", 2);
    for (addresses, expected) in [
        (&["172.16.0.2"][..], router.clone()),
        (&["172.16.0.2", "192.168.1.2"], via("192.168.1.2", 2)),
        (&["127.0.0.1", "172.16.0.2"], router),
        (&["fd00:2::2"], Err(vec![NextHopFault::NoGateway])),
        (&["127.0.0.1"], Err(vec![NextHopFault::Loopback])),
        (&["0.0.0.7"], Err(vec![NextHopFault::Reserved])),
        (&["240.0.0.1"], Err(vec![NextHopFault::Reserved])),
        (&["::ffff:172.16.0.2"], Err(vec![NextHopFault::Reserved])),
        (&["169.254.7.7"], Err(vec![NextHopFault::NoGateway])),
        (&["224.0.0.9"], Err(vec![NextHopFault::Multicast])),
        (&["192.168.1.1"], Err(vec![NextHopFault::OwnAddress])),
        (&["192.168.1.255"], Err(vec![NextHopFault::Broadcast])),
    ] {
        assert_eq!(
            next_hop_of(&links, Some(&cross_subnet), V4, addresses),
            expected,
            "{addresses:?}"
        );
    }
}

#[test]
fn peer_addresses_above_maximum_are_not_tried() {
    let links = [link(2, true, &["192.168.1.1/24"])];
    let mut addresses: Vec<String> = (0..MAX_ADDRESSES)
        .map(|n| format!("172.16.0.{n}"))
        .collect();
    addresses.push("192.168.1.2".to_owned());
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let faults = next_hop_of(&links, None, V4, &addresses).unwrap_err();
    assert_eq!(faults.len(), MAX_ADDRESSES);
}

#[test]
fn next_hop_follows_routes_instead_of_masks() {
    let links = [
        link(2, true, &["fd00:1::1/128", "192.168.1.1/24"]),
        link(3, true, &["10.9.9.1/32"]),
    ];
    let network = Network {
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        subnet_lengths: vec![24],
    };
    let connected = |dst: &str, dev| Route {
        dev: Some(dev),
        protocol: 4,
        ..Route::new(dst.parse().unwrap(), RouteKind::Unicast)
    };
    let routes = [
        connected("fd00:1::/64", 2),
        connected("192.168.5.0/24", 3),
        connected("192.168.6.7/32", 3),
    ];
    for (subnet, address, expected) in [
        (V6, "fd00:1::2", Ok(2)),
        (V4, "192.168.5.7", Ok(3)),
        (V4, "192.168.6.7", Ok(3)),
        (V4, "192.168.5.255", Err(NextHopFault::Broadcast)),
        (V4, "192.168.6.8", Err(NextHopFault::NotConnected)),
        (
            V4,
            "192.168.1.2",
            Err(NextHopFault::NoPrefixRoute {
                link: "eth2".into(),
                prefix: "192.168.1.1/24".parse().unwrap(),
            }),
        ),
    ] {
        let local = &LocalNode {
            registered_machine: None,
            node: NodeName::new("n1").unwrap(),
            network: network.clone(),
            owned: Vec::new(),
            links: links.to_vec(),
            connected: ConnectedRoutes::new(&routes),
            silent: SilentHops::default(),
            cross_subnet: None,
        };
        let address: IpAddr = address.parse().unwrap();
        let peer = PeerView {
            node: &NodeName::new("n2").unwrap(),
            addresses: &[address],
            own: &[],
            advertisers: &Advertisers::default(),
        };
        let chosen = choose(subnet.parse().unwrap(), peer, local);
        let expected = match expected {
            Ok(dev) => Ok(RoutePath::Via {
                gateway: address,
                dev,
            }),
            Err(fault) => Err(Refusal::NoNextHop(vec![(address, fault)])),
        };
        assert_eq!(chosen, expected, "{address}");
    }
}
