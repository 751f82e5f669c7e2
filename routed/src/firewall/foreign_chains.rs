//! Chains of others that drop what a node forwards, and that are none of our business to change.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use tracing::{info, warn};
use wire::netlink::Error;
use wire::nft::{Family, Socket, TableId};

use crate::firewall::forward;

/// What is known of them.
#[derive(Debug)]
pub(super) struct ForeignChains {
    pod_cidrs: Vec<IpNet>,
    tables: BTreeSet<TableId>,
    /// What was told of which chain.
    advice: BTreeMap<(TableId, String), String>,
}

impl ForeignChains {
    /// Nothing is known yet.
    pub(super) fn new(pod_cidrs: &[IpNet]) -> Self {
        Self {
            pod_cidrs: pod_cidrs.to_vec(),
            tables: BTreeSet::new(),
            advice: BTreeMap::new(),
        }
    }

    /// Whether a change there matters.
    pub(super) fn is_affected(&self, family: Family, table: &str) -> bool {
        let mut tables = self.tables.iter();
        tables.any(|known| known.family == family && known.name == table)
    }

    /// What to tell those who keep chains that drop pods' packets.
    pub(super) fn advice(&self) -> impl Iterator<Item = &str> {
        self.advice.values().map(String::as_str)
    }

    /// Looks at all of them and tells what is new.
    pub(super) fn survey_chains(&mut self, socket: &mut Socket) -> Result<(), Error> {
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
            info!("chain {chain} of table {table} does not keep pods' packets back any more");
        }
        (self.tables, self.advice) = (tables, advice);
        Ok(())
    }
}
