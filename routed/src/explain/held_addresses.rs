//! The addresses of this node's pods, by which pods of the command line are known.

use std::net::IpAddr;

use ipam::Allocation;

use crate::addresses::ledger;

/// The addresses of a network that are allocated on this node.
#[derive(Debug)]
pub(crate) struct HeldAddresses(Vec<(IpAddr, Allocation)>);

impl HeldAddresses {
    /// Reads them from the ledger.
    pub(crate) fn read(network: &str) -> Result<Self, ipam::Error> {
        ledger::held(network).map(Self)
    }

    /// Who holds an address.
    pub(super) fn holder(&self, address: IpAddr) -> Option<&Allocation> {
        let mut held = self.0.iter();
        held.find(|(held, _)| *held == address).map(|(_, it)| it)
    }

    /// The addresses of a pod that is given by its address, by `NAMESPACE/NAME`, or by its container id.
    ///
    /// # Errors
    /// That it is on no known pod of this node.
    pub(crate) fn of_pod(&self, pod: &str) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = pod.parse() {
            return Ok(vec![address]);
        }
        let is_match = |allocation: &Allocation| {
            allocation.pod().as_deref() == Some(pod) || allocation.container_id == pod
        };
        let found = self.0.iter().filter(|(_, allocation)| is_match(allocation));
        let found: Vec<_> = found.map(|(address, _)| *address).collect();
        if found.is_empty() {
            return Err(format!(
                "no pod or container {pod} has an address on this node: give an address, \
                 NAMESPACE/NAME or the container id; names are known only where the pod is"
            ));
        }
        Ok(found)
    }

    /// The pod as flatland-policy knows it: by its address, or by `NAMESPACE/NAME`, on whichever node.
    ///
    /// # Errors
    /// That this node has no such container.
    pub(crate) fn for_policies(&self, pod: &str) -> Result<String, String> {
        // A container id has no slash (CNI specification, "Parameters").
        if pod.contains('/') {
            return Ok(pod.to_owned());
        }
        Ok(self.of_pod(pod)?[0].to_string())
    }
}

#[cfg(test)]
mod tests;
