//! The FORWARD chains of iptables-nft, which other programs may change through nftables.

use ipnet::IpNet;
use tracing::{info, warn};
use wire::netlink::Error;
use wire::nft::{Hook, IpVersion, NftCommand, NftSocket, TableFamily, TableId};

use crate::firewall::forward::{self, CHAIN};

/// The chains of the IP versions that pods have.
#[derive(Debug)]
pub(super) struct IptablesNft {
    pod_cidrs: Vec<IpNet>,
    chains: Vec<ForwardChain>,
}

#[derive(Debug)]
struct ForwardChain {
    table: TableId,
    /// Whether the chain drops, so that rules of ours are there.
    accepts: bool,
}

impl IptablesNft {
    /// With nothing known yet.
    pub(super) fn new(pod_cidrs: &[IpNet]) -> Self {
        let mut chains: Vec<ForwardChain> = Vec::new();
        for cidr in pod_cidrs {
            chains.push(ForwardChain {
                table: forward::iptables_table(IpVersion::of(cidr.network())),
                accepts: false,
            });
        }
        Self {
            pod_cidrs: pod_cidrs.to_vec(),
            chains,
        }
    }

    /// Whether a change of that chain, or of the whole table if `chain` is `None`, needs a check.
    pub(super) fn is_affected(
        &self,
        family: TableFamily,
        table: &str,
        chain: Option<&str>,
    ) -> bool {
        let is_in =
            |chain: &ForwardChain| chain.table.family == family && chain.table.name == table;
        chain.is_none_or(|chain| chain == CHAIN) && self.chains.iter().any(is_in)
    }

    /// Makes the chains accept pods.
    pub(super) fn reconcile(&mut self, socket: &mut NftSocket) -> Result<(), Error> {
        for chain in &mut self.chains {
            chain.reconcile_chain(socket, &self.pod_cidrs)?;
        }
        Ok(())
    }
}

impl ForwardChain {
    fn reconcile_chain(
        &mut self,
        socket: &mut NftSocket,
        pod_cidrs: &[IpNet],
    ) -> Result<(), Error> {
        let table = &self.table;
        let generation = socket.generation()?;
        let chain = socket.base_chain(table, CHAIN)?;
        let Some(chain) = chain.filter(|chain| chain.hook.number == Hook::FORWARD) else {
            self.accepts = false;
            return Ok(());
        };
        let rules = socket.rules(table, Some(CHAIN))?;
        let commands = forward::plan(&chain, &rules, pod_cidrs);
        socket.apply(&commands, Some(generation))?;
        let accepts = forward::drops(&chain, &rules);
        let adds = |command: &NftCommand| matches!(command, NftCommand::AddRule { .. });
        if commands.iter().any(adds) {
            if self.accepts {
                warn!("our rules in chain {CHAIN} of table {table} were changed: restored");
            } else {
                info!(
                    "chain {CHAIN} of table {table} drops what no rule accepts: added rules that \
                     accept pods"
                );
            }
        } else if !commands.is_empty() {
            info!("chain {CHAIN} of table {table} no longer drops everything: removed our rules");
        }
        self.accepts = accepts;
        Ok(())
    }
}
