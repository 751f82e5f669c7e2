//! The objects that there are after some events, as the API server would list them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use policy::api::{ClusterNetworkPolicy, Namespace, NetworkPolicy, Pod};
use policy::cluster::LedgerPod;
use policy::compile::PolicyEvent;

/// All objects, by name.
#[derive(Debug, Default)]
pub(crate) struct OracleWorld {
    pub(crate) pods: BTreeMap<(String, String), Pod>,
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    pub(crate) policies: BTreeMap<(String, String), NetworkPolicy>,
    pub(crate) cluster_policies: BTreeMap<String, ClusterNetworkPolicy>,
    /// In the order in which they came.
    pub(crate) locals: Vec<LedgerPod>,
}

impl OracleWorld {
    pub(crate) fn apply(&mut self, event: PolicyEvent) {
        match event {
            PolicyEvent::PodApplied(it) => {
                self.pods
                    .insert((it.namespace.clone(), it.name.clone()), it);
            }
            PolicyEvent::PodDeleted(it) => {
                self.pods
                    .remove(&(it.namespace.to_string(), it.name.to_string()));
            }
            PolicyEvent::NamespaceApplied(it) => {
                self.namespaces.insert(it.name.clone(), it);
            }
            PolicyEvent::NamespaceDeleted(name) => {
                self.namespaces.remove(&name);
            }
            PolicyEvent::NetworkPolicyApplied(it) => {
                let key = (it.metadata.namespace.clone(), it.metadata.name.clone());
                self.policies.insert(key, it);
            }
            PolicyEvent::NetworkPolicyDeleted { namespace, name } => {
                self.policies.remove(&(namespace, name));
            }
            PolicyEvent::ClusterNetworkPolicyApplied(it) => {
                self.cluster_policies.insert(it.metadata.name.clone(), it);
            }
            PolicyEvent::ClusterNetworkPolicyDeleted(name) => {
                self.cluster_policies.remove(&name);
            }
            PolicyEvent::LocalPodAdded(it) => {
                self.locals.retain(|other| other.id != it.id);
                self.locals.push(it);
            }
            PolicyEvent::LocalPodRemoved(id) => self.locals.retain(|it| it.id != id),
        }
    }

    /// The shortest way to the same objects.
    pub(crate) fn events(&self) -> Vec<PolicyEvent> {
        let mut events = Vec::new();
        events.extend(self.locals.iter().cloned().map(PolicyEvent::LocalPodAdded));
        let policies = self.policies.values().cloned();
        events.extend(policies.map(PolicyEvent::NetworkPolicyApplied));
        events.extend(self.pods.values().cloned().map(PolicyEvent::PodApplied));
        let policies = self.cluster_policies.values().cloned();
        events.extend(policies.map(PolicyEvent::ClusterNetworkPolicyApplied));
        let namespaces = self.namespaces.values().cloned();
        events.extend(namespaces.map(PolicyEvent::NamespaceApplied));
        events
    }

    /// The entry of the ledger that has an address.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<&LedgerPod> {
        self.locals
            .iter()
            .rfind(|it| it.addresses.contains(&address))
    }

    /// The pod that an entry of the ledger is of.
    pub(crate) fn pod_of(&self, local: &LedgerPod) -> Option<&Pod> {
        let key = (
            local.name.namespace.to_string(),
            local.name.name.to_string(),
        );
        let pod = self.pods.get(&key)?;
        let uid = local.uid.as_ref();
        let is_same = |uid: &String| *uid == pod.uid || Some(uid) == pod.mirrored_uid.as_ref();
        uid.is_none_or(is_same).then_some(pod)
    }

    /// The pods that have an address at this time.
    pub(crate) fn owners(&self, address: IpAddr) -> Vec<&Pod> {
        let is_alive = |pod: &&Pod| !pod.has_ended && !pod.host_network;
        if let Some(local) = self.holder(address) {
            return self.pod_of(local).filter(is_alive).into_iter().collect();
        }
        let is_local = |pod: &Pod| {
            let mut pods = self.locals.iter().filter_map(|it| self.pod_of(it));
            pods.any(|it| (&it.namespace, &it.name) == (&pod.namespace, &pod.name))
        };
        let pods = self.pods.values().filter(is_alive);
        let pods = pods.filter(|pod| pod.addresses.contains(&address) && !is_local(pod));
        pods.collect()
    }
}
