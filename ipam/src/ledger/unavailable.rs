//! Why an address that a pod requests by name is not available.

use ipnet::IpNet;
use wire::text::list;

use crate::ledger::allocation::Allocation;

/// Why a requested address is not available.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No subnet of this node contains it; these are the node's.
    #[error("it is in no subnet of this node ({})", list(.0))]
    NotInSubnet(Vec<IpNet>),
    /// It is the network's, the node's or the broadcast address of this subnet.
    #[error("pods never get the network's, the node's and the broadcast address of {0}")]
    Reserved(IpNet),
    /// The configuration excludes this range, which contains it.
    #[error("the configuration excludes {0}")]
    Excluded(IpNet),
    /// This attachment holds it.
    #[error("attachment {}/{} holds it{}", .0.container_id, .0.interface, pod_of(.0))]
    Held(Box<Allocation>),
}

impl Unavailable {
    /// What to do about it.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::NotInSubnet(_) => {
                "ask for an address from a subnet of the node that the pod runs on, or for none"
            }
            Self::Reserved(_) | Self::Excluded(_) => "ask for another address, or for none",
            Self::Held(_) => "delete that pod first, or ask for another address",
        }
    }
}

fn pod_of(holder: &Allocation) -> String {
    let pod = holder.pod();
    pod.map(|pod| format!(" (pod {pod})")).unwrap_or_default()
}
