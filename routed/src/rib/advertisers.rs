//! Which nodes advertise each address, so that an address that several nodes advertise is noticed.
//! Pure.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use registry::Snapshot;
use wire::node::NodeName;

/// The nodes by address. Nearly every address has one node, and there are thousands: lists of one are
/// the smallest.
#[derive(Debug, Default)]
pub(crate) struct Advertisers {
    nodes: BTreeMap<IpAddr, Vec<NodeName>>,
    /// The addresses of several nodes: virtual ones, or mistakes.
    shared: BTreeSet<IpAddr>,
}

impl Advertisers {
    /// Those of a snapshot.
    pub(crate) fn new(view: &Snapshot) -> Self {
        let mut all = Self::default();
        for (node, record) in &view.nodes {
            all.change(node, &[], &record.addresses);
        }
        all
    }

    /// The addresses of `node` were `before` and are `now`. Returns the other nodes that have one of
    /// those that changed.
    pub(crate) fn change(
        &mut self,
        node: &NodeName,
        before: &[IpAddr],
        now: &[IpAddr],
    ) -> BTreeSet<NodeName> {
        let mut others = BTreeSet::new();
        for gone in before.iter().filter(|address| !now.contains(address)) {
            if let Entry::Occupied(mut nodes) = self.nodes.entry(*gone) {
                nodes.get_mut().retain(|it| it != node);
                others.extend(nodes.get().iter().cloned());
                if nodes.get().is_empty() {
                    nodes.remove();
                }
            }
            self.mark(*gone);
        }
        for new in now.iter().filter(|address| !before.contains(address)) {
            match self.nodes.entry(*new) {
                Entry::Vacant(vacant) => {
                    vacant.insert(vec![node.clone()]);
                }
                Entry::Occupied(mut nodes) => {
                    others.extend(nodes.get().iter().cloned());
                    if !nodes.get().contains(node) {
                        nodes.get_mut().push(node.clone());
                        nodes.get_mut().sort();
                    }
                }
            }
            self.mark(*new);
        }
        others.remove(node);
        others
    }

    fn mark(&mut self, address: IpAddr) {
        if self.of(address).nth(1).is_some() {
            self.shared.insert(address);
        } else {
            self.shared.remove(&address);
        }
    }

    /// The nodes that advertise `address`.
    pub(crate) fn of(&self, address: IpAddr) -> impl Iterator<Item = &NodeName> {
        self.nodes.get(&address).into_iter().flatten()
    }

    /// Whether a node advertises an address in `prefix`.
    pub(crate) fn any_in(&self, prefix: IpNet) -> bool {
        let range = prefix.network()..=prefix.broadcast();
        self.nodes.range(range).next().is_some()
    }

    /// Whether several nodes advertise `address`.
    pub(crate) fn is_shared(&self, address: IpAddr) -> bool {
        self.shared.contains(&address)
    }

    /// What to say about each address that several nodes advertise.
    pub(crate) fn shared(&self) -> impl Iterator<Item = String> {
        self.shared.iter().map(|address| {
            let nodes: Vec<_> = self.of(*address).map(NodeName::as_str).collect();
            let nodes = nodes.join(" and ");
            format!(
                "{nodes} advertise the same address {address}: peers use it only for a node that has \
                 no other address; if it is a virtual address, make it a /32 or /128, or give each \
                 node its own with --node-address"
            )
        })
    }
}

#[cfg(test)]
mod tests;
