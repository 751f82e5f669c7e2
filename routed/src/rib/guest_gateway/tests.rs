use registry::Network;
use wire::node::NodeName;

use super::*;
use crate::rib::connected::ConnectedRoutes;
use crate::rib::silent_hops::SilentHops;

fn link(index: u32, up: bool) -> NodeLink {
    NodeLink {
        index,
        name: format!("if{index}"),
        up,
        running: up,
        addresses: Vec::new(),
        lasting: Vec::new(),
    }
}

#[test]
fn gateway_route_uses_first_uplink_if_node_has_ipv4_pods() {
    let node = NodeName::new("n1").unwrap();
    let network = Network {
        pod_cidrs: Vec::new(),
        subnet_lengths: Vec::new(),
    };
    let (v4, v6) = ("10.244.1.0/24", "fd00:10:244:1::/80");
    for (case, owned, links, expected) in [
        ("one", &[v6, v4][..], &[(1, true), (2, true)][..], Some(2)),
        ("down", &[v4], &[(1, true), (2, false), (3, true)], Some(3)),
        ("no uplink", &[v4], &[(1, true), (2, false)], None),
        ("no subnet", &[], &[(1, true), (2, true)], None),
        ("no IPv4", &[v6], &[(1, true), (2, true)], None),
    ] {
        let owned: Vec<IpNet> = owned.iter().map(|text| text.parse().unwrap()).collect();
        let links: Vec<_> = links.iter().map(|(index, up)| link(*index, *up)).collect();
        let local = &LocalNode {
            registered_machine: None,
            node: node.clone(),
            network: network.clone(),
            owned: owned.clone(),
            links: links.clone(),
            connected: ConnectedRoutes::of(&links),
            silent: SilentHops::default(),
            cross_subnet: None,
        };
        let expected = expected.map(|dev| RoutePath::Link { dev });
        assert_eq!(path(local), expected, "{case}");
    }
}
