use registry::{Network, NodeRecord};
use wire::node::NodeName;

use super::*;
use crate::kernel::NodeLink;
use crate::rib::connected::ConnectedRoutes;
use crate::rib::silent_hops::SilentHops;
use crate::rib::verdict::{NextHopFault, RefusalMessage};

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn network() -> Network {
    Network {
        pod_cidrs: vec![net("10.244.0.0/16"), net("fd00:10:244::/56")],
        subnet_lengths: vec![24, 80],
    }
}

fn link(index: u32, name: &str, up: bool, addresses: &[&str]) -> NodeLink {
    let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    NodeLink {
        index,
        name: name.to_owned(),
        up,
        running: up,
        addresses,
        lasting: Vec::new(),
    }
}

/// A node on 192.168.1.0/24, `fd00:1::/64` and, with a longer prefix inside it, 192.168.1.128/25.
fn links() -> Vec<NodeLink> {
    vec![
        link(1, "lo", true, &["127.0.0.1/8", "::1/128"]),
        link(
            2,
            "eth0",
            true,
            &["192.168.1.1/24", "fd00:1::1/64", "fe80::1/64"],
        ),
        link(3, "eth1", true, &["192.168.1.129/25"]),
        link(4, "eth2", false, &["172.16.0.1/30"]),
        link(5, "vip", true, &["10.9.9.9/32"]),
        link(6, "p2p", true, &["172.16.0.8/31"]),
    ]
}

/// The verdict on n2's claim of `subnet` when its record has these addresses.
fn verdict_on(subnet: &str, addresses: &[&str]) -> (ClaimVerdict, String) {
    let (network, links, me, n2) = (network(), links(), node("n1"), node("n2"));
    let owned = [net("10.244.12.0/24")];
    let local = &LocalNode {
        registered_machine: None,
        node: me.clone(),
        network: network.clone(),
        owned: owned.to_vec(),
        links: links.clone(),
        connected: ConnectedRoutes::of(&links),
        silent: SilentHops::default(),
        cross_subnet: None,
    };
    let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let mut view = Snapshot::default();
    view.nodes.insert(
        n2.clone(),
        NodeRecord {
            addresses,
            machine_id: String::new(),
            session: None,
        },
    );
    let verdict = judge(
        net(subnet),
        &Claim { node: n2.clone() },
        &view,
        &Advertisers::new(&view),
        local,
    );
    let words = match &verdict {
        ClaimVerdict::Refused(refusal) => RefusalMessage {
            subnets: &[net(subnet)],
            peer: &n2,
            refusal,
            local,
        }
        .to_string(),
        _ => String::new(),
    };
    (verdict, words)
}

fn via(gateway: &str, dev: u32) -> ClaimVerdict {
    ClaimVerdict::Route(RoutePath::Via {
        gateway: gateway.parse().unwrap(),
        dev,
    })
}

#[test]
fn peer_address_on_a_link_is_next_hop() {
    for (subnet, addresses, expected) in [
        ("10.244.7.0/24", &["192.168.1.2"][..], via("192.168.1.2", 2)),
        (
            "10.244.7.0/24",
            &["192.168.1.2", "192.168.1.3"],
            via("192.168.1.2", 2),
        ),
        (
            "10.244.7.0/24",
            &["192.168.9.2", "192.168.1.3"],
            via("192.168.1.3", 2),
        ),
        (
            "10.244.7.0/24",
            &["fd00:1::2", "192.168.1.3"],
            via("192.168.1.3", 2),
        ),
        // Both eth0 and eth1 contain it; the kernel uses the longer prefix.
        ("10.244.7.0/24", &["192.168.1.130"], via("192.168.1.130", 3)),
        // A bridge with the same address on every node leads to none of them.
        (
            "10.244.7.0/24",
            &["192.168.1.1", "192.168.1.3"],
            via("192.168.1.3", 2),
        ),
        ("10.244.7.0/24", &["172.16.0.9"], via("172.16.0.9", 6)),
        (
            "fd00:10:244:0:7::/80",
            &["192.168.1.2", "fd00:1::2"],
            via("fd00:1::2", 2),
        ),
        (
            "fd00:10:244:0:7::/80",
            &["fe80::2", "fd00:1::2"],
            via("fd00:1::2", 2),
        ),
    ] {
        assert_eq!(
            verdict_on(subnet, addresses).0,
            expected,
            "{subnet} {addresses:?}"
        );
    }
}

#[test]
fn address_unfit_as_next_hop_is_refused() {
    for (subnet, address, fault) in [
        ("10.244.7.0/24", "0.0.0.0", NextHopFault::Unspecified),
        ("10.244.7.0/24", "127.0.0.1", NextHopFault::Loopback),
        ("10.244.7.0/24", "224.0.0.9", NextHopFault::Multicast),
        ("10.244.7.0/24", "255.255.255.255", NextHopFault::Broadcast),
        ("10.244.7.0/24", "192.168.1.0", NextHopFault::Broadcast),
        ("10.244.7.0/24", "192.168.1.255", NextHopFault::Broadcast),
        ("10.244.7.0/24", "192.168.1.1", NextHopFault::OwnAddress),
        ("10.244.7.0/24", "10.9.9.9", NextHopFault::OwnAddress),
        (
            "10.244.7.0/24",
            "10.244.7.1",
            NextHopFault::InPodCidr(net("10.244.0.0/16")),
        ),
        ("10.244.7.0/24", "192.168.2.2", NextHopFault::NotConnected),
        (
            "10.244.7.0/24",
            "172.16.0.2",
            NextHopFault::LinkDown("eth2".to_owned()),
        ),
        ("fd00:10:244:0:7::/80", "::", NextHopFault::Unspecified),
        ("fd00:10:244:0:7::/80", "::1", NextHopFault::Loopback),
        ("fd00:10:244:0:7::/80", "ff02::1", NextHopFault::Multicast),
        ("fd00:10:244:0:7::/80", "fe80::2", NextHopFault::LinkLocal),
        (
            "fd00:10:244:0:7::/80",
            "fd00:1::1",
            NextHopFault::OwnAddress,
        ),
        (
            "fd00:10:244:0:7::/80",
            "fd00:10:244::1",
            NextHopFault::InPodCidr(net("fd00:10:244::/56")),
        ),
        (
            "fd00:10:244:0:7::/80",
            "fd00:2::2",
            NextHopFault::NotConnected,
        ),
    ] {
        let refusal = Refusal::NoNextHop(vec![(address.parse().unwrap(), fault)]);
        let (verdict, words) = verdict_on(subnet, &[address]);
        assert_eq!(
            verdict,
            ClaimVerdict::Refused(refusal),
            "{subnet} {address}"
        );
        for part in ["n2", subnet, address] {
            assert!(words.contains(part), "{part} is not in {words:?}");
        }
    }
}

#[test]
fn claim_outside_network_is_refused() {
    for (subnet, expected) in [
        ("10.245.7.0/24", Refusal::OutsidePodCidrs),
        ("0.0.0.0/0", Refusal::OutsidePodCidrs),
        ("::/0", Refusal::OutsidePodCidrs),
        ("10.244.0.0/16", Refusal::WrongLength(24)),
        ("10.244.7.0/25", Refusal::WrongLength(24)),
        ("10.244.7.1/32", Refusal::WrongLength(24)),
        ("fd00:10:244::/64", Refusal::WrongLength(80)),
        ("10.244.12.0/24", Refusal::OwnedHere(net("10.244.12.0/24"))),
    ] {
        let (verdict, words) = verdict_on(subnet, &["192.168.1.2", "fd00:1::2"]);
        assert_eq!(verdict, ClaimVerdict::Refused(expected), "{subnet}");
        assert!(words.contains("n2") && words.contains(subnet), "{words}");
    }
}

#[test]
fn claim_of_peer_without_address_is_pending() {
    let (verdict, _) = verdict_on("10.244.7.0/24", &[]);
    assert_eq!(verdict, ClaimVerdict::Refused(Refusal::NotAdvertised));
    assert!(Refusal::NotAdvertised.is_pending() && Refusal::NoRecord.is_pending());
    let (verdict, words) = verdict_on("fd00:10:244:0:7::/80", &["192.168.1.2"]);
    assert_eq!(verdict, ClaimVerdict::Refused(Refusal::NoAddress));
    assert!(words.contains("--node-address"), "{words}");
}

#[test]
fn claim_without_record_and_own_claim_get_no_route() {
    let (network, links, me) = (network(), links(), node("n1"));
    let local = &LocalNode {
        registered_machine: None,
        node: me.clone(),
        network: network.clone(),
        owned: Vec::new(),
        links: links.clone(),
        connected: ConnectedRoutes::of(&links),
        silent: SilentHops::default(),
        cross_subnet: None,
    };
    let judge = |name| {
        judge(
            net("10.244.7.0/24"),
            &Claim { node: node(name) },
            &Snapshot::default(),
            &Advertisers::default(),
            local,
        )
    };
    assert_eq!(judge("n3"), ClaimVerdict::Refused(Refusal::NoRecord));
    assert_eq!(judge("n1"), ClaimVerdict::Own);
}

#[test]
fn unreachable_peer_message_names_addresses_of_both_nodes() {
    let (_, words) = verdict_on("10.244.7.0/24", &["192.168.9.2", "fd00:9::2"]);
    assert_eq!(
        words,
        "unreachable peer: n2 gives 192.168.9.2 (on no connected link), fd00:9::2 (on no connected \
         link) for 10.244.7.0/24, and n1 is connected to fd00:1::/64 (eth0), 172.16.0.8/31 (p2p), \
         192.168.1.128/25 (eth1), 192.168.1.0/24 (eth0); if the routers between the two know the pods' subnets, set \"crossSubnet\": \
         \"gateway\" in the flatland section"
    );
}
