//! Which pod of the API a pod of this node is.

use super::Cluster;
use super::ids::PodId;
use super::local_pods::LedgerPod;
use crate::rules::PodName;

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

impl Cluster {
    /// Adds or replaces a pod of this node.
    pub(crate) fn put_local(&mut self, pod: LedgerPod) {
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
    pub fn identify(&self, local: &LedgerPod) -> Result<PodId, UndecidedReason> {
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
    pub fn decide(&self, local: &LedgerPod) -> Result<PodId, UndecidedReason> {
        let id = self.identify(local)?;
        match self.namespace_labels(&local.name.namespace) {
            Some(_) => Ok(id),
            None => Err(UndecidedReason::UnknownNamespace),
        }
    }
}
