//! Which subnets this node owns, from what it remembers.

use std::path::PathBuf;

use ipnet::IpNet;
use registry::Network;
use registry::owned::{Owned, shortage};
use wire::cni::Error;
use wire::conf::IpamConfig;
use wire::node::{MachineId, NodeName, node_name};

use crate::plugin::{Plugin, tell};

/// The subnets of this node in one network.
pub(crate) struct Subnets<'a> {
    pub(crate) config: &'a IpamConfig,
    plugin: &'a Plugin,
    pub(crate) node: NodeName,
    /// Where the node keeps which subnets it owns.
    pub(crate) folder: PathBuf,
}

impl<'a> Subnets<'a> {
    pub(crate) fn new(plugin: &'a Plugin, config: &'a IpamConfig) -> Result<Self, Error> {
        let node = node_name(config.node_name.as_deref())?;
        let folder = plugin.state_dir(&config.network);
        Ok(Self {
            config,
            plugin,
            node,
            folder,
        })
    }

    /// For each pod CIDR the subnets that the node owns, in order; none if it has never claimed
    /// any, or has done so under another name.
    pub(crate) fn owned(&self) -> Result<Vec<Vec<IpNet>>, Error> {
        let owned = Owned::load(&self.folder)?.filter(|owned| owned.node == self.node);
        let subnets = owned.map_or_else(Vec::new, |owned| owned.subnets);
        let network = Network::from(self.config);
        let of = |pod_cidr: &IpNet| {
            let is_of = |subnet: &IpNet| network.pod_cidr_of(subnet) == Some(*pod_cidr);
            subnets.iter().copied().filter(is_of).collect()
        };
        Ok(network.pod_cidrs.iter().map(of).collect())
    }

    /// Whether the node has yet to claim a subnet of some pod CIDR. A file that cannot be read for
    /// what it holds is as good as none: the registry knows better.
    pub(crate) fn are_missing(&self) -> Result<bool, Error> {
        match Owned::load(&self.folder) {
            Ok(owned) => Ok(!owned.is_some_and(|owned| owned.is_enough(&self.node, self.config))),
            Err(error @ registry::Error::CorruptFile { .. }) => {
                tell(&error.to_string());
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The pod CIDR that `subnet` is cut from.
    pub(crate) fn pod_cidr_of(&self, subnet: &IpNet) -> Option<IpNet> {
        Network::from(self.config).pod_cidr_of(subnet)
    }

    /// Why no subnet of `pod_cidr` could be claimed when this node last tried, if that was not
    /// long ago.
    pub(crate) fn shortage_of(&self, pod_cidr: &IpNet) -> Option<String> {
        shortage::recall(&self.folder).remove(pod_cidr)
    }

    /// Which machine this is.
    pub(crate) fn machine_id(&self) -> Result<MachineId, Error> {
        self.plugin.machine_id()
    }
}
