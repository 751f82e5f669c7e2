//! Survey of the firewall for `routed doctor` and `routed explain`: which chains drop pods'
//! packets. Read-only.

use ipnet::IpNet;
use wire::netlink::Error;
use wire::nft::{IpVersion, NftSocket, TableId};
use wire::spoof_guard;

use super::forward::{self, CHAIN};
use crate::firewall::blocking_chain::BlockingChain;
use crate::firewall::iptables_legacy;

/// The result of a survey.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// The chains that drop.
    pub(crate) blocking_chains: Vec<BlockingChain>,
    /// The chains that could not be read, and why.
    pub(crate) hidden: Vec<String>,
    /// Whether the spoof guard is installed.
    pub(crate) is_guarded: bool,
}

/// Reads all FORWARD chains.
pub(crate) fn survey(pod_cidrs: &[IpNet]) -> Result<Survey, Error> {
    let mut socket = NftSocket::open()?;
    let mut blocking_chains = Vec::new();
    for version in [IpVersion::V4, IpVersion::V6] {
        blocking_chains.extend(iptables_chain(&mut socket, version, pod_cidrs)?);
    }
    blocking_chains.extend(foreign_chains(&mut socket, pod_cidrs)?);
    let (dropping, hidden) = iptables_legacy::dropping_chains(pod_cidrs);
    blocking_chains.extend(dropping.into_iter().map(|found| BlockingChain {
        fix: accepted_by_routed(&found.fix),
        ..found
    }));
    Ok(Survey {
        blocking_chains,
        hidden,
        is_guarded: spoof_guard::is_installed()?,
    })
}

fn iptables_chain(
    socket: &mut NftSocket,
    version: IpVersion,
    pod_cidrs: &[IpNet],
) -> Result<Option<BlockingChain>, Error> {
    let table = forward::iptables_table(version);
    let Some(chain) = socket.base_chain(&table, CHAIN)? else {
        return Ok(None);
    };
    let rules = socket.rules(&table, Some(CHAIN))?;
    if !forward::drops(&chain, &rules) {
        return Ok(None);
    }
    let program = match version {
        IpVersion::V4 => "iptables",
        IpVersion::V6 => "ip6tables",
    };
    let own_cidrs = pod_cidrs
        .iter()
        .filter(|cidr| IpVersion::of(cidr.network()) == version);
    let own_cidrs: Vec<_> = own_cidrs.copied().collect();
    Ok((!own_cidrs.is_empty()).then(|| BlockingChain {
        chain: chain_name(&table, CHAIN),
        passes: forward::plan(&chain, &rules, &own_cidrs).is_empty(),
        fix: accepted_by_routed(&iptables_legacy::advice(program, &own_cidrs)),
    }))
}

fn foreign_chains(
    socket: &mut NftSocket,
    pod_cidrs: &[IpNet],
) -> Result<Vec<BlockingChain>, Error> {
    let mut blocking_chains = Vec::new();
    for chain in socket.base_chains()? {
        if !forward::is_foreign(&chain) {
            continue;
        }
        let rules = socket.rules(&chain.table, None)?;
        if let Some(advice) = forward::advice(&chain, &rules, pod_cidrs) {
            blocking_chains.push(BlockingChain {
                chain: chain_name(&chain.table, &chain.name),
                passes: false,
                fix: advice,
            });
        }
    }
    Ok(blocking_chains)
}

fn chain_name(table: &TableId, chain: &str) -> String {
    format!("{chain} of table {table}")
}

fn accepted_by_routed(fix: &str) -> String {
    format!("routed lets pods pass there while it runs; by hand: {fix}")
}
