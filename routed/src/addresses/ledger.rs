//! The daemon's use of the ledger of `flatland-ipam`: takes its lock, and finds pods with addresses
//! of subnets that the node has lost.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use ipam::{Allocation, Disk, Ledger};
use ipnet::IpNet;
use registry::Error;
use serde::Serialize;
use tracing::warn;
use wire::conf::IpamConfig;
use wire::paths::run_dir;

use crate::status::AddressUsage;

/// At most this many addresses are listed in the message.
const MAX_LISTED: usize = 8;

/// Runs `change` while no address of `network` is allocated: see
/// [`registry::owned::UnderLedgerLock`].
pub(crate) fn under_ledger_lock(
    network: &str,
    change: &dyn Fn() -> Result<(), Error>,
) -> Result<(), Error> {
    let folder = run_dir(network);
    let lock_failed = |error: ipam::Error| Error::Io {
        path: folder.clone(),
        action: "lock",
        source: io::Error::other(error.to_string()),
    };
    let ledger = Ledger::create(Disk::new(folder.clone())).map_err(lock_failed)?;
    let _session = ledger.lock().map_err(lock_failed)?;
    change()
}

/// Lets `flatland-ipam` hand out addresses of the node's subnets in this boot.
pub(crate) fn confirm(network: &str) {
    let folder = run_dir(network);
    match Ledger::create(Disk::new(folder.clone())) {
        Ok(ledger) => ledger.confirm(),
        Err(error) => {
            let path = folder.display();
            warn!(%path, %error, "cannot let pods have addresses: {error}");
        }
    }
}

/// The addresses of `network` that are allocated on this node.
pub(crate) fn held(network: &str) -> Result<Vec<(IpAddr, Allocation)>, ipam::Error> {
    match Ledger::existing(Disk::new(run_dir(network)))? {
        Some(ledger) => Ok(ledger.inventory()?.held),
        None => Ok(Vec::new()),
    }
}

/// The addresses of a subnet, by state.
#[derive(Debug, Serialize)]
pub(crate) struct SubnetAddresses {
    pub(crate) subnet: IpNet,
    #[serde(flatten)]
    pub(crate) addresses: AddressUsage,
}

/// The use of these subnets of the network.
pub(crate) fn usage(
    conf: &IpamConfig,
    subnets: &[IpNet],
) -> Result<Vec<SubnetAddresses>, ipam::Error> {
    let of = |subnet, used, cooling, free| SubnetAddresses {
        subnet,
        addresses: AddressUsage {
            used,
            cooling,
            free,
        },
    };
    let Some(ledger) = Ledger::existing(Disk::new(run_dir(&conf.network)))? else {
        let unused = |subnet: &IpNet| of(*subnet, 0, 0, ipam::usable(subnet, &conf.exclude));
        return Ok(subnets.iter().map(unused).collect());
    };
    let usage = ledger.usage(subnets, &conf.exclude, conf.cool_down, ipam::since_boot()?)?;
    let each = usage.iter();
    let each = each.map(|it| of(it.subnet, it.held, it.cooling, it.available()));
    Ok(each.collect())
}

/// The sums for `ipv4` and `ipv6`, if there are subnets of that family.
pub(crate) fn by_family(subnets: &[SubnetAddresses]) -> BTreeMap<String, AddressUsage> {
    let mut sums: BTreeMap<String, AddressUsage> = BTreeMap::new();
    for SubnetAddresses { subnet, addresses } in subnets {
        let family = match subnet {
            IpNet::V4(_) => "ipv4",
            IpNet::V6(_) => "ipv6",
        };
        let sum = sums.entry(family.to_owned()).or_default();
        sum.used += addresses.used;
        sum.cooling += addresses.cooling;
        sum.free = sum.free.saturating_add(addresses.free);
    }
    sums
}

/// A message that lists the pods of `network` with addresses of subnets that this node does not
/// own; `None` if there are none.
pub(crate) fn stranded_pods(network: &str, owned: &[IpNet]) -> Option<String> {
    let inventory = Ledger::existing(Disk::new(run_dir(network)))
        .and_then(|ledger| match ledger {
            Some(ledger) => ledger.lock()?.inventory().map(Some),
            None => Ok(None),
        })
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell which pods have addresses: {error}");
            None
        })?;
    stranded_message(&inventory.held, owned)
}

fn stranded_message(held: &[(IpAddr, Allocation)], owned: &[IpNet]) -> Option<String> {
    let is_stranded = |address: &IpAddr| !owned.iter().any(|subnet| subnet.contains(address));
    let stranded: Vec<_> = held
        .iter()
        .filter(|(address, _)| is_stranded(address))
        .map(|(address, allocation)| format!("{address} ({})", holder(allocation)))
        .collect();
    let listed = &stranded[..stranded.len().min(MAX_LISTED)];
    let more = match stranded.len() - listed.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!stranded.is_empty()).then(|| {
        format!(
            "pods on this node have addresses of subnets that it does not own any more: {}{more}; \
             peers cannot reach them there, delete these pods to get new ones",
            listed.join(", ")
        )
    })
}

/// The pod that holds an address, or the container if the pod is unknown.
pub(crate) fn holder(allocation: &Allocation) -> String {
    match allocation.pod() {
        Some(pod) => format!("pod {pod}"),
        None => format!("container {}", allocation.container_id),
    }
}

#[cfg(test)]
mod tests;
