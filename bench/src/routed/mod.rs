//! The benchmark of `routed`: from etcd to the kernel's routes.

pub(crate) mod flap;
pub(crate) mod joins;
pub(crate) mod large;
pub(crate) mod process;
pub(crate) mod records;
pub(crate) mod registries;
pub(crate) mod report;
pub(crate) mod route_events;
pub(crate) mod start;

/// The pod CIDR of the cluster: 65,536 subnets.
pub(crate) const POD_CIDR: &str = "10.0.0.0/8";
/// An additional prefix on the nodes' link, on which 20,000 peers have addresses.
pub(crate) const WIDE: &str = "172.16.0.1/12";
