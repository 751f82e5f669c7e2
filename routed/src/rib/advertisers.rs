//! Which nodes advertise each address, so that an address that several nodes advertise is noticed.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::slice;

use ipnet::IpNet;
use registry::{Snapshot, packed};
use wire::node::NodeName;

/// The nodes by address. There are thousands of addresses, and nearly each has one node.
#[derive(Debug, Default)]
pub(crate) struct Advertisers {
    /// The first node of each address.
    first: BTreeMap<IpAddr, NodeName>,
    /// All nodes of the addresses that have several: virtual ones, or mistakes.
    shared: BTreeMap<IpAddr, Vec<NodeName>>,
}

impl Advertisers {
    /// Those of a snapshot.
    pub(crate) fn new(view: &Snapshot) -> Self {
        let mut all = Self::default();
        for (node, record) in &view.nodes {
            all.change(node, &[], &record.addresses);
        }
        all.first = packed(all.first);
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
            others.extend(self.edit(*gone, |nodes| nodes.retain(|it| it != node)));
        }
        for new in now.iter().filter(|address| !before.contains(address)) {
            others.extend(self.edit(*new, |nodes| {
                if !nodes.contains(node) {
                    nodes.push(node.clone());
                    nodes.sort();
                }
            }));
        }
        others.remove(node);
        others
    }

    /// Changes the nodes of `address`, and returns them.
    fn edit(&mut self, address: IpAddr, edit: impl FnOnce(&mut Vec<NodeName>)) -> Vec<NodeName> {
        let mut nodes: Vec<_> = self.of(address).cloned().collect();
        edit(&mut nodes);
        match nodes.first() {
            Some(first) => self.first.insert(address, first.clone()),
            None => self.first.remove(&address),
        };
        if nodes.len() > 1 {
            self.shared.insert(address, nodes.clone());
        } else {
            self.shared.remove(&address);
        }
        nodes
    }

    /// The nodes that advertise `address`.
    pub(crate) fn of(&self, address: IpAddr) -> impl Iterator<Item = &NodeName> {
        let several = self.shared.get(&address).map(Vec::as_slice);
        let one = || self.first.get(&address).map(slice::from_ref);
        several.or_else(one).into_iter().flatten()
    }

    /// Whether a node advertises an address in `prefix`.
    pub(crate) fn any_in(&self, prefix: IpNet) -> bool {
        let range = prefix.network()..=prefix.broadcast();
        self.first.range(range).next().is_some()
    }

    /// Whether several nodes advertise `address`.
    pub(crate) fn is_shared(&self, address: IpAddr) -> bool {
        self.shared.contains_key(&address)
    }

    /// What to say about each address that several nodes advertise.
    pub(crate) fn shared(&self) -> impl Iterator<Item = String> {
        self.shared.iter().map(|(address, nodes)| {
            let nodes: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
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
