//! The subnets that this node owns, read from `subnets.json`.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use registry::Network;
use registry::owned::{Owned, shortage};
use wire::cni::{Error, code};
use wire::conf::IpamConfig;
use wire::netlink::NetlinkSocket;
use wire::node::{NodeName, node_name};
use wire::overlap::Overlap;
use wire::paths::state_dir;

use crate::runtime::warn;

/// The subnets of this node in one network.
pub(crate) struct Subnets<'a> {
    pub(crate) config: &'a IpamConfig,
    pub(crate) node: NodeName,
    /// The folder of `subnets.json`.
    pub(crate) folder: PathBuf,
}

impl<'a> Subnets<'a> {
    pub(crate) fn new(config: &'a IpamConfig) -> Result<Self, Error> {
        Ok(Self {
            config,
            node: node_name(config.node_name.as_deref())?,
            folder: state_dir(&config.network),
        })
    }

    /// The node's subnets of each pod CIDR, in order; with Kubernetes, of each family of which it has
    /// any. Empty if the file is missing or belongs to another node name.
    pub(crate) fn owned(&self) -> Result<Vec<Vec<IpNet>>, Error> {
        let owned = Owned::load(&self.folder)?.filter(|owned| owned.node == self.node);
        let subnets = owned.map_or_else(Vec::new, |owned| owned.subnets);
        if self.config.kubernetes.is_some() {
            return Ok(by_family(subnets));
        }
        let network = Network::from(self.config);
        let of = |pod_cidr: &IpNet| {
            let is_of = |subnet: &IpNet| network.pod_cidr_of(subnet) == Some(*pod_cidr);
            subnets.iter().copied().filter(is_of).collect()
        };
        Ok(network.pod_cidrs.iter().map(of).collect())
    }

    /// Whether the node owns no subnet of some pod CIDR. A damaged file counts as missing: the
    /// registry has the claims.
    pub(crate) fn are_missing(&self) -> Result<bool, Error> {
        match Owned::load(&self.folder) {
            Ok(owned) => {
                Ok(!owned.is_some_and(|owned| owned.has_all_families(&self.node, self.config)))
            }
            Err(error @ registry::Error::CorruptFile { .. }) => {
                warn(&error.to_string());
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The pod CIDR that `subnet` belongs to.
    pub(crate) fn pod_cidr_of(&self, subnet: &IpNet) -> Option<IpNet> {
        Network::from(self.config).pod_cidr_of(subnet)
    }

    /// Why no subnet of `pod_cidr` could be claimed at the last attempt, if that was recent.
    pub(crate) fn shortage_of(&self, pod_cidr: &IpNet) -> Option<String> {
        shortage::read(&self.folder).remove(pod_cidr)
    }

    /// The error that `routed` did not yet store in this boot which subnets Kubernetes gave to the
    /// node, or that it saw that the node has none any more.
    pub(crate) fn unconfirmed(&self) -> Error {
        let node = &self.node;
        let owned = Owned::load(&self.folder).ok().flatten();
        if owned.is_some_and(|owned| owned.node == *node && owned.subnets.is_empty()) {
            let msg = format!("Kubernetes has taken the podCIDRs of node {node} from it");
            return Error::new(code::TRY_AGAIN, msg).advise(
                "its Node was deleted, or has other podCIDRs now, and these are not read yet or \
                 cannot be used: the routed of this node says which (kubectl --namespace flatland \
                 describe pods)",
            );
        }
        let msg = format!("the podCIDRs of node {node} have not been read since this boot");
        Error::new(code::TRY_AGAIN, msg).advise(
            "wait for the routed of this node; if it is not ready soon, it says why: kubectl \
             --namespace flatland describe pods",
        )
    }

    /// The error that a node gets no further subnets from Kubernetes.
    pub(crate) fn kubernetes_decides(&self) -> Error {
        let node = &self.node;
        let msg = format!("Kubernetes gives node {node} its podCIDRs and no others");
        Error::new(code::NO_FREE_ADDRESS, msg)
            .advise("let fewer pods run on the node (the kubelet's maxPods), or add nodes")
    }

    /// The error that a claim took longer than `within`.
    pub(crate) fn timed_out(&self, within: Duration) -> Error {
        let (node, seconds) = (&self.node, within.as_secs_f32());
        let msg = format!("node {node} could not claim a subnet within {seconds:.0} s");
        Error::new(code::TRY_AGAIN, msg).advise(match &self.config.etcd {
            Some(etcd) => format!("check that etcd answers at {}", etcd.endpoints.join(", ")),
            None => format!(
                "find the process that holds the lock in {} (lslocks)",
                self.folder.display()
            ),
        })
    }

    /// Refuses to claim if a pod CIDR overlaps a network of this node: packets to pods would go
    /// there.
    pub(crate) fn refuse_overlap(&self) -> Result<(), Error> {
        let kernel = |error| {
            let msg = format!("cannot list this node's addresses: {error}");
            Error::new(code::IO, msg)
        };
        let mut socket = NetlinkSocket::open().map_err(kernel)?;
        match Overlap::find_in_kernel(&mut socket, &self.config.pod_cidrs).map_err(kernel)? {
            None => Ok(()),
            Some(overlap) => Err(overlap.into()),
        }
    }
}

/// Subnets that Kubernetes gave, by family. A new one may be outside of the pod CIDRs in the conflist
/// until `routed` has installed that anew, and there may be none of a family.
fn by_family(subnets: Vec<IpNet>) -> Vec<Vec<IpNet>> {
    let mut pools: Vec<Vec<IpNet>> = Vec::new();
    for subnet in subnets {
        let is_same = |pool: &&mut Vec<IpNet>| pool[0].addr().is_ipv4() == subnet.addr().is_ipv4();
        match pools.iter_mut().find(is_same) {
            Some(pool) => pool.push(subnet),
            None => pools.push(vec![subnet]),
        }
    }
    pools
}

#[cfg(test)]
mod tests;
