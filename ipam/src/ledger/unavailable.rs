//! Why an address that a pod requests by name is not available.

use std::fmt;

use ipnet::IpNet;
use wire::text::list;

use crate::ledger::allocation::Allocation;

/// Why a requested address is not available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable {
    /// No subnet of this node contains it; these are the node's.
    NotInSubnet(Vec<IpNet>),
    /// It is the network's, the node's or the broadcast address of this subnet.
    Reserved(IpNet),
    /// The configuration excludes this range, which contains it.
    Excluded(IpNet),
    /// This attachment holds it.
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

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInSubnet(subnets) => {
                write!(f, "it is in no subnet of this node ({})", list(subnets))
            }
            Self::Reserved(subnet) => write!(
                f,
                "pods never get the network's, the node's and the broadcast address of {subnet}"
            ),
            Self::Excluded(net) => write!(f, "the configuration excludes {net}"),
            Self::Held(holder) => {
                let (container, interface) = (&holder.container_id, &holder.interface);
                write!(f, "attachment {container}/{interface} holds it")?;
                match holder.pod() {
                    Some(pod) => write!(f, " (pod {pod})"),
                    None => Ok(()),
                }
            }
        }
    }
}
