//! What the daemon says when it is asked.

use super::Daemon;
use crate::kernel::Netlink;
use crate::status::Gatherer;
use crate::status::query::Ask;

impl Daemon {
    /// Answers a question. Whoever put it may have gone.
    pub(crate) fn answer(&self, ask: Ask) {
        match ask {
            Ask::Pulse(answer) => drop(answer.send(())),
            Ask::Status(answer) => drop(answer.send(self.gatherer().status())),
            Ask::Nodes(answer) => drop(answer.send(self.gatherer().nodes())),
            Ask::Routes(answer) => drop(answer.send(self.gatherer().routes())),
        }
    }

    fn gatherer(&self) -> Gatherer<'_, Netlink> {
        let said = [&self.trouble, &self.misnamed];
        let troubles = said.into_iter().filter_map(|said| said.current());
        Gatherer {
            network: &self.network,
            node: &self.node,
            is_local: self.is_local,
            reconciler: &self.reconciler,
            firewall: &self.firewall,
            chores: &self.chores,
            journal: &self.journal,
            troubles: troubles.chain(self.memory.trouble()).collect(),
        }
    }
}
