//! Answers queries (status, nodes, routes) from what the daemon knows.

use super::Daemon;
use crate::kernel::Netlink;
use crate::status::Collector;
use crate::status::query::Query;

impl Daemon {
    /// Answers a query. The receiver may be gone.
    pub(crate) fn answer(&self, query: Query) {
        match query {
            Query::Ping(answer) => drop(answer.send(())),
            Query::Status(answer) => drop(answer.send(self.collector().status())),
            Query::NodeReport(answer) => drop(answer.send(self.collector().node_report())),
            Query::Nodes(answer) => drop(answer.send(self.collector().nodes())),
            Query::Routes(answer) => drop(answer.send(self.collector().routes())),
        }
    }

    fn collector(&self) -> Collector<'_, Netlink> {
        let troubles = [&self.pass_failure, &self.foreign_subnets];
        let troubles = troubles.into_iter().filter_map(|trouble| trouble.current());
        let troubles = troubles.chain(self.address_failure.as_deref());
        Collector {
            network: &self.conf.network,
            node: &self.node,
            is_local: self.conf.is_local(),
            reconciler: &self.reconciler,
            firewall: &self.firewall,
            node_setup: &self.node_setup,
            health: &self.health,
            troubles: troubles.chain(self.state_file.failure()).collect(),
        }
    }
}
