//! This node: by which addresses peers reach it, and what of its own networks is in the way of the
//! pods'.

use std::net::IpAddr;

use ipnet::IpNet;
use registry::Network;
use tracing::warn;
use wire::netlink::{Error, Uplink};

use crate::desired::{Link, overlap};
use crate::fib::Netlink;

/// The addresses to tell peers: those that were given (`hints`), and for a family of the network
/// that has none among them, the ones of the link that carries this node's traffic.
pub(crate) fn addresses(
    kernel: &mut Netlink,
    hints: &[IpAddr],
    network: &Network,
) -> Result<Vec<IpAddr>, Error> {
    match kernel.with(|socket| Uplink::find(socket, hints)) {
        Ok(uplink) => Ok(choose(hints, &uplink.addresses, network)),
        Err(Error::NoUplink { .. }) if !hints.is_empty() => Ok(choose(hints, &[], network)),
        Err(error) => Err(error),
    }
}

fn choose(hints: &[IpAddr], uplink: &[IpAddr], network: &Network) -> Vec<IpAddr> {
    let wanted = |v4: bool| {
        network
            .pod_cidrs
            .iter()
            .any(|cidr| cidr.addr().is_ipv4() == v4)
    };
    let hinted = |v4: bool| hints.iter().any(|hint| hint.is_ipv4() == v4);
    let in_network = |address: &IpAddr| network.pod_cidrs.iter().any(|cidr| cidr.contains(address));
    let more = uplink.iter().filter(|address| {
        let v4 = address.is_ipv4();
        wanted(v4) && !hinted(v4) && !in_network(address)
    });
    let mut chosen = Vec::new();
    for address in hints.iter().chain(more) {
        if !chosen.contains(address) {
            chosen.push(*address);
        }
    }
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

/// A network of this node that shares addresses with a pod CIDR: packets to pods would be taken
/// for packets to neighbours, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "pod CIDR {pod_cidr} overlaps {network}, a network this node is on (link {link}); choose a pod \
     CIDR that no node, router or service uses"
)]
pub(crate) struct Overlap {
    /// The pod CIDR.
    pub(crate) pod_cidr: IpNet,
    /// The address with its mask.
    pub(crate) network: ipnetwork::IpNetwork,
    /// The link that has it.
    pub(crate) link: String,
}

/// The first overlap there is.
pub(crate) fn overlap_with(links: &[Link], network: &Network) -> Option<Overlap> {
    let own = links
        .iter()
        .flat_map(|link| link.addresses.iter().map(move |own| (link, own)));
    own.flat_map(|(link, own)| network.pod_cidrs.iter().map(move |cidr| (link, own, cidr)))
        .find(|(_, own, cidr)| {
            let on_link = IpNet::new_assert(own.network(), own.prefix());
            overlap(&on_link, cidr)
        })
        .map(|(link, own, cidr)| Overlap {
            pod_cidr: *cidr,
            network: *own,
            link: link.name.clone(),
        })
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
        let mut v4 = network();
        v4.pod_cidrs.pop();
        assert_eq!(choose(&[], &uplink, &v4), ips(&["192.168.1.1"]));
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
    fn an_overlap_with_the_nodes_own_networks_is_found_in_both_directions() {
        for (address, expected) in [
            ("192.168.1.1/24", None),
            ("10.244.3.1/24", Some("10.244.0.0/16")),
            ("10.0.0.5/8", Some("10.244.0.0/16")),
            ("10.244.9.9/32", Some("10.244.0.0/16")),
            ("10.243.255.1/16", None),
            ("fd00:10:244:7::1/64", Some("fd00:10:244::/56")),
            ("fd00::1/8", Some("fd00:10:244::/56")),
            ("fe80::1/64", None),
            ("::1/128", None),
        ] {
            let link = Link {
                index: 2,
                name: "eth0".into(),
                up: true,
                addresses: vec![address.parse().unwrap()],
            };
            let found = overlap_with(&[link], &network());
            assert_eq!(
                found.as_ref().map(|f| f.pod_cidr.to_string()).as_deref(),
                expected
            );
            if let Some(found) = found {
                let text = found.to_string();
                assert!(text.contains(address) && text.contains("eth0"), "{text}");
            }
        }
    }
}
