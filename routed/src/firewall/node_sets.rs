//! The node addresses, which pods reach without masquerading.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::IpAddr;

/// The addresses, and which of them changed since the kernel's sets were updated.
#[derive(Debug, Default)]
pub(crate) struct NodeSets {
    /// The number of records with each address: an address that moves to another node is in both
    /// for a while.
    counts: BTreeMap<IpAddr, u32>,
    /// Addresses that the registry does not show, kept while it is not trusted.
    held: BTreeSet<IpAddr>,
    changed: BTreeSet<IpAddr>,
    /// Whether a snapshot of the registry was taken.
    is_known: bool,
}

impl NodeSets {
    /// Adopts the addresses that an earlier daemon left in the kernel, until the first snapshot.
    pub(crate) fn adopt(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        if !self.is_known {
            self.held.extend(addresses);
        }
    }

    /// Sets all addresses. Unless the registry `is_believed`, earlier ones stay too.
    pub(crate) fn reset(&mut self, addresses: impl Iterator<Item = IpAddr>, is_believed: bool) {
        self.is_known = true;
        let before: BTreeSet<IpAddr> = self.all().collect();
        self.counts.clear();
        for address in addresses.filter(can_be_node_address) {
            *self.counts.entry(address).or_default() += 1;
        }
        self.held.clear();
        if !is_believed {
            let missing = before.iter().filter(|it| !self.counts.contains_key(it));
            self.held = missing.copied().collect();
        }
        let after: BTreeSet<IpAddr> = self.all().collect();
        self.changed.extend(before.symmetric_difference(&after));
    }

    /// Some records changed: all addresses they had before, and all they have now.
    pub(crate) fn change(&mut self, had: &[IpAddr], have: &[IpAddr], is_believed: bool) {
        for address in have.iter().filter(|it| can_be_node_address(it)) {
            *self.counts.entry(*address).or_default() += 1;
            self.changed.insert(*address);
        }
        for address in had {
            let Some(count) = self.counts.get_mut(address) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                self.counts.remove(address);
                self.changed.insert(*address);
                if !is_believed {
                    self.held.insert(*address);
                }
            }
        }
    }

    /// All addresses; some may occur twice.
    pub(crate) fn all(&self) -> impl Iterator<Item = IpAddr> {
        self.counts.keys().chain(&self.held).copied()
    }

    /// Whether any address changed.
    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The added and the removed addresses since the last call.
    pub(crate) fn take_changes(&mut self) -> (Vec<IpAddr>, Vec<IpAddr>) {
        let touched = mem::take(&mut self.changed);
        touched
            .into_iter()
            .partition(|it| self.counts.contains_key(it) || self.held.contains(it))
    }
}

/// Whether a node can have the address. A record with another one is ignored.
fn can_be_node_address(address: &IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(is_link_local || address.is_loopback() || address.is_multicast() || address.is_unspecified())
}

#[cfg(test)]
mod tests;
