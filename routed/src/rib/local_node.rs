//! What the decisions need to know of this node: its name, network, subnets, links and routes.

use ipnet::IpNet;
use registry::Network;
use wire::conf::CrossSubnet;
use wire::node::NodeName;

use crate::kernel::Link;
use crate::rib::cross_subnet::CrossSubnetRoutes;

/// This node.
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
    /// The routes of other programs, if `crossSubnet` is `gateway`.
    pub(crate) cross_subnet: Option<CrossSubnetRoutes>,
}

impl LocalNode {
    /// A node of which only the configuration is known yet.
    pub(crate) fn new(node: NodeName, network: Network, cross_subnet: CrossSubnet) -> Self {
        Self {
            node,
            network,
            owned: Vec::new(),
            links: Vec::new(),
            cross_subnet: (cross_subnet == CrossSubnet::Gateway).then(CrossSubnetRoutes::default),
        }
    }

    /// The view that decisions take.
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

/// A view of [`LocalNode`].
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
    /// The routes of other programs, if `crossSubnet` is `gateway`.
    pub(crate) cross_subnet: Option<&'a CrossSubnetRoutes>,
}
