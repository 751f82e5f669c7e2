//! The pods of this node, as the ledgers of `flatland-ipam` have them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipam::{Allocation, AllocationChange};
use policy::cluster::LedgerPod;
use policy::compile::PolicyEvent;
use policy::rules::PodName;
use wire::clock::{since_boot, unix_seconds};
use wire::pod_link::host_interface_name;

/// The attachments of this node, by host interface.
#[derive(Debug, Default)]
pub(super) struct AttachedPods(BTreeMap<String, AttachedPod>);

/// What ages of pods are reckoned with.
#[derive(Debug, Clone, Copy)]
pub(super) struct PodClock {
    /// The wall clock, in seconds since 1970.
    unix_seconds: u64,
    /// For how many seconds the machine runs.
    since_boot: u64,
}

#[derive(Debug)]
struct AttachedPod {
    /// `None` for one that no policy can select: Kubernetes does not know it, or it belongs to another
    /// network than that of Kubernetes.
    pod: Option<(PodName, Option<String>)>,
    addresses: BTreeSet<IpAddr>,
    /// When it got its addresses, in seconds since 1970.
    since: u64,
}

impl PodClock {
    /// The time.
    pub(super) fn now() -> Self {
        Self {
            unix_seconds: unix_seconds(),
            since_boot: since_boot().unwrap_or_default().as_secs(),
        }
    }
}

impl AttachedPods {
    /// Takes in a change of the ledger of `network`, and returns the event that it is for the rules.
    pub(super) fn take(
        &mut self,
        network: &str,
        is_policed: bool,
        change: AllocationChange,
    ) -> Option<PolicyEvent> {
        match change {
            AllocationChange::Added(address, allocation) => {
                let interface = interface(network, &allocation)?;
                let pod = self
                    .0
                    .entry(interface.clone())
                    .or_insert_with(|| AttachedPod {
                        pod: is_policed.then(|| name(&allocation)).flatten(),
                        addresses: BTreeSet::new(),
                        since: allocation.since,
                    });
                pod.addresses.insert(address);
                pod.event(interface)
            }
            AllocationChange::Removed(address, allocation) => {
                let interface = interface(network, &allocation)?;
                let pod = self.0.get_mut(&interface)?;
                pod.addresses.remove(&address);
                if !pod.addresses.is_empty() {
                    return pod.event(interface);
                }
                let is_known = pod.pod.is_some();
                self.0.remove(&interface);
                is_known.then_some(PolicyEvent::LocalPodRemoved(interface))
            }
        }
    }

    /// The host interfaces of the pods that no policy can select.
    pub(super) fn unselectable(&self) -> impl Iterator<Item = &str> {
        let all = self.0.iter();
        all.filter(|(_, pod)| pod.pod.is_none())
            .map(|(interface, _)| interface.as_str())
    }

    /// For how long a pod has had its addresses, in whole seconds. As the ledger ends with the boot,
    /// that is not longer than the machine runs: a clock that is set after the boot opens no pod.
    pub(super) fn age(&self, interface: &str, now: PodClock) -> Option<Duration> {
        let since = self.0.get(interface)?.since;
        let age = now.unix_seconds.saturating_sub(since);
        Some(Duration::from_secs(age.min(now.since_boot)))
    }
}

impl AttachedPod {
    fn event(&self, id: String) -> Option<PolicyEvent> {
        let (name, uid) = self.pod.clone()?;
        Some(PolicyEvent::LocalPodAdded(LedgerPod {
            id,
            name,
            uid,
            addresses: self.addresses.iter().copied().collect(),
        }))
    }
}

fn name(allocation: &Allocation) -> Option<(PodName, Option<String>)> {
    let (namespace, name) = (
        allocation.pod_namespace.as_ref()?,
        allocation.pod_name.as_ref()?,
    );
    Some((PodName::new(namespace, name), allocation.pod_uid.clone()))
}

/// `None` for an attachment whose names are invalid, which has no interface of ours.
fn interface(network: &str, allocation: &Allocation) -> Option<String> {
    let attachment = allocation.attachment().ok()?;
    Some(host_interface_name(network, &attachment))
}

#[cfg(test)]
mod tests;
