//! The pods of this node, from the ledger and the host interfaces that the plugins left. The ledger
//! has the attachment of each address, the alias of a host interface names its attachment. Their
//! routes are put back if they were removed while `routed` did not run.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipam::Allocation;
use wire::add_lock;
use wire::clock::unix_seconds;
use wire::netlink::{Link, NetlinkSocket};
use wire::pod_link::{self, host_interface_name};

use crate::addresses::ledger;
use crate::kernel::Netlink;
use crate::timeouts::ADD_GRACE_SECONDS;

/// The addresses of the pods of `network` on this node, each with the index of its host interface.
pub(crate) fn pods(kernel: &mut Netlink, network: &str) -> Result<Vec<(IpAddr, u32)>, String> {
    let held = ledger::held(network).map_err(|error| error.to_string())?;
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let links = kernel
        .with(NetlinkSocket::links)
        .map_err(|error| error.to_string())?;
    let now = unix_seconds();
    Ok(attached_pods(
        &held,
        &links,
        network,
        now,
        add_lock::is_held,
    ))
}

/// Those of `held` whose host interface is among `links`, is up, has their alias, and belongs to no
/// ADD that `is_under_way`.
fn attached_pods(
    held: &[(IpAddr, Allocation)],
    links: &[Link],
    network: &str,
    now: u64,
    is_under_way: impl Fn(&str) -> bool,
) -> Vec<(IpAddr, u32)> {
    let by_name: BTreeMap<&str, &Link> = links
        .iter()
        .map(|link| (link.name.as_str(), link))
        .collect();
    let host_end = |allocation: &Allocation| {
        let attachment = allocation.attachment().ok()?;
        let link = by_name.get(&*host_interface_name(network, &attachment))?;
        let has_alias = link.alias.as_deref() == Some(&*pod_link::alias(network, &attachment));
        (link.up && has_alias && !is_under_way(&link.name)).then_some(link.index)
    };
    let is_added = |allocation: &Allocation| {
        let age = now.checked_sub(allocation.since);
        age.is_none_or(|age| age >= ADD_GRACE_SECONDS)
    };
    held.iter()
        .filter(|(_, allocation)| is_added(allocation))
        .filter_map(|(address, allocation)| Some((*address, host_end(allocation)?)))
        .collect()
}

#[cfg(test)]
mod tests;
