//! Hands the registry's events to the RIB, the firewall, the state file and the node's setup.

use registry::{RegistryChange, RegistryEvent};
use wire::node::NodeName;

use crate::daemon::Daemon;

impl Daemon {
    /// Takes in one event.
    pub(crate) fn handle(&mut self, event: RegistryEvent) {
        match event {
            RegistryEvent::Reset(view) => {
                self.reload_owned();
                let wrong = self.node_setup.is_wrong(view.nodes.get(&self.node));
                let lacks = self.reconciler.reset(view) || wrong;
                let rib = self.reconciler.rib();
                let is_trusted = rib.distrust().is_none();
                self.firewall.nodes(rib.addresses(), is_trusted);
                self.state_file.update(self.reconciler.rib(), true);
                self.health.registry_seen(self.reconciler.rib());
                self.node_setup
                    .registry_seen(lacks, self.reconciler.lost_subnets());
            }
            RegistryEvent::Changes { revision, changes } => {
                if self.reconciler.is_about_own(&changes) {
                    self.reload_owned();
                }
                let wrong = changes.iter().any(|change| match change {
                    RegistryChange::Node(node, record) => {
                        *node == self.node && self.node_setup.is_wrong(record.as_ref())
                    }
                    _ => false,
                });
                let (nodes, changed) = (changed_records(&changes), changed_nodes(&changes));
                let before = self.reconciler.rib().addresses_of(&nodes);
                let lacks = self.reconciler.change(revision, changes) || wrong;
                let rib = self.reconciler.rib();
                let is_trusted = rib.distrust().is_none();
                let after = rib.addresses_of(&nodes);
                self.firewall.nodes_changed(&before, &after, is_trusted);
                self.state_file.update(self.reconciler.rib(), false);
                self.health.nodes_changed(&changed, self.reconciler.rib());
                self.node_setup
                    .registry_seen(lacks, self.reconciler.lost_subnets());
            }
            RegistryEvent::Disconnected { why } => self.health.disconnected(why),
            RegistryEvent::Connected => self.health.connected(),
        }
    }
}

/// The nodes whose records or presences changed.
fn changed_nodes(changes: &[RegistryChange]) -> Vec<NodeName> {
    let node = |change: &RegistryChange| match change {
        RegistryChange::Node(node, _) | RegistryChange::Presence(node, _) => Some(node.clone()),
        _ => None,
    };
    changes.iter().filter_map(node).collect()
}

/// The nodes whose records changed.
fn changed_records(changes: &[RegistryChange]) -> Vec<NodeName> {
    let node = |change: &RegistryChange| match change {
        RegistryChange::Node(node, _) => Some(node.clone()),
        _ => None,
    };
    changes.iter().filter_map(node).collect()
}
