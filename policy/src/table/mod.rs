//! The table `inet flatland-policy`: what the rules of the node are in the kernel.
//!
//! ```text
//! chain forward   established first; then traffic of a pod with itself; then both ends' own chains
//! chain from-pod  the verdict map `egress`, by the pod's host interface; else closed
//! chain to-pod    the verdict map `ingress`, likewise
//! chain c7        the rules of the pods whose elements go to it: `return` allows
//! chain started   the direction without rules of a pod that has rules in the other one
//! ```
//!
//! A TCP packet that belongs to no known connection and does not begin one is dropped where a pod has
//! rules, in both directions. Connection tracking would take it for the beginning of one, so that an
//! answer would revive a connection that a new policy has ended.
//!
//! Pods are told apart by their host interfaces and not by addresses: an address is used again, perhaps
//! while nobody looks, and the next pod must not have the rules of the one before.

mod change;
mod counted;
mod rules;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use policy::rules::{ChainId, PodChain, SetId, TrafficDirection};
use wire::nft::{Element, ElementKey, IpVersion, NftVerdict, TableFamily, TableId, TableListing};

pub(crate) use change::change_commands;
pub(crate) use counted::{CountedRule, counted_chains, counted_rules};
pub(crate) use rules::{DropSite, LOG_GROUP};
pub(crate) use whole::whole_table;

/// The name of the table.
pub(crate) const TABLE: &str = "flatland-policy";

/// The chain in the path of all forwarded packets.
pub(crate) const FORWARD: &str = "forward";

/// Source and destination interface of what a pod sends to itself.
const ITSELF: &str = "itself";

/// The chain of the direction without rules of a pod that has rules in the other one.
const STARTED: &str = "started";

/// The comment of the rule that drops TCP packets of no known connection.
pub(crate) const NO_CONNECTION: &str = "no connection";

/// The comment of the rules that drop what comes from and goes to undecided pods.
pub(crate) const UNDECIDED: &str = "undecided";

/// Each set of the rules is one of each family in the kernel.
const VERSIONS: [IpVersion; 2] = [IpVersion::V4, IpVersion::V6];

/// What the names of pods' host interfaces begin with ([`wire::pod_link`]).
const HOST_INTERFACES: &str = "flat";

/// Both chains of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PodVerdicts {
    pub(crate) egress: PodChain,
    pub(crate) ingress: PodChain,
}

/// The chains of each pod of the node, by host interface.
pub(crate) type Pods = BTreeMap<String, PodVerdicts>;

impl PodVerdicts {
    /// No rules.
    pub(crate) const OPEN: Self = Self {
        egress: PodChain::NotIsolated,
        ingress: PodChain::NotIsolated,
    };

    /// The verdict of the pod's element of a direction; an undecided pod has none.
    fn verdict(self, direction: TrafficDirection) -> Option<NftVerdict> {
        let (own, other) = match direction {
            TrafficDirection::Egress => (self.egress, self.ingress),
            TrafficDirection::Ingress => (self.ingress, self.egress),
        };
        match (own, other) {
            (PodChain::Undecided, _) => None,
            (PodChain::Chain(id), _) => Some(NftVerdict::Goto(chain_name(id))),
            (PodChain::NotIsolated, PodChain::Chain(_)) => {
                Some(NftVerdict::Goto(STARTED.to_owned()))
            }
            (PodChain::NotIsolated, _) => Some(NftVerdict::Return),
        }
    }
}

/// The table's identity.
pub(crate) fn table_id() -> TableId {
    TableId::new(TableFamily::Inet, TABLE)
}

/// The verdict map of a direction.
fn verdict_map(direction: TrafficDirection) -> &'static str {
    match direction {
        TrafficDirection::Egress => "egress",
        TrafficDirection::Ingress => "ingress",
    }
}

/// The chain that every packet of a direction goes to.
fn entry_chain(direction: TrafficDirection) -> &'static str {
    match direction {
        TrafficDirection::Egress => "from-pod",
        TrafficDirection::Ingress => "to-pod",
    }
}

/// The name of a chain of the rules.
pub(crate) fn chain_name(id: ChainId) -> String {
    format!("c{}", id.0)
}

/// The chain of that name, if it is one of the rules'.
fn chain_id(name: &str) -> Option<ChainId> {
    name.strip_prefix('c')?.parse().ok().map(ChainId)
}

/// The interfaces of the pods that a table has decided, for both directions.
pub(crate) fn decided(table: &TableListing) -> BTreeSet<String> {
    let [egress, ingress] = TrafficDirection::ALL.map(|direction| {
        let map = table.sets.get(verdict_map(direction));
        let elements = map.into_iter().flat_map(|it| &it.elements);
        let links = elements.filter_map(|it| it.key.link_name());
        links.collect::<BTreeSet<_>>()
    });
    egress.intersection(&ingress).cloned().collect()
}

/// The name of a set of addresses.
fn set_name(id: SetId, version: IpVersion) -> String {
    let family = match version {
        IpVersion::V4 => 4,
        IpVersion::V6 => 6,
    };
    format!("s{}-{family}", id.0)
}

/// The name of a set of ports by number.
fn port_set_name(id: SetId) -> String {
    format!("s{}-ports", id.0)
}

/// The element of a pod in the verdict map of a direction.
fn pod_element(
    interface: &str,
    verdicts: PodVerdicts,
    direction: TrafficDirection,
) -> Option<Element> {
    let verdict = verdicts.verdict(direction)?;
    Some(Element::with_verdict(ElementKey::link(interface), verdict))
}

#[cfg(test)]
mod tests;
