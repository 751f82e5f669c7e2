//! What in the packet filter drops what pods send and get, for whoever examines the host. Changes
//! nothing.

use ipnet::IpNet;
use wire::netlink::Error;
use wire::nft::{Socket, TableId, Version};
use wire::spoof_guard;

use super::forward::{self, CHAIN};
use crate::firewall::iptables_legacy;

/// A chain that drops what none of its rules mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockingChain {
    /// Its name, and who keeps it.
    pub(crate) chain: String,
    /// Whether pods pass all the same.
    pub(crate) passes: bool,
    /// What lets them.
    pub(crate) fix: String,
}

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Every chain that drops.
    pub(crate) blocking_chains: Vec<BlockingChain>,
    /// Which chains could not be looked at, and why.
    pub(crate) hidden: Vec<String>,
    /// Whether our guard against forged addresses is there.
    pub(crate) is_guarded: bool,
}

/// Looks at all chains for what is forwarded.
pub(crate) fn survey(pod_cidrs: &[IpNet]) -> Result<Survey, Error> {
    let mut socket = Socket::open()?;
    let mut walls = Vec::new();
    for version in [Version::V4, Version::V6] {
        walls.extend(iptables_chain(&mut socket, version, pod_cidrs)?);
    }
    walls.extend(foreign_chains(&mut socket, pod_cidrs)?);
    let (dropping, hidden) = iptables_legacy::dropping_chains(pod_cidrs);
    walls.extend(dropping.into_iter().map(|found| BlockingChain {
        chain: format!("{CHAIN} of {}", found.program),
        passes: found.passes,
        fix: by_routed(&found.fix),
    }));
    Ok(Survey {
        blocking_chains: walls,
        hidden,
        is_guarded: spoof_guard::is_installed()?,
    })
}

fn iptables_chain(
    socket: &mut Socket,
    version: Version,
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
        Version::V4 => "iptables",
        Version::V6 => "ip6tables",
    };
    let own = pod_cidrs
        .iter()
        .filter(|cidr| Version::of(cidr.network()) == version);
    let own: Vec<_> = own.copied().collect();
    Ok((!own.is_empty()).then(|| BlockingChain {
        chain: chain_name(&table, CHAIN),
        passes: forward::plan(&chain, &rules, &own).is_empty(),
        fix: by_routed(&iptables_legacy::advice(program, &own)),
    }))
}

fn foreign_chains(socket: &mut Socket, pod_cidrs: &[IpNet]) -> Result<Vec<BlockingChain>, Error> {
    let mut walls = Vec::new();
    for chain in socket.base_chains()? {
        if !forward::is_foreign(&chain) {
            continue;
        }
        let rules = socket.rules(&chain.table, None)?;
        if let Some(advice) = forward::advice(&chain, &rules, pod_cidrs) {
            walls.push(BlockingChain {
                chain: chain_name(&chain.table, &chain.name),
                passes: false,
                fix: advice,
            });
        }
    }
    Ok(walls)
}

fn chain_name(table: &TableId, chain: &str) -> String {
    format!("{chain} of table {table}")
}

fn by_routed(fix: &str) -> String {
    format!("routed lets pods pass there while it runs; by hand: {fix}")
}
