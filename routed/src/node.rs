//! This node: by which addresses peers reach it, and what of its own networks is in the way of the
//! pods'.

use std::net::IpAddr;

use registry::Network;
use tracing::warn;
use wire::netlink::{Error, Uplink};
use wire::overlap::Overlap;

use crate::desired::Link;
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
    fn an_overlap_with_a_network_of_any_link_is_found() {
        let link = |index, name: &str, address: &str| Link {
            index,
            name: name.to_owned(),
            up: true,
            addresses: vec![address.parse().unwrap()],
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
