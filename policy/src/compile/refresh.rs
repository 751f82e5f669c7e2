//! Which chain each address of this node's pods has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::build::{BuiltChains, ChainBuilder};
use super::engine::Engine;
use crate::cluster::{GroupId, LedgerPod};
use crate::policies::CompiledPolicy;
use crate::rules::{LocalAddress, PodChain, PodName};

/// The group of a pod of this node.
enum LocalGroup {
    /// It is not known yet.
    Undecided,
    /// None: no policy can select the pod.
    NeverSelected,
    Group(GroupId),
}

impl Engine {
    /// Judges the groups anew that some policies select.
    pub(super) fn refresh_selected(&mut self, policies: &[Arc<CompiledPolicy>]) {
        let is_selected = |id: &&GroupId| {
            self.cluster.group(**id).is_some_and(|group| {
                let key = &group.key;
                let labels = self.cluster.namespace_labels(&key.namespace);
                let mut policies = policies.iter();
                policies.any(|it| it.selects(&key.namespace, labels, &key.labels))
            })
        };
        let selected: BTreeSet<_> = self.groups.keys().filter(is_selected).copied().collect();
        if !selected.is_empty() {
            self.refresh(&selected);
        }
    }

    /// Judges a pod anew that may be one of this node.
    pub(super) fn refresh_named(&mut self, name: &PodName) {
        if self.cluster.local().named(name).next().is_some() {
            self.refresh(&BTreeSet::new());
        }
    }

    /// Brings the chains and the addresses of this node's pods up to date. The chains of `changed`
    /// groups are built anew, others only if they are not there yet.
    pub(super) fn refresh(&mut self, changed: &BTreeSet<GroupId>) {
        let locals = self.cluster.local().iter();
        let locals = locals.filter(|it| self.held_addresses(it).next().is_some());
        let groups = locals.filter_map(|it| match self.group_of(it) {
            LocalGroup::Group(id) => Some(id),
            LocalGroup::Undecided | LocalGroup::NeverSelected => None,
        });
        let wanted: BTreeSet<_> = groups.collect();
        let (mut unused, mut built) = (Vec::new(), BuiltChains::new());
        for id in &wanted {
            if !self.groups.contains_key(id) || changed.contains(id) {
                let chains = self.build(*id, &mut built);
                unused.extend(self.groups.insert(*id, chains));
            }
        }
        let gone = self.groups.keys().filter(|id| !wanted.contains(id));
        for id in gone.copied().collect::<Vec<_>>() {
            unused.extend(self.groups.remove(&id));
        }
        self.refresh_addresses();
        // Released last: what old and new chains share stays.
        for chain in unused.into_iter().flatten() {
            let Self {
                cluster,
                sets,
                chains,
                draft,
                ..
            } = self;
            chains.release(chain, cluster, sets, draft);
        }
    }

    fn refresh_addresses(&mut self) {
        let mut addresses = BTreeMap::<IpAddr, LocalAddress>::new();
        for local in self.cluster.local().iter() {
            let chains = match self.group_of(local) {
                LocalGroup::Undecided => [PodChain::Undecided; 2],
                LocalGroup::NeverSelected => [PodChain::NotIsolated; 2],
                LocalGroup::Group(id) => {
                    let chains = self.groups.get(&id).copied();
                    chains.unwrap_or([PodChain::Undecided; 2])
                }
            };
            for address in self.held_addresses(local) {
                let [egress, ingress] = chains;
                let pod = local.name.clone();
                let entry = LocalAddress {
                    pod,
                    egress,
                    ingress,
                };
                addresses.insert(address, entry);
            }
        }
        let known = self.draft.ruleset().local.keys();
        let gone: Vec<_> = known
            .filter(|it| !addresses.contains_key(it))
            .copied()
            .collect();
        for address in gone {
            self.draft.set_local(address, None);
        }
        for (address, local) in addresses {
            self.draft.set_local(address, Some(local));
        }
    }

    /// The addresses of a pod of this node, without those that another one has by now.
    fn held_addresses<'a>(&'a self, local: &'a LedgerPod) -> impl Iterator<Item = IpAddr> + 'a {
        local.addresses.iter().copied().filter(|address| {
            let holder = self.cluster.local().holder(*address);
            holder.is_some_and(|it| it.id == local.id)
        })
    }

    fn group_of(&self, local: &LedgerPod) -> LocalGroup {
        let pod = self.cluster.decide(local).ok();
        match pod.and_then(|id| self.cluster.pod(id)) {
            None => LocalGroup::Undecided,
            Some(pod) => pod
                .group
                .map_or(LocalGroup::NeverSelected, LocalGroup::Group),
        }
    }

    fn build(&mut self, id: GroupId, built: &mut BuiltChains) -> [PodChain; 2] {
        let Some(group) = self.cluster.group(id) else {
            return [PodChain::Undecided; 2];
        };
        let key = Arc::clone(&group.key);
        let mut builder = ChainBuilder {
            cluster: &mut self.cluster,
            sets: &mut self.sets,
            chains: &mut self.chains,
            draft: &mut self.draft,
        };
        builder.build(&key, built)
    }
}
