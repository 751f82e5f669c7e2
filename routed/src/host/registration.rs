//! Asks the membership task to register this node, and to register it again when the registry
//! lacks its record or its claims.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use registry::NodeRecord;
use tokio::sync::watch;
use wire::node::{MachineId, NodeName};

use crate::membership::DesiredRegistration;

/// What to ask for, and where.
#[derive(Debug)]
pub(super) struct RegistrationRequests {
    machine: MachineId,
    requests: watch::Sender<Option<DesiredRegistration>>,
    /// Whether the registry was read: before that, this node writes nothing there.
    registry_seen: bool,
    generation: u64,
    lost: BTreeMap<IpNet, NodeName>,
}

impl RegistrationRequests {
    /// Nothing is asked for yet.
    pub(super) fn new(
        machine: MachineId,
        requests: watch::Sender<Option<DesiredRegistration>>,
    ) -> Self {
        Self {
            machine,
            requests,
            registry_seen: false,
            generation: 0,
            lost: BTreeMap::new(),
        }
    }

    /// The registry was read. It `lacks` something that this node has to write (again), and it has
    /// given the subnets `lost` to other nodes.
    pub(super) fn registry_seen(&mut self, lacks: bool, lost: BTreeMap<IpNet, NodeName>) {
        self.registry_seen = true;
        self.lost = lost;
        self.generation += u64::from(lacks);
    }

    /// The record that the registry should have of this node.
    pub(super) fn record(&self, addresses: &[IpAddr]) -> NodeRecord {
        NodeRecord {
            addresses: addresses.to_vec(),
            machine_id: self.machine.as_str().to_owned(),
        }
    }

    /// Asks for a registration with these addresses, if the last request was another one.
    pub(super) fn request(&self, addresses: &[IpAddr]) {
        if !self.registry_seen || addresses.is_empty() {
            return;
        }
        let desired = DesiredRegistration {
            record: self.record(addresses),
            generation: self.generation,
            lost: self.lost.clone(),
        };
        self.requests.send_if_modified(|current| {
            let changed = current.as_ref() != Some(&desired);
            if changed {
                *current = Some(desired);
            }
            changed
        });
    }
}
