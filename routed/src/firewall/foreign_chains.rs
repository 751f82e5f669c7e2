//! Forward chains of other programs that drop pods' packets. `routed` does not change them, and
//! logs which rules to add.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use tracing::{info, warn};
use wire::netlink::Error;
use wire::nft::{NftSocket, TableFamily, TableId};

use crate::firewall::forward;

/// The chains that were found, and what was logged about them.
#[derive(Debug, Default)]
pub(super) struct ForeignChains {
    pod_cidrs: Vec<IpNet>,
    tables: BTreeSet<TableId>,
    /// The advice that was logged, by chain.
    advice: BTreeMap<(TableId, String), String>,
}

impl ForeignChains {
    /// With nothing known yet.
    pub(super) fn new(pod_cidrs: &[IpNet]) -> Self {
        Self {
            pod_cidrs: pod_cidrs.to_vec(),
            ..Self::default()
        }
    }

    /// Whether a change of that table needs a check.
    pub(super) fn is_affected(&self, family: TableFamily, table: &str) -> bool {
        let mut tables = self.tables.iter();
        tables.any(|known| known.family == family && known.name == table)
    }

    /// The advice for chains that drop pods' packets.
    pub(super) fn advice(&self) -> impl Iterator<Item = &str> {
        self.advice.values().map(String::as_str)
    }

    /// Reads all chains and logs what changed.
    pub(super) fn survey_chains(&mut self, socket: &mut NftSocket) -> Result<(), Error> {
        let chains = socket.base_chains()?;
        let mut tables = BTreeSet::new();
        let mut advice = BTreeMap::new();
        for chain in chains.iter().filter(|chain| forward::is_foreign(chain)) {
            tables.insert(chain.table.clone());
            let rules = socket.rules(&chain.table, None)?;
            if let Some(text) = forward::advice(chain, &rules, &self.pod_cidrs) {
                advice.insert((chain.table.clone(), chain.name.clone()), text);
            }
        }
        for (chain, text) in &advice {
            if self.advice.get(chain) != Some(text) {
                warn!("{text}");
            }
        }
        for (table, chain) in self.advice.keys().filter(|it| !advice.contains_key(it)) {
            info!("chain {chain} of table {table} no longer drops packets of pods");
        }
        (self.tables, self.advice) = (tables, advice);
        Ok(())
    }
}
