//! Makes lost files of the ledger anew: another program removed them while pods run.
//!
//! A process that finds the folder of the addresses or that of the attachments missing removes the
//! queues (see [`crate::ledger::disk::Disk`]). Without its queue, no address of a subnet is handed out
//! before this restore.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::clock::unix_seconds;
use wire::cni::Attachment;

use crate::ledger::allocation::Allocation;
use crate::ledger::disk::{Disk, family};
use crate::ledger::error::Error;
use crate::ledger::inventory::Inventory;
use crate::ledger::kernel_pods::PodAddress;
use crate::ledger::release::target;
use crate::ledger::{LockedLedger, allocator};

impl LockedLedger<'_> {
    /// Adds what the ledger lacks: the files of the addresses of running `pods` that are in `subnets`,
    /// and the links of attachments. Returns the added addresses.
    ///
    /// `pods` must have been read while the ledger was locked.
    pub fn restore(&self, pods: &[PodAddress], subnets: &[IpNet]) -> Result<Vec<IpAddr>, Error> {
        restore(self.disk, pods, subnets)
    }
}

impl Inventory {
    /// Whether [`LockedLedger::restore`] would add nothing.
    pub(crate) fn is_complete(&self, disk: &Disk, pods: &[PodAddress], subnets: &[IpNet]) -> bool {
        self.missing(pods, subnets).next().is_none() && self.missing_links(disk).next().is_none()
    }

    /// The addresses of running `pods` in `subnets` that have no file, with the subnet.
    fn missing<'a>(
        &'a self,
        pods: &'a [PodAddress],
        subnets: &'a [IpNet],
    ) -> impl Iterator<Item = (IpNet, &'a PodAddress)> {
        let is_known = |address: &IpAddr| {
            let held = self.held.binary_search_by_key(address, |(held, _)| *held);
            held.is_ok() || self.damaged.iter().any(|(damaged, _)| damaged == address)
        };
        let pods = pods.iter().filter(move |(address, _)| !is_known(address));
        pods.filter_map(|pod| {
            let mut subnets = subnets.iter();
            let subnet = subnets.find(|subnet| allocator::is_usable(subnet, pod.0))?;
            Some((*subnet, pod))
        })
    }

    /// The attachments whose link names no address that they hold, with one that they hold.
    fn missing_links(&self, disk: &Disk) -> impl Iterator<Item = (Attachment, IpAddr)> {
        let mut held: BTreeMap<(Attachment, char), Vec<IpAddr>> = BTreeMap::new();
        for (address, allocation) in &self.held {
            if let Ok(attachment) = allocation.attachment() {
                let addresses = held.entry((attachment, family(*address))).or_default();
                addresses.push(*address);
            }
        }
        held.into_iter()
            .filter_map(|((attachment, family), addresses)| {
                let linked = target(&disk.link(&attachment, family));
                let is_held = linked.is_some_and(|linked| addresses.contains(&linked));
                (!is_held).then(|| (attachment, addresses[0]))
            })
    }
}

/// As [`LockedLedger::restore`]; the ledger is locked.
pub(crate) fn restore(
    disk: &Disk,
    pods: &[PodAddress],
    subnets: &[IpNet],
) -> Result<Vec<IpAddr>, Error> {
    let mut restored = Vec::new();
    let mut inventory = Inventory::read(disk)?;
    for (subnet, (address, attachment)) in inventory.missing(pods, subnets) {
        disk.claim(*address, &allocation(attachment, subnet))?;
        disk.remove(&disk.freed().join(address.to_string()))?;
        restored.push(*address);
    }
    if !restored.is_empty() {
        inventory = Inventory::read(disk)?;
    }
    for (attachment, address) in inventory.missing_links(disk) {
        disk.make_link(&attachment, address)?;
    }
    if !restored.is_empty() {
        let count = restored.len();
        disk.warn(format!(
            "{} had lost the addresses of {count} running pods: made anew from the kernel's routes",
            disk.root().display()
        ));
    }
    Ok(restored)
}

/// What is known of the holder. Its namespace is not: see `remains` in
/// `routed/src/addresses/sweeper.rs`.
fn allocation(attachment: &Attachment, subnet: IpNet) -> Allocation {
    Allocation {
        container_id: attachment.container_id().to_owned(),
        interface: attachment.interface().to_owned(),
        subnet,
        since: unix_seconds(),
        pod_namespace: None,
        pod_name: None,
        pod_uid: None,
        netns: None,
        netns_inode: None,
    }
}
