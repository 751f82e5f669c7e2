//! What the daemon has to do with the addresses of this node's pods, which are `flatland-ipam`'s.

use std::io;
use std::net::IpAddr;

use ipam::{Allocation, Disk, Ledger};
use ipnet::IpNet;
use registry::Error;
use wire::paths::run_dir;

/// As many addresses are named in the log.
const MOST_NAMED: usize = 8;

/// Makes a change while no address of `network` is handed out: see
/// [`registry::owned::UnderLedgerLock`].
pub(crate) fn under_ledger_lock(
    network: &str,
    change: &dyn Fn() -> Result<(), Error>,
) -> Result<(), Error> {
    let folder = run_dir(network);
    let locked = |error: ipam::Error| Error::Io {
        path: folder.clone(),
        action: "lock",
        source: io::Error::other(error.to_string()),
    };
    let ledger = Ledger::create(Disk::new(folder.clone())).map_err(locked)?;
    let _session = ledger.lock().map_err(locked)?;
    change()
}

/// Says which pods of `network` have addresses of subnets that this node does not own, if any do.
pub(crate) fn stranded(network: &str, owned: &[IpNet]) -> Option<String> {
    let inventory = Ledger::existing(Disk::new(run_dir(network)))
        .and_then(|ledger| match ledger {
            Some(ledger) => ledger.lock()?.inventory().map(Some),
            None => Ok(None),
        })
        .unwrap_or_else(|why| {
            tracing::warn!("cannot tell which pods have addresses: {why}");
            None
        })?;
    log_stranded(&inventory.held, owned)
}

fn log_stranded(held: &[(IpAddr, Allocation)], owned: &[IpNet]) -> Option<String> {
    let is_stranded = |address: &IpAddr| !owned.iter().any(|subnet| subnet.contains(address));
    let stranded: Vec<_> = held
        .iter()
        .filter(|(address, _)| is_stranded(address))
        .map(|(address, allocation)| format!("{address} ({})", holder(allocation)))
        .collect();
    let named = &stranded[..stranded.len().min(MOST_NAMED)];
    let more = match stranded.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!stranded.is_empty()).then(|| {
        format!(
            "pods on this node have addresses of subnets that it does not own any more: {}{more}; \
             peers cannot reach them there, delete these pods to get new ones",
            named.join(", ")
        )
    })
}

/// Who holds an address, as people know it.
pub(crate) fn holder(allocation: &Allocation) -> String {
    match (&allocation.pod_namespace, &allocation.pod_name) {
        (Some(namespace), Some(pod)) => format!("pod {namespace}/{pod}"),
        _ => format!("container {}", allocation.container_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(address: &str, pod: Option<&str>) -> (IpAddr, Allocation) {
        let allocation = Allocation {
            container_id: "c1".to_owned(),
            interface: "eth0".to_owned(),
            subnet: "10.244.3.0/24".parse().unwrap(),
            since: 0,
            pod_namespace: pod.map(|_| "default".to_owned()),
            pod_name: pod.map(ToOwned::to_owned),
            netns: None,
            netns_inode: None,
        };
        (address.parse().unwrap(), allocation)
    }

    #[test]
    fn pods_with_addresses_of_lost_subnets_are_named() {
        let owned = ["10.244.1.0/24".parse().unwrap()];
        let mine = held("10.244.1.2", None);
        assert_eq!(log_stranded(std::slice::from_ref(&mine), &owned), None);
        let all = [
            mine,
            held("10.244.3.2", Some("web")),
            held("10.244.3.3", None),
        ];
        let text = log_stranded(&all, &owned).unwrap();
        assert!(
            text.contains("more: 10.244.3.2 (pod default/web), 10.244.3.3 (container c1); peers"),
            "{text}"
        );
    }

    #[test]
    fn many_of_them_are_not_all_named() {
        let all: Vec<_> = (1..=10)
            .map(|n| held(&format!("10.244.3.{n}"), None))
            .collect();
        assert!(log_stranded(&all, &[]).unwrap().contains("and 2 more;"));
    }
}
