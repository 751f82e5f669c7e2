//! This node's side of every judgement.

use ipnet::IpNet;
use registry::Network;
use wire::conf::CrossSubnet;
use wire::node::NodeName;

use crate::desired::{Here, Link};
use crate::detours::Detours;

/// What this node is and has.
#[derive(Debug)]
pub(crate) struct Side {
    /// Its name.
    pub(crate) node: NodeName,
    /// The network.
    pub(crate) network: Network,
    /// The subnets it owns.
    pub(crate) owned: Vec<IpNet>,
    /// Its links that have addresses.
    pub(crate) links: Vec<Link>,
    /// Its own ways beyond them, if it may take them.
    pub(crate) detours: Option<Detours>,
}

impl Side {
    /// A node of which only the configuration is known.
    pub(crate) fn new(node: NodeName, network: Network, cross_subnet: CrossSubnet) -> Self {
        Self {
            node,
            network,
            owned: Vec::new(),
            links: Vec::new(),
            detours: (cross_subnet == CrossSubnet::Gateway).then(Detours::default),
        }
    }

    /// What a judgement needs of it.
    pub(crate) fn here(&self) -> Here<'_> {
        Here {
            node: &self.node,
            network: &self.network,
            owned: &self.owned,
            links: &self.links,
            detours: self.detours.as_ref(),
        }
    }
}
