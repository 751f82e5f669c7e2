//! The pods of this node, as the ledger has them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::{Cluster, PodId};
use crate::rules::PodName;

/// A pod of this node: an attachment in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPod {
    /// What tells attachments apart: for example the container id and the interface name.
    pub id: String,
    /// The pod. An attachment without a pod's name has empty ones, and is never decided.
    pub name: PodName,
    /// The UID that the runtime told; `None` if the entry was written before that was kept.
    pub uid: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// Why it is not known which policies select a pod of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UndecidedReason {
    /// The API has shown no pod of this name.
    UnknownPod,
    /// The API has a pod of this name, but another one.
    OtherUid,
    /// The API has not shown the pod's namespace.
    UnknownNamespace,
}

impl std::fmt::Display for UndecidedReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UnknownPod => "the API server has not shown this pod",
            Self::OtherUid => "the API server shows another pod of this name",
            Self::UnknownNamespace => "the API server has not shown its namespace",
        })
    }
}

/// All pods of this node.
#[derive(Debug, Default)]
pub struct LocalPods {
    all: BTreeMap<Arc<str>, LocalPod>,
    by_name: HashMap<PodName, BTreeSet<Arc<str>>>,
    /// The last one has the address: the ledger frees it before another gets it, but that may be seen
    /// in the other order.
    by_address: HashMap<IpAddr, Vec<Arc<str>>>,
}

impl LocalPods {
    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &LocalPod> {
        self.all.values()
    }

    /// The pod that has an address.
    pub fn holder(&self, address: IpAddr) -> Option<&LocalPod> {
        self.all.get(self.by_address.get(&address)?.last()?)
    }

    /// Those with this name: more than one while a pod is replaced.
    pub fn named(&self, name: &PodName) -> impl Iterator<Item = &LocalPod> {
        let ids = self.by_name.get(name).into_iter().flatten();
        ids.filter_map(|id| self.all.get(id))
    }

    /// By its id.
    pub fn get(&self, id: &str) -> Option<&LocalPod> {
        self.all.get(id)
    }

    fn insert(&mut self, pod: LocalPod) {
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

    fn remove(&mut self, id: &str) -> Option<LocalPod> {
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

impl Cluster {
    /// Adds or replaces a pod of this node.
    pub(crate) fn put_local(&mut self, pod: LocalPod) {
        self.remove_local(&pod.id);
        let name = pod.name.clone();
        self.local.insert(pod);
        self.note_local(&name);
    }

    /// Removes a pod of this node.
    pub(crate) fn remove_local(&mut self, id: &str) {
        if let Some(pod) = self.local.remove(id) {
            self.note_local(&pod.name);
        }
    }

    /// Which pod of the API a pod of this node is.
    pub fn identify(&self, local: &LocalPod) -> Result<PodId, UndecidedReason> {
        let PodName { namespace, name } = &local.name;
        let id = self.pod_id(namespace, name);
        let found = id.and_then(|id| Some((id, self.pod(id)?)));
        let (id, record) = found.ok_or(UndecidedReason::UnknownPod)?;
        let is_same = local
            .uid
            .as_ref()
            .is_none_or(|uid| **uid == *record.uid || record.mirrored_uid.as_deref() == Some(uid));
        is_same.then_some(id).ok_or(UndecidedReason::OtherUid)
    }

    /// The same, once it is known which policies select the pod: policies of the cluster select by the
    /// labels of namespaces, so these have to be known too.
    pub fn decide(&self, local: &LocalPod) -> Result<PodId, UndecidedReason> {
        let id = self.identify(local)?;
        match self.namespace_labels(&local.name.namespace) {
            Some(_) => Ok(id),
            None => Err(UndecidedReason::UnknownNamespace),
        }
    }
}
