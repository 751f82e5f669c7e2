//! The address request of an ADD.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::ledger::allocator;
use crate::ledger::kernel_pods::KernelPods;
use crate::ledger::unavailable::Unavailable;

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

#[cfg(test)]
mod tests;
