//! All Nodes as a snapshot of the registry, and what a change of one of them changes there.
//!
//! A pod CIDR belongs to one node. Where several Nodes have it, or have overlapping ones, it belongs
//! to the oldest: the others were given it by mistake, and pods of the oldest may use it. All nodes
//! decide this alike.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::kubernetes::node::{Age, Node, NodeFacts};
use crate::kubernetes::pod_cidrs::widen;
use crate::records::{Claim, Network};
use crate::snapshot::{RegistryChange, Snapshot};

/// Those that have a pod CIDR, the owner first: by age, then by name.
type Holders = BTreeSet<(Age, NodeName)>;

/// The last entry of a record that is ignored: which part of the Node is meant.
const REJECTED: &str = "podCIDRs";

/// All Nodes, as far as they matter.
#[derive(Debug)]
pub(super) struct View {
    /// The pod CIDRs of the network.
    pod_cidrs: Vec<IpNet>,
    /// Whether `pod_cidrs` are those of the conflist, which do not change.
    is_configured: bool,
    nodes: BTreeMap<NodeName, NodeFacts>,
    holders: BTreeMap<IpNet, Holders>,
}

/// What a change of the Nodes is for the receiver.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// These changes; none if nothing that matters changed.
    Changes(Vec<RegistryChange>),
    /// The network itself changed.
    Reset,
}

/// The part of a snapshot that the Nodes with some pod CIDRs decide.
#[derive(Debug, Default)]
struct Extract {
    owners: BTreeMap<IpNet, NodeName>,
    problems: BTreeMap<NodeName, String>,
}

impl View {
    /// A view without Nodes. `known` are the pod CIDRs of the conflist if it names any, else those
    /// that earlier Nodes needed.
    pub(super) fn new(known: &[IpNet], is_configured: bool) -> Self {
        Self {
            pod_cidrs: known.to_vec(),
            is_configured,
            nodes: BTreeMap::new(),
            holders: BTreeMap::new(),
        }
    }

    /// Replaces all Nodes. The network never becomes smaller: routes and rules in the kernel rest
    /// on it.
    pub(super) fn reset(&mut self, nodes: Vec<Node>) {
        self.nodes.clear();
        self.holders.clear();
        for node in nodes {
            if let Some(name) = node.name {
                self.set(&name, Some(node.facts));
            }
        }
        // The pod CIDRs of the oldest Nodes count first, so that all nodes decide alike.
        let mut by_age: Vec<_> = self.nodes.values().map(|it| (&it.age, it)).collect();
        by_age.sort_unstable_by_key(|(age, _)| *age);
        let all = by_age.iter().flat_map(|(_, facts)| facts.pod_cidrs.iter());
        let owned: Vec<_> = all
            .filter(|it| self.oldest(it).is_some())
            .copied()
            .collect();
        self.widen(&owned);
    }

    /// Makes the network `known` if it is a part of that.
    pub(super) fn keep_wider(&mut self, known: &[IpNet]) {
        let is_known = |cidr: &IpNet| known.iter().any(|known| known.contains(cidr));
        if self.pod_cidrs.iter().all(is_known) {
            self.pod_cidrs = known.to_vec();
        }
    }

    /// Takes in what a Node says now; `None` if it was deleted.
    pub(super) fn update(&mut self, name: &NodeName, now: Option<NodeFacts>) -> Update {
        let before = self.nodes.get(name).cloned();
        if before == now {
            return Update::Changes(Vec::new());
        }
        let both = [&before, &now].into_iter().flatten();
        let touched: Vec<_> = both.flat_map(|it| it.pod_cidrs.clone()).collect();
        let mut changes = node_changes(name, before.as_ref(), now.as_ref());
        let (network, extract) = (self.pod_cidrs.clone(), self.extract(name, &touched));
        self.set(name, now);
        let all = touched.iter().flat_map(|subnet| self.overlapping(subnet));
        let owned = all.map(|(subnet, _)| *subnet);
        let owned: Vec<_> = owned.filter(|it| self.oldest(it).is_some()).collect();
        self.widen(&owned);
        if self.pod_cidrs != network {
            return Update::Reset;
        }
        changes.extend(extract.changes_to(self.extract(name, &touched)));
        Update::Changes(changes)
    }

    /// Everything, as of this revision of this cluster.
    pub(super) fn snapshot(&self, cluster: u64, revision: i64) -> Snapshot {
        let mut snapshot = Snapshot {
            revision,
            cluster,
            network: Some(self.network()),
            ..Snapshot::default()
        };
        let mut changes = Vec::new();
        for (name, facts) in &self.nodes {
            changes.extend(node_changes(name, None, Some(facts)));
            if let Some(why) = self.problem(name) {
                changes.push(rejected(name, Some(why)));
            }
        }
        let owned = self.holders.keys().filter_map(|subnet| {
            let node = self.owner(subnet)?.clone();
            Some(RegistryChange::Subnet(*subnet, Some(Claim { node })))
        });
        changes.extend(owned);
        snapshot.apply(revision, changes);
        snapshot
    }

    /// The network that the Nodes are in. Kubernetes decides on the lengths of their pod CIDRs.
    pub(super) fn network(&self) -> Network {
        Network {
            pod_cidrs: self.pod_cidrs.clone(),
            subnet_lengths: Vec::new(),
        }
    }

    /// What the Node `name` says.
    pub(super) fn node(&self, name: &NodeName) -> Option<&NodeFacts> {
        self.nodes.get(name)
    }

    /// The pod CIDRs that belong to `name`.
    pub(super) fn owned_by(&self, name: &NodeName) -> Vec<IpNet> {
        let pod_cidrs = self.nodes.get(name).map(|facts| &facts.pod_cidrs);
        let all = pod_cidrs.into_iter().flatten();
        all.filter(|subnet| self.owner(subnet) == Some(name))
            .copied()
            .collect()
    }

    /// Why a pod CIDR of `name` is not used.
    pub(super) fn problem(&self, name: &NodeName) -> Option<String> {
        let facts = self.nodes.get(name)?;
        let problem = facts.pod_cidrs.iter().find_map(|subnet| {
            if !self.is_inside(subnet) {
                let cidrs: Vec<_> = self.pod_cidrs.iter().map(ToString::to_string).collect();
                return Some(format!(
                    "pod CIDR {subnet} is not inside {}",
                    cidrs.join(", ")
                ));
            }
            let holders = self.overlapping(subnet).flat_map(|(_, holders)| holders);
            let (_, owner) = holders.min().filter(|(_, owner)| owner != name)?;
            Some(format!(
                "pod CIDR {subnet} belongs to the older node {owner}"
            ))
        });
        problem.or_else(|| facts.flaw.clone())
    }

    fn set(&mut self, name: &NodeName, facts: Option<NodeFacts>) {
        if let Some(before) = self.nodes.remove(name) {
            let holder = (before.age, name.clone());
            for subnet in before.pod_cidrs {
                if let Some(holders) = self.holders.get_mut(&subnet) {
                    holders.remove(&holder);
                    if holders.is_empty() {
                        self.holders.remove(&subnet);
                    }
                }
            }
        }
        let Some(facts) = facts else {
            return;
        };
        for subnet in &facts.pod_cidrs {
            let holders = self.holders.entry(*subnet).or_default();
            holders.insert((facts.age.clone(), name.clone()));
        }
        self.nodes.insert(name.clone(), facts);
    }

    /// Widens the network for `subnets`, unless the conflist says what it is.
    fn widen(&mut self, subnets: &[IpNet]) {
        if !self.is_configured {
            self.pod_cidrs = widen(&self.pod_cidrs, subnets, |cidr| !self.holds_nodes(cidr));
        }
    }

    /// Whether several nodes have addresses in `cidr`: then the pods have others. Of a single node,
    /// that may be a mistake of its own.
    fn holds_nodes(&self, cidr: &IpNet) -> bool {
        let addresses = self.nodes.values().map(|facts| &facts.record.addresses);
        let inside = addresses.filter(|all| all.iter().any(|address| cidr.contains(address)));
        inside.take(2).count() == 2
    }

    /// The node that `subnet` belongs to.
    fn owner(&self, subnet: &IpNet) -> Option<&NodeName> {
        self.oldest(subnet).filter(|_| self.is_inside(subnet))
    }

    /// The oldest node that has `subnet`, unless an older one has a part of it.
    fn oldest(&self, subnet: &IpNet) -> Option<&NodeName> {
        let first = self.holders.get(subnet)?.first()?;
        let others = self.overlapping(subnet).flat_map(|(_, holders)| holders);
        (others.min() == Some(first)).then_some(&first.1)
    }

    fn is_inside(&self, subnet: &IpNet) -> bool {
        self.pod_cidrs.iter().any(|cidr| cidr.contains(subnet))
    }

    /// The pod CIDRs of Nodes that share addresses with `subnet`, itself included.
    fn overlapping<'a>(
        &'a self,
        subnet: &'a IpNet,
    ) -> impl Iterator<Item = (&'a IpNet, &'a Holders)> {
        let wider = iter::successors(subnet.supernet(), IpNet::supernet);
        let wider = wider.filter_map(|wider| self.holders.get_key_value(&wider));
        // The order is by address, then by length: those inside follow.
        let inside = self.holders.range(subnet..);
        wider.chain(inside.take_while(|(inside, _)| subnet.contains(*inside)))
    }

    /// What the Nodes with pod CIDRs that overlap `touched` own, and what is wrong with them and
    /// with `name`.
    fn extract(&self, name: &NodeName, touched: &[IpNet]) -> Extract {
        let mut extract = Extract::default();
        let mut names = BTreeSet::from([name]);
        for (subnet, holders) in touched.iter().flat_map(|subnet| self.overlapping(subnet)) {
            if let Some(owner) = self.owner(subnet) {
                extract.owners.insert(*subnet, owner.clone());
            }
            names.extend(holders.iter().map(|(_, name)| name));
        }
        let problem = |name: &NodeName| Some((name.clone(), self.problem(name)?));
        extract.problems = names.into_iter().filter_map(problem).collect();
        extract
    }
}

impl Extract {
    /// The changes from this to `now`. What is gone comes first, so that no two claims overlap at
    /// any moment.
    fn changes_to(self, now: Self) -> Vec<RegistryChange> {
        let mut changes = Vec::new();
        for subnet in self.owners.keys().filter(|it| !now.owners.contains_key(it)) {
            changes.push(RegistryChange::Subnet(*subnet, None));
        }
        for name in self
            .problems
            .keys()
            .filter(|it| !now.problems.contains_key(it))
        {
            changes.push(rejected(name, None));
        }
        for (subnet, node) in now.owners {
            if self.owners.get(&subnet) != Some(&node) {
                changes.push(RegistryChange::Subnet(subnet, Some(Claim { node })));
            }
        }
        for (name, why) in now.problems {
            if self.problems.get(&name) != Some(&why) {
                changes.push(rejected(&name, Some(why)));
            }
        }
        changes
    }
}

/// The changes of the node's record and presence.
fn node_changes(
    name: &NodeName,
    before: Option<&NodeFacts>,
    now: Option<&NodeFacts>,
) -> Vec<RegistryChange> {
    let record = |facts: Option<&NodeFacts>| facts.map(|it| it.record.clone());
    let presence = |facts: Option<&NodeFacts>| facts.and_then(|it| it.presence.clone());
    let mut changes = Vec::new();
    if record(before) != record(now) {
        changes.push(RegistryChange::Node(name.clone(), record(now)));
    }
    if presence(before) != presence(now) {
        changes.push(RegistryChange::Presence(name.clone(), presence(now)));
    }
    changes
}

/// `why` a pod CIDR of the Node is ignored, or that it is not ignored any more.
fn rejected(name: &NodeName, why: Option<String>) -> RegistryChange {
    RegistryChange::Rejected {
        key: format!("nodes/{name}/{REJECTED}"),
        why,
    }
}

#[cfg(test)]
mod tests;
