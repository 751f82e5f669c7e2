//! Leftovers of the firewall after the daemon has ended, for `routed uninstall`.

use std::fmt;

use wire::netlink::Error;
use wire::nft::{Hook, IpVersion, NftCommand, NftSocket, TableId};
use wire::{policy_program, spoof_guard};

use crate::firewall::forward::{self, CHAIN};
use crate::firewall::iptables_legacy;

/// A table or rules of ours in the kernel.
#[derive(Debug)]
pub(crate) enum FirewallLeftover {
    /// A table of ours.
    Table(TableId),
    /// Rules of ours in a chain of iptables-nft.
    Rules {
        /// The chain's table.
        table: TableId,
        /// The commands that delete them.
        commands: Vec<NftCommand>,
    },
    /// Rules of ours in a chain of iptables-legacy.
    Legacy(iptables_legacy::LegacyRules),
}

impl fmt::Display for FirewallLeftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "table {table}"),
            Self::Rules { table, commands } => {
                write!(
                    f,
                    "{} in chain {CHAIN} of table {table}",
                    rules(commands.len())
                )
            }
            Self::Legacy(found) => {
                write!(
                    f,
                    "{} in chain {CHAIN} of {}",
                    rules(found.commands.len()),
                    found.program
                )
            }
        }
    }
}

/// `1 rule`, `2 rules`.
fn rules(count: usize) -> String {
    format!("{count} rule{}", if count == 1 { "" } else { "s" })
}

impl FirewallLeftover {
    /// Removes it.
    pub(crate) fn remove(&self) -> Result<(), String> {
        let commands = match self {
            Self::Table(table) => vec![NftCommand::DelTable(table.clone())],
            Self::Rules { commands, .. } => commands.clone(),
            Self::Legacy(found) => return found.remove(),
        };
        let applied = NftSocket::open().and_then(|mut socket| socket.apply(&commands, None));
        applied.map_err(|error| error.to_string())
    }
}

/// All leftovers, and the chains that cannot be read with advice.
pub(crate) fn leftovers() -> Result<(Vec<FirewallLeftover>, Vec<String>), Error> {
    let mut socket = NftSocket::open()?;
    let mut found = Vec::new();
    for own in [spoof_guard::table(), policy_program::table()] {
        if socket.table(&own)?.0.is_some() {
            found.push(FirewallLeftover::Table(own));
        }
    }
    for table in [IpVersion::V4, IpVersion::V6].map(forward::iptables_table) {
        let chain = socket.base_chain(&table, CHAIN)?;
        let Some(chain) = chain.filter(|chain| chain.hook.number == Hook::FORWARD) else {
            continue;
        };
        let rules = socket.rules(&table, Some(CHAIN))?;
        let commands = forward::plan(&chain, &rules, &[]);
        if !commands.is_empty() {
            found.push(FirewallLeftover::Rules { table, commands });
        }
    }
    let (legacy, hidden) = iptables_legacy::rules();
    found.extend(legacy.into_iter().map(FirewallLeftover::Legacy));
    Ok((found, hidden))
}
