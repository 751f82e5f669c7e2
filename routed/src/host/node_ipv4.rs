//! An IPv4 address for a node that has none.
//!
//! Where the underlay has IPv6 only, the node itself could neither reach IPv4 pods nor be reached
//! by them. It takes the address that no pod gets of its own subnet, the one after the network's,
//! as a single address on the loopback link: peers have a route to it as to the rest of the subnet.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use ipnetwork::{IpNetwork, Ipv4Network};
use wire::netlink::{Address, Error, Request};

use crate::kernel::{LOOPBACK, Link, Netlink};

/// Makes sure that the node has the address if it needs it, and only then. Returns what changed, in
/// words.
pub(crate) fn ensure(
    kernel: &mut Netlink,
    links: &[Link],
    owned: &[IpNet],
    pod_cidrs: &[IpNet],
) -> Result<Vec<String>, Error> {
    let requests = requests(links, owned, pod_cidrs);
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    kernel.with(|socket| socket.apply_all(&requests))?;
    Ok(requests.iter().map(ToString::to_string).collect())
}

fn requests(links: &[Link], owned: &[IpNet], pod_cidrs: &[IpNet]) -> Vec<Request> {
    let wanted = desired_address(links, owned).map(IpNetwork::V4);
    let on_loopback = links.iter().filter(|link| link.index == LOOPBACK);
    let there: Vec<IpNetwork> = on_loopback
        .flat_map(|link| link.addresses.iter().copied())
        .filter(|own| own.is_ipv4() && own.prefix() == 32)
        .filter(|own| pod_cidrs.iter().any(|cidr| cidr.contains(&own.ip())))
        .collect();
    let missing = wanted.filter(|wanted| !there.contains(wanted));
    let stale = there.iter().copied().filter(|own| Some(*own) != wanted);
    let add = missing.map(|own| Request::AddAddress(Address::new(LOOPBACK, own)));
    let remove = stale.map(|own| Request::DelAddress(Address::new(LOOPBACK, own)));
    add.into_iter().chain(remove).collect()
}

/// The address, if the node needs one and has a subnet to take it from.
fn desired_address(links: &[Link], owned: &[IpNet]) -> Option<Ipv4Network> {
    let mut others = links.iter().filter(|link| link.index != LOOPBACK);
    let has_ipv4 = |link: &Link| link.addresses.iter().any(|own| is_usable(own.ip()));
    if others.any(has_ipv4) {
        return None;
    }
    let mut subnets = owned.iter().filter_map(|subnet| match subnet {
        IpNet::V4(subnet) => Some(subnet),
        IpNet::V6(_) => None,
    });
    subnets.find_map(|subnet| node_address(*subnet))
}

fn is_usable(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if !v4.is_loopback() && !v4.is_link_local())
}

/// The address of a subnet that is the node's and no pod's.
fn node_address(subnet: Ipv4Net) -> Option<Ipv4Network> {
    subnet.hosts().next().map(Ipv4Network::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, addresses: &[&str]) -> Link {
        Link {
            index,
            name: format!("if{index}"),
            up: true,
            running: true,
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            lasting: Vec::new(),
        }
    }

    fn changes(loopback: &[&str], eth0: &[&str], owned: &[&str]) -> Vec<String> {
        let loopback = [&["127.0.0.1/8", "::1/128"], loopback].concat();
        let links = [link(1, &loopback), link(2, eth0)];
        let owned: Vec<IpNet> = owned.iter().map(|text| text.parse().unwrap()).collect();
        let cidr = "10.244.0.0/16".parse().unwrap();
        let requests = requests(&links, &owned, &[cidr]);
        requests.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_a_node_without_an_ipv4_address_takes_one_of_its_subnet() {
        let owned = &["fd00:10:244:0:7::/80", "10.244.7.0/24", "10.244.8.0/24"];
        let add = ["ip address add 10.244.7.1/32 dev if1"];
        let remove = ["ip address del 10.244.7.1/32 dev if1"];
        let none: [&str; 0] = [];
        assert_eq!(changes(&[], &["fd00:1::1/64"], owned), add);
        assert_eq!(
            changes(&[], &["169.254.3.4/16", "fd00:1::1/64"], owned),
            add
        );
        assert_eq!(changes(&["10.244.7.1/32"], &["fd00:1::1/64"], owned), none);
        assert_eq!(changes(&[], &["192.168.1.1/24"], owned), none);
        assert_eq!(
            changes(&["10.244.7.1/32"], &["192.168.1.1/24"], owned),
            remove
        );
        assert_eq!(
            changes(&["10.9.9.9/32"], &["fd00:1::1/64"], &owned[..1]),
            none
        );
    }

    #[test]
    fn the_address_goes_along_with_the_subnet() {
        let changes = changes(&["10.244.7.1/32"], &["fd00:1::1/64"], &["10.244.9.0/24"]);
        assert_eq!(
            changes,
            [
                "ip address add 10.244.9.1/32 dev if1",
                "ip address del 10.244.7.1/32 dev if1"
            ]
        );
    }
}
