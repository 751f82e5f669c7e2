//! Overlaps between the node's own networks and the pod CIDRs.

use ipnet::IpNet;
use ipnetwork::IpNetwork;

use crate::cni::{self, code};
use crate::netlink::{Address, Error, NetlinkSocket};

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
    pub fn find_in_kernel(
        socket: &mut NetlinkSocket,
        pod_cidrs: &[IpNet],
    ) -> Result<Option<Self>, Error> {
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
mod tests;
