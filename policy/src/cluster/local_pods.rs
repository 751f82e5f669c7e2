//! The pods of this node, as the ledger has them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::rules::PodName;

/// A pod of this node: an attachment in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPod {
    /// What tells attachments apart: for example the container id and the interface name.
    pub id: String,
    /// The pod. An attachment without a pod's name has empty ones, and is never decided.
    pub name: PodName,
    /// The UID that the runtime told; `None` if the entry was written before that was kept.
    pub uid: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// All pods of this node.
#[derive(Debug, Default)]
pub struct LocalPods {
    all: BTreeMap<Arc<str>, LedgerPod>,
    by_name: HashMap<PodName, BTreeSet<Arc<str>>>,
    /// The last one has the address: the ledger frees it before another gets it, but that may be seen
    /// in the other order.
    by_address: HashMap<IpAddr, Vec<Arc<str>>>,
}

impl LocalPods {
    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &LedgerPod> {
        self.all.values()
    }

    /// The pod that has an address.
    pub fn holder(&self, address: IpAddr) -> Option<&LedgerPod> {
        self.all.get(self.by_address.get(&address)?.last()?)
    }

    /// Those with this name: more than one while a pod is replaced.
    pub fn named(&self, name: &PodName) -> impl Iterator<Item = &LedgerPod> {
        let ids = self.by_name.get(name).into_iter().flatten();
        ids.filter_map(|id| self.all.get(id))
    }

    /// By its id.
    pub fn get(&self, id: &str) -> Option<&LedgerPod> {
        self.all.get(id)
    }

    pub(super) fn insert(&mut self, pod: LedgerPod) {
        let id = Arc::<str>::from(pod.id.as_str());
        let ids = self.by_name.entry(pod.name.clone()).or_default();
        ids.insert(Arc::clone(&id));
        for address in &pod.addresses {
            self.by_address
                .entry(*address)
                .or_default()
                .push(Arc::clone(&id));
        }
        self.all.insert(id, pod);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<LedgerPod> {
        let pod = self.all.remove(id)?;
        for address in &pod.addresses {
            if let Some(ids) = self.by_address.get_mut(address) {
                ids.retain(|it| **it != *id);
                if ids.is_empty() {
                    self.by_address.remove(address);
                }
            }
        }
        if let Some(ids) = self.by_name.get_mut(&pod.name) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_name.remove(&pod.name);
            }
        }
        Some(pod)
    }
}
