//! This node's side of every judgement.

use ipnet::IpNet;
use registry::Network;
use wire::conf::CrossSubnet;
use wire::node::NodeName;

use crate::kernel::Link;
use crate::rib::cross_subnet::CrossSubnetRoutes;

/// What this node is and has.
#[derive(Debug)]
pub(crate) struct LocalNode {
    /// Its name.
    pub(crate) node: NodeName,
    /// The network.
    pub(crate) network: Network,
    /// The subnets it owns.
    pub(crate) owned: Vec<IpNet>,
    /// Its links that have addresses.
    pub(crate) links: Vec<Link>,
    /// Its own ways beyond them, if it may take them.
    pub(crate) cross_subnet: Option<CrossSubnetRoutes>,
}

impl LocalNode {
    /// A node of which only the configuration is known.
    pub(crate) fn new(node: NodeName, network: Network, cross_subnet: CrossSubnet) -> Self {
        Self {
            node,
            network,
            owned: Vec::new(),
            links: Vec::new(),
            cross_subnet: (cross_subnet == CrossSubnet::Gateway).then(CrossSubnetRoutes::default),
        }
    }

    /// What a judgement needs of it.
    pub(crate) fn view(&self) -> LocalView<'_> {
        LocalView {
            node: &self.node,
            network: &self.network,
            owned: &self.owned,
            links: &self.links,
            cross_subnet: self.cross_subnet.as_ref(),
        }
    }
}

/// This node's side of the judgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalView<'a> {
    /// This node.
    pub(crate) node: &'a NodeName,
    /// The network.
    pub(crate) network: &'a Network,
    /// The subnets this node owns.
    pub(crate) owned: &'a [IpNet],
    /// This node's links.
    pub(crate) links: &'a [Link],
    /// Its own ways to peers that are on none of its links, if it may take them.
    pub(crate) cross_subnet: Option<&'a CrossSubnetRoutes>,
}
