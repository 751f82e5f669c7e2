//! Asks the membership task to register this node, and to register it again when the registry
//! lacks its record or its claims.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use registry::NodeRecord;
use tokio::sync::watch;
use wire::node::NodeName;

use crate::membership::DesiredRegistration;

/// What to ask for, and where.
#[derive(Debug)]
pub(super) struct RegistrationRequests {
    requests: watch::Sender<Option<DesiredRegistration>>,
    desired: DesiredRegistration,
    /// Whether the registry was read: before that, this node writes nothing there.
    registry_seen: bool,
}

impl RegistrationRequests {
    /// Nothing is asked for yet. `record` is this node's, still without addresses.
    pub(super) fn new(
        record: NodeRecord,
        requests: watch::Sender<Option<DesiredRegistration>>,
    ) -> Self {
        let desired = DesiredRegistration {
            record,
            generation: 0,
            lost: BTreeMap::new(),
        };
        Self {
            requests,
            desired,
            registry_seen: false,
        }
    }

    /// The record that the registry should have of this node.
    pub(super) fn record(&self) -> &NodeRecord {
        &self.desired.record
    }

    /// See [`super::NodeSetup::registry_seen`].
    pub(super) fn registry_seen(&mut self, lacks: bool, lost: BTreeMap<IpNet, NodeName>) {
        self.registry_seen = true;
        self.desired.lost = lost;
        self.desired.generation += u64::from(lacks);
        self.request();
    }

    /// Peers reach this node by these addresses from now on.
    pub(super) fn set_addresses(&mut self, addresses: &[IpAddr]) {
        self.desired.record.addresses = addresses.to_vec();
        self.request();
    }

    fn request(&self) {
        let is_possible = self.registry_seen && !self.desired.record.addresses.is_empty();
        if is_possible && self.requests.borrow().as_ref() != Some(&self.desired) {
            self.requests.send_replace(Some(self.desired.clone()));
        }
    }
}
