//! This node: by which addresses peers reach it, and what of its own networks is in the way of the
//! pods'.

use std::net::IpAddr;

use registry::Network;
use tracing::warn;
use wire::netlink::{Address, Error, Socket, Uplink};
use wire::overlap::Overlap;

use crate::desired::Link;
use crate::fib::Netlink;

/// As many addresses are told to peers.
const MOST_TOLD: usize = 16;

/// The addresses to tell peers: those that were given (`hints`), and for a family that has none
/// among them, all that can be a next hop, those of the link that carries this node's traffic
/// first.
pub(crate) fn addresses(
    kernel: &mut Netlink,
    hints: &[IpAddr],
    network: &Network,
) -> Result<Vec<IpAddr>, Error> {
    let uplink = match kernel.with(|socket| Uplink::find(socket, hints)) {
        Ok(uplink) => Some(uplink),
        Err(Error::NoUplink { .. }) => None,
        Err(error) => return Err(error),
    };
    let links = kernel.with(Socket::links)?;
    let addresses = kernel.with(|socket| socket.addresses(None))?;
    let beside = next_hops(&links, &addresses);
    let found = uplink.into_iter().flat_map(|uplink| uplink.addresses);
    let found: Vec<_> = found.chain(beside).collect();
    if hints.is_empty() && found.is_empty() {
        let why = "no link that leads to other machines has an address that stays".to_owned();
        return Err(Error::NoUplink { why });
    }
    Ok(choose(hints, &found, network))
}

/// The addresses that stay, of links that lead to other machines.
fn next_hops(links: &[wire::netlink::Link], addresses: &[Address]) -> Vec<IpAddr> {
    let outward = links.iter().filter(|link| leads_outward(link, links));
    let lasting = |index| move |own: &&Address| own.link == index && own.is_lasting();
    let of = |link: &wire::netlink::Link| addresses.iter().filter(lasting(link.index));
    let mut all: Vec<_> = outward.flat_map(of).map(|own| own.address.ip()).collect();
    all.sort_by_key(IpAddr::is_ipv6);
    all
}

/// Whether other machines may be on the link: not if it is made for traffic inside this one, as a
/// bridge of containers is, nor if it is a tunnel, which carries only what its own rules let in.
fn leads_outward(link: &wire::netlink::Link, all: &[wire::netlink::Link]) -> bool {
    let is_inner = |kind: &str| matches!(kind, "veth" | "tun");
    let has_cable = || {
        let mut ports = all.iter().filter(|port| port.master == Some(link.index));
        ports.any(|port| !port.kind.as_deref().is_some_and(is_inner))
    };
    let is_port = || {
        let master = all.iter().find(|it| Some(it.index) == link.master);
        master.is_some_and(|master| master.kind.as_deref() == Some("bridge"))
    };
    // Every link with a six byte address is an Ethernet, or is taken for one.
    let is_ethernet = link.mac.is_some() && !link.loopback;
    link.up
        && is_ethernet
        && match link.kind.as_deref() {
            Some("bridge") => has_cable(),
            Some("dummy" | "ifb" | "tun" | "vxlan" | "geneve" | "gretap" | "ip6gretap") => false,
            _ => !is_port(),
        }
}

fn choose(hints: &[IpAddr], found: &[IpAddr], network: &Network) -> Vec<IpAddr> {
    let cidrs = &network.pod_cidrs;
    let has_v4_pods = cidrs.iter().any(|cidr| cidr.addr().is_ipv4());
    let has_v6_pods = cidrs.iter().any(|cidr| cidr.addr().is_ipv6());
    let hinted = |v4: bool| hints.iter().any(|hint| hint.is_ipv4() == v4);
    // IPv4 pods are reached by IPv6 too, where nobody said by what else.
    let wants_v6 = has_v6_pods || !hinted(true);
    let in_network = |address: &IpAddr| cidrs.iter().any(|cidr| cidr.contains(address));
    let more = found.iter().filter(|address| {
        let v4 = address.is_ipv4();
        let is_wanted = if v4 { has_v4_pods } else { wants_v6 };
        is_wanted && !hinted(v4) && !in_network(address)
    });
    let mut chosen = Vec::new();
    for address in hints.iter().chain(more) {
        if !chosen.contains(address) {
            chosen.push(*address);
        }
    }
    chosen.truncate(MOST_TOLD.max(hints.len()));
    chosen
}

/// What to tell peers when `told` is what they know and `found` is what there is: a family that
/// has no address at all any more keeps the ones it had. A link that flaps loses its IPv6
/// addresses for a moment, and peers would give up their routes to this node for that.
pub(crate) fn bridge(told: &[IpAddr], found: &[IpAddr]) -> Vec<IpAddr> {
    let vanished = |address: &&IpAddr| !found.iter().any(|f| f.is_ipv4() == address.is_ipv4());
    found
        .iter()
        .chain(told.iter().filter(vanished))
        .copied()
        .collect()
}

/// Says which of the given addresses this node does not have.
pub(crate) fn warn_of_strangers(hints: &[IpAddr], links: &[Link]) {
    for hint in hints {
        let has = |link: &Link| link.addresses.iter().any(|own| own.ip() == *hint);
        if !links.iter().any(has) {
            warn!("node address {hint} is on no link of this node; peers are told it all the same");
        }
    }
}

/// The first of this node's networks that shares addresses with a pod CIDR.
pub(crate) fn overlap_with(links: &[Link], network: &Network) -> Option<Overlap> {
    let own = links
        .iter()
        .flat_map(|link| link.addresses.iter().map(|own| (link.name.as_str(), *own)));
    Overlap::find(own, &network.pod_cidrs)
}

#[cfg(test)]
mod tests {
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
        let outward = links.iter().filter(|link| leads_outward(link, &links));
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
            assert_eq!(bridge(&told, &ips(found)), ips(expected), "{found:?}");
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
}
