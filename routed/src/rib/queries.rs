//! Read access to the RIB: nodes, addresses, presence, verdicts, ignored records.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use registry::{Presence, RegistryChange};
use wire::node::NodeName;

use crate::rib::Rib;
use crate::rib::advertisers::Advertisers;
use crate::rib::verdict::ClaimVerdict;

impl Rib {
    /// The addresses of all nodes, this one included.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let records = self.view.iter().flat_map(|view| view.nodes.values());
        records.flat_map(|record| record.addresses.iter().copied())
    }

    /// Which nodes advertise each address.
    pub(crate) fn advertisers(&self) -> &Advertisers {
        &self.advertisers
    }

    /// The claims of the nodes that advertise `address`.
    pub(crate) fn claims_behind(&self, address: IpAddr) -> BTreeSet<IpNet> {
        let nodes = self.advertisers.of(address);
        nodes.flat_map(|node| self.claims.of(node)).collect()
    }

    /// The addresses of these nodes.
    pub(crate) fn addresses_of(&self, nodes: &[NodeName]) -> Vec<IpAddr> {
        let record = |node| self.view.as_ref()?.nodes.get(node);
        let records = nodes.iter().filter_map(record);
        records
            .flat_map(|record| record.addresses.iter().copied())
            .collect()
    }

    /// Every claim with its node and its verdict.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = (IpNet, &NodeName, &ClaimVerdict)> {
        let all = self.judged.iter();
        all.map(|(subnet, judged)| (*subnet, &judged.node, &judged.verdict))
    }

    /// Every registered node with its addresses.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&NodeName, &[IpAddr])> {
        let records = self.view.iter().flat_map(|view| &view.nodes);
        records.map(|(node, record)| (node, record.addresses.as_slice()))
    }

    /// Whether that node advertises more than one address.
    pub(crate) fn has_several_addresses(&self, node: &NodeName) -> bool {
        let view = self.view.as_ref();
        let record = view.and_then(|view| view.nodes.get(node));
        record.is_some_and(|record| record.addresses.len() > 1)
    }

    /// Whether that node is registered.
    pub(crate) fn is_registered(&self, node: &NodeName) -> bool {
        self.view
            .as_ref()
            .is_some_and(|view| view.nodes.contains_key(node))
    }

    /// The presence of that node, if it has one.
    pub(crate) fn presence(&self, node: &NodeName) -> Option<&Presence> {
        self.view.as_ref()?.presence.get(node)
    }

    /// Whether `change` is about an ignored record that was not known yet.
    pub(crate) fn is_new_rejection(&self, change: &RegistryChange) -> bool {
        self.view
            .as_ref()
            .is_some_and(|view| view.is_new_rejection(change))
    }

    /// The approximate number of ignored records.
    pub(crate) fn ignored(&self) -> usize {
        let view = self.view.as_ref();
        view.map_or(0, |view| view.rejected.len() + view.rejected_more)
    }

    /// Some of the ignored records with the reasons.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = (&String, &String)> {
        self.view.iter().flat_map(|view| &view.rejected)
    }
}
