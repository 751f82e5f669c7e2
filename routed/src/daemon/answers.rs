//! What the daemon says when it is asked.

use super::Daemon;
use crate::kernel::Netlink;
use crate::status::Collector;
use crate::status::query::Query;

impl Daemon {
    /// Answers a question. Whoever put it may have gone.
    pub(crate) fn answer(&self, ask: Query) {
        match ask {
            Query::Pulse(answer) => drop(answer.send(())),
            Query::Status(answer) => drop(answer.send(self.gatherer().status())),
            Query::Nodes(answer) => drop(answer.send(self.gatherer().nodes())),
            Query::Routes(answer) => drop(answer.send(self.gatherer().routes())),
        }
    }

    fn gatherer(&self) -> Collector<'_, Netlink> {
        let said = [&self.trouble, &self.misnamed];
        let troubles = said.into_iter().filter_map(|said| said.current());
        Collector {
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
