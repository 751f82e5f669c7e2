//! `routed explain`: follows a packet from one pod to another, link by link, as far as this node can
//! see. `collect` reads the facts from files, the kernel, the registry and the daemon; `walk` judges
//! them, as a pure function.

mod collect;
mod facts;
mod held_addresses;
mod ownership;
mod probe;
mod walk;

use wire::conf::IpamConfig;

pub(crate) use self::held_addresses::HeldAddresses;
pub(crate) use self::walk::PathStep;

/// The links of the path between two pods, each given by its address, by `NAMESPACE/NAME`, or by its
/// container id. Fails if neither pod is on this node.
pub(crate) async fn explain(
    conf: &IpamConfig,
    held: &HeldAddresses,
    pods: [&str; 2],
) -> Result<Vec<PathStep>, String> {
    Ok(walk::walk(&collect::collect(conf, held, pods).await?))
}
