//! The engine: one event after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use wire::text::printable;

use super::chains::ChainTable;
use super::draft::Draft;
use super::event::PolicyEvent;
use super::sets::SetTable;
use crate::api::{Namespace, Pod};
use crate::cluster::{Cluster, GroupId, LedgerPod, UndecidedReason};
use crate::policies::CompiledPolicy;
use crate::rules::{Change, PodChain, PodName, PolicyName, Ruleset};
use crate::selector::LabelSet;

/// Keeps the rules of a node up to date. The work for an event grows with what it changes.
#[derive(Debug, Default)]
pub struct Engine {
    pub(super) cluster: Cluster,
    pub(super) sets: SetTable,
    pub(super) chains: ChainTable,
    pub(super) draft: Draft,
    /// The chains of the groups of this node's decided pods: for egress, and for ingress.
    pub(super) groups: BTreeMap<GroupId, [PodChain; 2]>,
}

/// What of a policy cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The policy.
    pub policy: PolicyName,
    /// What, in plain words.
    pub text: String,
}

/// A pod of this node whose policies are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndecidedPod<'a> {
    /// The pod.
    pub pod: &'a LedgerPod,
    /// Why.
    pub reason: UndecidedReason,
}

impl Engine {
    /// Takes an event, and gives the change of the rules.
    pub fn apply(&mut self, event: PolicyEvent) -> Change {
        self.handle(event);
        self.draft.take()
    }

    /// Takes several events at once: at the start, or when many come together.
    pub fn apply_all(&mut self, events: impl IntoIterator<Item = PolicyEvent>) -> Change {
        events.into_iter().for_each(|event| self.handle(event));
        self.draft.take()
    }

    /// All rules.
    pub fn ruleset(&self) -> &Ruleset {
        self.draft.ruleset()
    }

    /// What is known of the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What of the policies the API server should have refused, and what cannot be done; in the order
    /// of their names.
    pub fn problems(&self) -> Vec<PolicyProblem> {
        let problems = self.cluster.policies().flat_map(|policy| {
            let problems = policy.problems.iter();
            problems.map(|text| PolicyProblem {
                policy: policy.name.clone(),
                text: printable(text),
            })
        });
        let mut problems: Vec<_> = problems.collect();
        problems.sort_by(|one, other| one.policy.cmp(&other.policy));
        problems
    }

    /// The pods of this node whose policies are not known: their traffic is dropped.
    pub fn undecided(&self) -> impl Iterator<Item = UndecidedPod<'_>> {
        self.cluster.local().iter().filter_map(|pod| {
            let reason = self.cluster.decide(pod).err()?;
            Some(UndecidedPod { pod, reason })
        })
    }

    fn handle(&mut self, event: PolicyEvent) {
        match event {
            PolicyEvent::PodApplied(pod) => self.put_pod(&pod),
            PolicyEvent::PodDeleted(name) => self.remove_pod(&name),
            PolicyEvent::NamespaceApplied(namespace) => self.put_namespace(&namespace),
            PolicyEvent::NamespaceDeleted(name) => self.set_labels(&name, None),
            PolicyEvent::NetworkPolicyApplied(policy) => {
                self.put_policy(CompiledPolicy::of_network_policy(&policy));
            }
            PolicyEvent::NetworkPolicyDeleted { namespace, name } => {
                self.remove_policy(&PolicyName::Namespaced {
                    namespace: namespace.into(),
                    name: name.into(),
                });
            }
            PolicyEvent::ClusterNetworkPolicyApplied(policy) => {
                self.put_policy(CompiledPolicy::of_cluster_policy(&policy));
            }
            PolicyEvent::ClusterNetworkPolicyDeleted(name) => {
                self.remove_policy(&PolicyName::Cluster(name.into()));
            }
            PolicyEvent::LocalPodAdded(pod) => self.put_local(pod),
            PolicyEvent::LocalPodRemoved(id) => self.remove_local(&id),
        }
    }

    fn put_pod(&mut self, pod: &Pod) {
        let name = PodName::new(&pod.namespace, &pod.name);
        let mut touched = self.addresses_named(&name);
        touched.extend(&pod.addresses);
        self.change_members(&touched, |cluster| cluster.put_pod(pod));
        self.refresh_named(&name);
    }

    fn remove_pod(&mut self, name: &PodName) {
        let touched = self.addresses_named(name);
        self.change_members(&touched, |cluster| {
            cluster.remove_pod(&name.namespace, &name.name);
        });
        self.refresh_named(name);
    }

    fn put_local(&mut self, pod: LedgerPod) {
        let mut touched = self.addresses_of_local(&pod.id);
        touched.extend(self.addresses_named(&pod.name));
        touched.extend(&pod.addresses);
        self.change_members(&touched, |cluster| cluster.put_local(pod));
        self.refresh(&BTreeSet::new());
    }

    fn remove_local(&mut self, id: &str) {
        let touched = self.addresses_of_local(id);
        self.change_members(&touched, |cluster| cluster.remove_local(id));
        self.refresh(&BTreeSet::new());
    }

    fn put_namespace(&mut self, namespace: &Namespace) {
        let labels = self.cluster.share_labels(&namespace.labels);
        self.set_labels(&namespace.name, Some(labels));
    }

    /// Changes the labels of a namespace. Only groups whose sets change are looked at closely.
    fn set_labels(&mut self, name: &str, labels: Option<LabelSet>) {
        if self.cluster.namespace_labels(name) == labels.as_ref() {
            return;
        }
        let before = self.cluster.namespace(name);
        let groups = before.map(|it| it.groups.clone()).unwrap_or_default();
        let mut touched = BTreeSet::new();
        let mut moved = Vec::new();
        for id in &groups {
            let Some(group) = self.cluster.group(*id) else {
                continue;
            };
            let old = self.cluster.namespace_labels(name);
            let old = self.sets.matching(&group.key, old);
            if old != self.sets.matching(&group.key, labels.as_ref()) {
                moved.push(*id);
                let pods = group.pods.iter();
                touched.extend(pods.flat_map(|pod| self.cluster.addresses_of(*pod)));
            }
        }
        self.change_members(&touched, |cluster| {
            cluster.put_namespace(name, labels);
            for id in moved {
                if let Some(group) = cluster.group_mut(id) {
                    group.sets = None;
                }
            }
        });
        self.refresh(&groups);
    }

    fn put_policy(&mut self, policy: CompiledPolicy) {
        let policy = Arc::new(policy);
        let before = self.cluster.put_policy(&policy);
        if before.as_ref() != Some(&policy) {
            let both: Vec<_> = before.into_iter().chain([policy]).collect();
            self.refresh_selected(&both);
        }
    }

    fn remove_policy(&mut self, name: &PolicyName) {
        if let Some(before) = self.cluster.remove_policy(name) {
            self.refresh_selected(&[before]);
        }
    }

    fn addresses_named(&self, name: &PodName) -> BTreeSet<IpAddr> {
        self.cluster.addresses_named(name).into_iter().collect()
    }

    /// The addresses that have to do with a pod of this node.
    fn addresses_of_local(&self, id: &str) -> BTreeSet<IpAddr> {
        let Some(local) = self.cluster.local().get(id) else {
            return BTreeSet::new();
        };
        let mut addresses = self.addresses_named(&local.name);
        addresses.extend(&local.addresses);
        addresses
    }

    /// Changes which pods have which of some addresses, and the elements of the sets with it.
    fn change_members(&mut self, touched: &BTreeSet<IpAddr>, change: impl FnOnce(&mut Cluster)) {
        let before = self.sets.memberships(touched, &mut self.cluster);
        change(&mut self.cluster);
        let after = self.sets.memberships(touched, &mut self.cluster);
        for (set, element) in before.difference(&after) {
            self.draft.remove_element(*set, *element);
        }
        for (set, element) in after.difference(&before) {
            self.draft.add_element(*set, *element);
        }
    }
}
