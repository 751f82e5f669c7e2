//! What the decisions need to know of this node: its name, network, subnets, links and routes.

use ipnet::IpNet;
use registry::Network;
use wire::conf::CrossSubnet;
use wire::node::NodeName;

use crate::kernel::{NodeLink, Topology};
use crate::rib::connected::ConnectedRoutes;
use crate::rib::cross_subnet::CrossSubnetRoutes;
use crate::rib::silent_hops::SilentHops;

/// This node.
#[derive(Debug)]
pub(crate) struct LocalNode {
    /// Its name.
    pub(crate) node: NodeName,
    /// The network.
    pub(crate) network: Network,
    /// Its machine id, where the registry has it from another program: with Kubernetes, the kubelet
    /// writes it into the Node.
    pub(crate) registered_machine: Option<String>,
    /// The subnets it owns.
    pub(crate) owned: Vec<IpNet>,
    /// Its links that have addresses or lead to others.
    pub(crate) links: Vec<NodeLink>,
    /// What is on these links.
    pub(crate) connected: ConnectedRoutes,
    /// The next hops that do not answer.
    pub(crate) silent: SilentHops,
    /// The routes of other programs, if `crossSubnet` is `gateway`.
    pub(crate) cross_subnet: Option<CrossSubnetRoutes>,
}

impl LocalNode {
    /// A node of which only the configuration is known yet.
    pub(crate) fn new(node: NodeName, network: Network, cross_subnet: CrossSubnet) -> Self {
        Self {
            node,
            network,
            registered_machine: None,
            owned: Vec::new(),
            links: Vec::new(),
            connected: ConnectedRoutes::default(),
            silent: SilentHops::default(),
            cross_subnet: (cross_subnet == CrossSubnet::Gateway).then(CrossSubnetRoutes::default),
        }
    }

    /// Takes the kernel's links and routes. Returns whether they differ from those known before.
    pub(crate) fn set_topology(&mut self, topology: Topology) -> bool {
        let Topology { links, routes } = topology;
        let connected = ConnectedRoutes::new(&routes);
        let cross_subnet = self
            .cross_subnet
            .is_some()
            .then(|| CrossSubnetRoutes::new(routes, &self.network.pod_cidrs));
        let differs =
            links != self.links || connected != self.connected || cross_subnet != self.cross_subnet;
        self.links = links;
        self.connected = connected;
        self.cross_subnet = cross_subnet;
        differs
    }
}
