//! Hands the registry's events to the RIB, the firewall, the state file and the node's setup.

use std::time::Instant;

use ipnet::IpNet;
use registry::{NodeRecord, RegistryChange, RegistryEvent, Snapshot};
use tracing::info;
use wire::node::NodeName;

use crate::daemon::Daemon;
use crate::daemon::pacing::start_over_delay;
use crate::text::list;

impl Daemon {
    /// Takes in one event.
    pub(crate) fn handle(&mut self, event: RegistryEvent) {
        match event {
            RegistryEvent::Reset(view) if self.is_of_other_network(&view) => {}
            RegistryEvent::Reset(view) => {
                self.reload_owned();
                let wrong = self.take_own_record(view.nodes.get(&self.node));
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
                let mut own = changes.iter().filter_map(|change| match change {
                    RegistryChange::Node(node, record) if *node == self.node => Some(record),
                    _ => None,
                });
                let wrong = own
                    .next_back()
                    .is_some_and(|own| self.take_own_record(own.as_ref()));
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

    /// Takes in the record that the registry has of this node. Returns whether this node has to
    /// write another. In Kubernetes, the kubelet writes it, and peers use the addresses in it.
    fn take_own_record(&mut self, record: Option<&NodeRecord>) -> bool {
        if self.conf.kubernetes.is_none() {
            return self.node_setup.is_wrong(record);
        }
        if let Some(record) = record
            && self.node_setup.set_registered_addresses(&record.addresses)
        {
            self.setup_due_at = Some(Instant::now());
        }
        false
    }

    /// Whether `view` is of other pod CIDRs than this daemon works with, and the daemon starts over
    /// with these.
    fn is_of_other_network(&mut self, view: &Snapshot) -> bool {
        let is_derived = self.conf.has_derived_pod_cidrs();
        let Some(network) = view.network.as_ref().filter(|_| is_derived) else {
            return false;
        };
        let cidrs = &network.pod_cidrs;
        if cidrs.is_empty() || *cidrs == self.conf.pod_cidrs {
            return false;
        }
        let known = self.reconciler.rib().last_seen().cluster;
        if known.is_some_and(|cluster| cluster != view.cluster) {
            // It may be the wrong one. If this node is in it, peers may be there later.
            self.reconciler.hold_all();
            self.other_cluster = Some((view.cluster, cidrs.clone()));
            return false;
        }
        self.start_over_with(cidrs)
    }

    /// The cluster `cluster` has this node, with its machine and its subnets: it is the right one.
    pub(super) fn joined_cluster(&mut self, cluster: Option<u64>) {
        let is_joined = |(other, _): &mut (u64, Vec<IpNet>)| cluster == Some(*other);
        if let Some((_, cidrs)) = self.other_cluster.take_if(is_joined) {
            self.start_over_with(&cidrs);
        }
    }

    /// Stores the pod CIDRs for the next start, which is soon. Until then the daemon goes on with
    /// those before. Returns whether that succeeded.
    fn start_over_with(&mut self, cidrs: &[IpNet]) -> bool {
        if !self.state_file.set_pod_cidrs(cidrs) {
            return false;
        }
        if self.start_over_at.is_some() {
            return true;
        }
        let delay = start_over_delay(&self.conf.pod_cidrs);
        self.start_over_at = Some(Instant::now() + delay);
        let (subnets, seconds) = (list(cidrs), delay.as_secs_f32());
        info!(
            subnet = %subnets,
            "the pod CIDRs of all nodes are inside {subnets}: starting over with that in {seconds:.1} s"
        );
        true
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
