//! Overlaps between the node's own networks and the pod CIDRs.

use ipnet::IpNet;
use ipnetwork::IpNetwork;

use crate::cni::{self, code};
use crate::netlink::{Address, Error, Socket};

/// The loopback link of every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// A network of this node that shares addresses with a pod CIDR: packets to pods would go to
/// neighbours, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pod CIDR {pod_cidr} overlaps {network}, a network this node is on (link {link})")]
pub struct Overlap {
    /// The pod CIDR.
    pub pod_cidr: IpNet,
    /// This node's address in that network, with its mask.
    pub network: IpNetwork,
    /// The link with that address.
    pub link: String,
}

/// The advice in the error.
const ADVICE: &str = "choose a pod CIDR that no node, router or service uses";

impl Overlap {
    /// The first overlap between `own`, this node's addresses with their masks and links, and
    /// `pod_cidrs`.
    pub fn find<'a>(
        own: impl IntoIterator<Item = (&'a str, IpNetwork)>,
        pod_cidrs: &[IpNet],
    ) -> Option<Self> {
        let own = own
            .into_iter()
            .filter(|(link, own)| *link != "lo" || !is_node_address(*own));
        own.into_iter().find_map(|(link, network)| {
            let pod_cidr = first_overlap(network, pod_cidrs)?;
            Some(Self {
                pod_cidr,
                network,
                link: link.to_owned(),
            })
        })
    }

    /// The first overlap with the addresses that the kernel lists.
    pub fn find_in_kernel(socket: &mut Socket, pod_cidrs: &[IpNet]) -> Result<Option<Self>, Error> {
        let addresses = socket.addresses(None)?;
        let is_network = |own: &&Address| own.link != LOOPBACK || !is_node_address(own.address);
        let found = addresses.iter().filter(is_network).find_map(|own| {
            let pod_cidr = first_overlap(own.address, pod_cidrs)?;
            Some((pod_cidr, own))
        });
        let Some((pod_cidr, own)) = found else {
            return Ok(None);
        };
        let link = socket.link_by_index(own.link)?;
        Ok(Some(Self {
            pod_cidr,
            network: own.address,
            link: link.map_or_else(|| format!("if{}", own.link), |link| link.name),
        }))
    }
}

/// Whether an address on the loopback link may be the one that `routed` adds on a node without an
/// IPv4 address: the address of its subnet that no pod gets.
fn is_node_address(own: IpNetwork) -> bool {
    own.is_ipv4() && own.prefix() == 32
}

fn first_overlap(own: IpNetwork, pod_cidrs: &[IpNet]) -> Option<IpNet> {
    let own = IpNet::new_assert(own.network(), own.prefix());
    let overlaps = |cidr: &&IpNet| cidr.contains(&own) || own.contains(*cidr);
    pod_cidrs.iter().find(overlaps).copied()
}

impl From<Overlap> for cni::Error {
    fn from(overlap: Overlap) -> Self {
        Self::new(code::INVALID_CONFIG, overlap.to_string()).advise(ADVICE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_found_in_both_directions() {
        let pod_cidrs = ["10.244.0.0/16", "fd00:10:244::/56"].map(|cidr| cidr.parse().unwrap());
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
            let found = Overlap::find([("eth0", address.parse().unwrap())], &pod_cidrs);
            let pod_cidr = found.as_ref().map(|found| found.pod_cidr.to_string());
            assert_eq!(pod_cidr.as_deref(), expected, "{address}");
            let Some(found) = found else { continue };
            let error = cni::Error::from(found);
            assert_eq!(error.code, code::INVALID_CONFIG);
            assert!(
                error.msg.contains(address) && error.msg.contains("eth0"),
                "{error}"
            );
        }
    }

    #[test]
    fn host_address_on_loopback_is_no_overlap() {
        let pod_cidrs = ["10.244.0.0/16".parse().unwrap()];
        for (link, address, overlaps) in [
            ("lo", "10.244.9.1/32", false),
            ("lo", "10.244.9.1/24", true),
            ("dummy0", "10.244.9.1/32", true),
        ] {
            let found = Overlap::find([(link, address.parse().unwrap())], &pod_cidrs);
            assert_eq!(found.is_some(), overlaps, "{link} {address}");
        }
    }

    #[test]
    fn overlap_in_kernel_names_the_link() {
        let mut socket = Socket::open().unwrap();
        assert_eq!(
            Overlap::find_in_kernel(&mut socket, &["198.51.100.0/24".parse().unwrap()]).unwrap(),
            None
        );
        let found =
            Overlap::find_in_kernel(&mut socket, &["127.0.0.0/8".parse().unwrap()]).unwrap();
        assert_eq!(found.unwrap().link, "lo");
    }
}
