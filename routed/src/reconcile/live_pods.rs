//! Which pods this node has, by what the plugins left: the ledger says who holds an address, and the
//! alias of a host end whose it is. The routes to them have to be there, whoever took them away while
//! nobody looked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipam::{Allocation, Disk, Ledger};
use wire::clock::unix_seconds;
use wire::netlink::{Link, Socket};
use wire::paths::run_dir;
use wire::pod_link::host_interface_name;

use crate::kernel::Netlink;

/// An address that was allocated so many seconds ago has its route: ADD makes it, and would fail if
/// it were there before.
const IN_THE_MAKING: u64 = 10;

/// The addresses of the pods of `network` on this node, each with the index of its host end.
pub(crate) fn pods(kernel: &mut Netlink, network: &str) -> Result<Vec<(IpAddr, u32)>, String> {
    let ledger = Ledger::existing(Disk::new(run_dir(network)));
    let held = match ledger.map_err(|why| why.to_string())? {
        Some(ledger) => ledger.inventory().map_err(|why| why.to_string())?.held,
        None => Vec::new(),
    };
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let links = kernel.with(Socket::links).map_err(|why| why.to_string())?;
    Ok(attached(&held, &links, network, unix_seconds()))
}

/// Those of `held` whose host ends are among `links`, up, and say that they are theirs.
fn attached(
    held: &[(IpAddr, Allocation)],
    links: &[Link],
    network: &str,
    now: u64,
) -> Vec<(IpAddr, u32)> {
    let by_name: BTreeMap<&str, &Link> = links
        .iter()
        .map(|link| (link.name.as_str(), link))
        .collect();
    let host_end = |allocation: &Allocation| {
        let attachment = allocation.attachment().ok()?;
        let link = by_name.get(&*host_interface_name(network, &attachment))?;
        let is_its = link.alias.as_deref() == Some(&*format!("{network} {attachment}"));
        (link.up && is_its).then_some(link.index)
    };
    let is_made = |allocation: &Allocation| now.saturating_sub(allocation.since) >= IN_THE_MAKING;
    held.iter()
        .filter(|(_, allocation)| is_made(allocation))
        .filter_map(|(address, allocation)| Some((*address, host_end(allocation)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use wire::cni::Attachment;

    use super::*;

    fn held(since: u64) -> (IpAddr, Allocation) {
        let allocation = Allocation {
            container_id: "c1".to_owned(),
            interface: "eth0".to_owned(),
            subnet: "10.244.1.0/24".parse().unwrap(),
            since,
            pod_namespace: None,
            pod_name: None,
            netns: None,
            netns_inode: None,
        };
        ("10.244.1.2".parse().unwrap(), allocation)
    }

    fn host_end() -> Link {
        let attachment = Attachment::new("c1", "eth0").unwrap();
        Link {
            index: 7,
            name: host_interface_name("flatland", &attachment),
            alias: Some("flatland c1/eth0".to_owned()),
            up: true,
            ..Link::default()
        }
    }

    #[test]
    fn a_pod_is_there_if_its_host_end_is_up_and_says_so_and_its_add_is_over() {
        let there = vec![(held(0).0, 7)];
        let anothers = Link {
            alias: Some("flatland c2/eth0".to_owned()),
            ..host_end()
        };
        let down = Link {
            up: false,
            ..host_end()
        };
        for (case, since, links, expected) in [
            ("it is", 1_000, vec![host_end()], there),
            ("no host end", 1_000, vec![], vec![]),
            ("it is another's", 1_000, vec![anothers], vec![]),
            ("it is on its way out", 1_000, vec![down], vec![]),
            ("it is on its way in", 1_001, vec![host_end()], vec![]),
            ("a clock that was set back", 2_000, vec![host_end()], vec![]),
        ] {
            let found = attached(&[held(since)], &links, "flatland", 1_000 + IN_THE_MAKING);
            assert_eq!(found, expected, "{case}");
        }
    }
}
