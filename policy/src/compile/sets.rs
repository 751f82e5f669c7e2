//! Which sets there are: those that chains refer to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use wire::text::printable;

use super::draft::Draft;
use super::parts::PortByName;
use crate::api::L4Protocol;
use crate::cluster::{Cluster, GroupId, GroupKey};
use crate::policies::NetworkSet;
use crate::rules::{PeerSet, PortRange, SetContent, SetElement, SetId};
use crate::selector::{LabelSet, PodSelector, SelectorIndex};

/// What a set is of. Sets of the same are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum SetKey {
    /// Addresses of pods.
    Pods(PodSelector),
    /// Ports that pods have by name.
    NamedPorts {
        pods: PodSelector,
        ports: Arc<[PortByName]>,
    },
    /// Prefixes.
    Networks(Arc<[NetworkSet]>),
    /// Ports of a protocol by number.
    PortRanges(L4Protocol, Arc<[PortRange]>),
}

/// The sets.
#[derive(Debug, Default)]
pub(super) struct SetTable {
    by_key: HashMap<SetKey, SetId>,
    by_id: BTreeMap<SetId, SetUse>,
    index: SelectorIndex<SetId>,
    next: u32,
}

#[derive(Debug)]
struct SetUse {
    key: SetKey,
    /// How many chains refer to it.
    chains: usize,
}

impl SetKey {
    fn selector(&self) -> Option<&PodSelector> {
        match self {
            Self::Pods(pods) | Self::NamedPorts { pods, .. } => Some(pods),
            Self::Networks(_) | Self::PortRanges(..) => None,
        }
    }

    fn description(&self) -> String {
        match self {
            Self::Pods(pods) => pods.to_string(),
            Self::Networks(networks) => listed(networks),
            Self::PortRanges(protocol, ranges) => format!("{protocol} {}", listed(ranges)),
            Self::NamedPorts { pods, ports } => format!("{} of {pods}", listed(ports)),
        }
    }

    fn empty(&self) -> SetContent {
        match self {
            Self::Pods(_) => SetContent::Pods(BTreeSet::new()),
            Self::NamedPorts { .. } => SetContent::NamedPorts(BTreeSet::new()),
            Self::Networks(networks) => SetContent::Networks(NetworkSet::union(networks).into()),
            Self::PortRanges(_, ranges) => SetContent::PortRanges(Arc::clone(ranges)),
        }
    }

    /// What of an address is in the set, if its pod is selected.
    fn elements(&self, group: &GroupKey, address: IpAddr) -> Vec<SetElement> {
        match self {
            Self::Pods(_) => vec![SetElement::Address(address)],
            Self::Networks(_) | Self::PortRanges(..) => Vec::new(),
            Self::NamedPorts { ports, .. } => {
                let of_pods = group.ports.iter();
                let of_pods = of_pods.filter(|port| ports.iter().any(|it| it.is(port)));
                of_pods
                    .map(|it| SetElement::Port(address, it.protocol, it.port))
                    .collect()
            }
        }
    }
}

impl SetTable {
    /// The set of this key, which is made and filled if there is none. It stays only if a chain that
    /// refers to it is then counted.
    pub(super) fn ensure(
        &mut self,
        key: SetKey,
        cluster: &mut Cluster,
        draft: &mut Draft,
    ) -> SetId {
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        let id = SetId(self.next);
        self.next += 1;
        let set = PeerSet {
            // In a ClusterNetworkPolicy, the API takes any text as a label.
            description: printable(&key.description()).into(),
            content: key.empty(),
        };
        draft.add_set(id, set);
        if let Some(selector) = key.selector() {
            self.index.insert(selector, id);
            fill(id, selector, &key, cluster, draft);
        }
        self.by_key.insert(key.clone(), id);
        self.by_id.insert(id, SetUse { key, chains: 0 });
        id
    }

    /// Counts one more chain that refers to the set.
    pub(super) fn acquire(&mut self, id: SetId) {
        if let Some(set) = self.by_id.get_mut(&id) {
            set.chains += 1;
        }
    }

    /// Counts one chain less, and removes the set with the last.
    pub(super) fn release(&mut self, id: SetId, cluster: &mut Cluster, draft: &mut Draft) {
        let Some(set) = self.by_id.get_mut(&id) else {
            return;
        };
        set.chains -= 1;
        if set.chains > 0 {
            return;
        }
        if let Some(SetUse { key, .. }) = self.by_id.remove(&id) {
            self.by_key.remove(&key);
            draft.remove_set(id);
            if let Some(selector) = key.selector() {
                self.index.remove(selector, id);
                empty(id, selector, cluster);
            }
        }
    }

    /// The sets in which pods of a group are, if their namespace has these labels.
    pub(super) fn matching(&self, group: &GroupKey, labels: Option<&LabelSet>) -> Arc<[SetId]> {
        let candidates = self.index.candidates(&group.namespace, &group.labels);
        let matching = candidates.into_iter().filter(|id| {
            let selector = self.by_id.get(id).and_then(|it| it.key.selector());
            selector.is_some_and(|it| it.matches(&group.namespace, labels, &group.labels))
        });
        matching.collect()
    }

    /// The sets in which pods of a group are.
    fn sets_of(&self, id: GroupId, cluster: &mut Cluster) -> Arc<[SetId]> {
        let Some(group) = cluster.group(id) else {
            return Arc::default();
        };
        if let Some(sets) = &group.sets {
            return Arc::clone(sets);
        }
        let labels = cluster.namespace_labels(&group.key.namespace);
        let sets = self.matching(&group.key, labels);
        if let Some(group) = cluster.group_mut(id) {
            group.sets = Some(Arc::clone(&sets));
        }
        sets
    }

    /// Everything that the sets have of some addresses.
    pub(super) fn memberships(
        &self,
        addresses: &BTreeSet<IpAddr>,
        cluster: &mut Cluster,
    ) -> BTreeSet<(SetId, SetElement)> {
        let mut found = BTreeSet::new();
        for address in addresses {
            for pod in cluster.owners(*address) {
                let Some(group) = cluster.pod(pod).and_then(|it| it.group) else {
                    continue;
                };
                let sets = self.sets_of(group, cluster);
                let Some(group) = cluster.group(group) else {
                    continue;
                };
                for id in sets.iter() {
                    let key = self.by_id.get(id).map(|it| &it.key);
                    let elements = key.map(|it| it.elements(&group.key, *address));
                    found.extend(elements.into_iter().flatten().map(|it| (*id, it)));
                }
            }
        }
        found
    }
}

fn listed(parts: &[impl fmt::Display]) -> String {
    let words: Vec<_> = parts.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// Fills a new set.
fn fill(id: SetId, selector: &PodSelector, key: &SetKey, cluster: &mut Cluster, draft: &mut Draft) {
    for group_id in cluster.groups_in(&selector.namespaces) {
        let Some(group) = cluster.group_mut(group_id) else {
            continue;
        };
        if !selector.pods.matches(&group.key.labels) {
            continue;
        }
        if let Some(sets) = &group.sets {
            // The numbers grow: the list stays sorted.
            group.sets = Some(sets.iter().copied().chain([id]).collect());
        }
        let Some(group) = cluster.group(group_id) else {
            continue;
        };
        for pod in &group.pods {
            for address in cluster.addresses_of(*pod) {
                for element in key.elements(&group.key, address) {
                    draft.add_element(id, element);
                }
            }
        }
    }
}

/// Forgets with the groups that their pods were in a set.
fn empty(id: SetId, selector: &PodSelector, cluster: &mut Cluster) {
    for group_id in cluster.groups_in(&selector.namespaces) {
        let Some(group) = cluster.group_mut(group_id) else {
            continue;
        };
        if let Some(sets) = &group.sets
            && sets.contains(&id)
        {
            group.sets = Some(sets.iter().copied().filter(|it| *it != id).collect());
        }
    }
}
