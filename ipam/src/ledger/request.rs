//! The address request of an ADD, and why an address requested by name may be unavailable.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::ledger::allocation::Allocation;
use crate::ledger::allocator;
use crate::ledger::kernel_pods::KernelPods;

/// The addresses that ADD needs.
pub struct AddressRequest<'a> {
    /// The node's subnets of each pod CIDR, in the order in which it got them.
    pub pools: &'a [Vec<IpNet>],
    /// Addresses that are never handed out.
    pub exclude: &'a [IpNet],
    /// The requested addresses, at most one per family. Of the other families, any.
    pub fixed: &'a [IpAddr],
    /// How long a freed address is not reused while there are others.
    pub cool_down: Duration,
    /// The share of a pod CIDR's addresses that may cool down; beyond it, the one that has cooled
    /// down for longest is handed out ([`crate::ledger::cooling`]). `None`: it is handed out when
    /// there is no other, however many cool down.
    pub max_cooling_percent: Option<u8>,
    /// The time since boot.
    pub now: Duration,
    /// The addresses of running pods, for the case that the ledger has lost some.
    pub kernel_pods: &'a KernelPods<'a>,
}

impl AddressRequest<'_> {
    /// The requested address of the family of `subnets`.
    pub(crate) fn fixed_of(&self, subnets: &[IpNet]) -> Option<IpAddr> {
        let family = subnets.first()?.addr().is_ipv4();
        let mut fixed = self.fixed.iter().copied();
        fixed.find(|address| address.is_ipv4() == family)
    }

    /// The subnet that contains `address`, if the address may be handed out when it is free.
    pub(crate) fn subnet_of(
        &self,
        address: IpAddr,
        subnets: &[IpNet],
    ) -> Result<IpNet, Unavailable> {
        let Some(subnet) = subnets.iter().find(|subnet| subnet.contains(&address)) else {
            return Err(Unavailable::NotInSubnet(subnets.to_vec()));
        };
        if !allocator::is_usable(subnet, address) {
            return Err(Unavailable::Reserved(*subnet));
        }
        match self.exclude.iter().find(|net| net.contains(&address)) {
            Some(net) => Err(Unavailable::Excluded(*net)),
            None => Ok(*subnet),
        }
    }
}

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
                let subnets: Vec<_> = subnets.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "it is in no subnet of this node ({})",
                    subnets.join(", ")
                )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requested_address_must_be_in_a_subnet_and_usable() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let subnets = [net("10.9.1.0/24"), net("10.9.7.0/24")];
        let exclude = [net("10.9.7.16/28"), net("10.9.1.9/32")];
        let request = AddressRequest {
            pools: &[],
            exclude: &exclude,
            fixed: &[],
            cool_down: Duration::ZERO,
            max_cooling_percent: None,
            now: Duration::ZERO,
            kernel_pods: &KernelPods::new(&|| Ok(Vec::new())),
        };
        for (address, expected) in [
            ("10.9.1.2", Ok(subnets[0])),
            ("10.9.7.254", Ok(subnets[1])),
            ("10.9.2.2", Err(Unavailable::NotInSubnet(subnets.to_vec()))),
            ("fd00::2", Err(Unavailable::NotInSubnet(subnets.to_vec()))),
            ("10.9.1.0", Err(Unavailable::Reserved(subnets[0]))),
            ("10.9.1.1", Err(Unavailable::Reserved(subnets[0]))),
            ("10.9.7.255", Err(Unavailable::Reserved(subnets[1]))),
            ("10.9.1.9", Err(Unavailable::Excluded(exclude[1]))),
            ("10.9.7.31", Err(Unavailable::Excluded(exclude[0]))),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(request.subnet_of(address, &subnets), expected, "{address}");
        }
    }
}
