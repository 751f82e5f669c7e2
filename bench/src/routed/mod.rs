//! `routed`: from the registry into the kernel.

pub(crate) mod joins;
pub(crate) mod large;
pub(crate) mod listen;
pub(crate) mod process;
pub(crate) mod records;
pub(crate) mod report;
pub(crate) mod start;
pub(crate) mod watched;

/// Cluster-wide: 65,536 subnets.
pub(crate) const POD_CIDR: &str = "10.0.0.0/8";
/// What nodes have on their link besides the lab's own prefix, so that 20,000 peers are on it.
pub(crate) const WIDE: &str = "172.16.0.1/12";
