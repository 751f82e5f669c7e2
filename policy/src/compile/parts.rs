//! The peers and ports of a rule in few parts, each of which is one look-up in the kernel. A rule of a
//! chain is made of each peer with each group of ports: a policy may list hundreds of both.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::api::{L4Protocol, NamedPort};
use crate::policies::{CompiledPeer, NetworkSet, PortMatch};
use crate::rules::PortRange;
use crate::selector::PodSelector;

/// Peers of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PeerPart {
    /// Everything, and then it is the only part.
    Everything,
    /// The pods of one selector: other rules may share the set.
    Pods(PodSelector),
    /// All prefixes of the rule. Sorted, and never empty.
    Networks(Arc<[NetworkSet]>),
}

/// Ports of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PortPart {
    /// Everything, with ports or without; then it is the only part.
    Any,
    /// All ports of a protocol that the rule has by number, or by name if the pods that the policy
    /// selects have it. Sorted, never empty; none overlaps or touches another.
    Numbers(L4Protocol, Arc<[PortRange]>),
    /// All ports that destinations have by name. Sorted, and never empty.
    Named(Arc<[PortByName]>),
}

/// A port by the name that its pod gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PortByName {
    pub(super) name: Arc<str>,
    /// Any if `None`.
    pub(super) protocol: Option<L4Protocol>,
}

impl PortByName {
    /// Whether a port of a pod is it.
    pub(super) fn is(&self, port: &NamedPort) -> bool {
        port.name == *self.name && self.protocol.is_none_or(|it| it == port.protocol)
    }
}

/// For example `tcp port http`.
impl fmt::Display for PortByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(protocol) = self.protocol {
            write!(f, "{protocol} ")?;
        }
        write!(f, "port {}", self.name)
    }
}

/// The parts of a rule's peers.
pub(super) fn peer_parts(peers: &[CompiledPeer]) -> Vec<PeerPart> {
    let (mut parts, mut networks) = (Vec::new(), Vec::new());
    for peer in peers {
        match peer {
            CompiledPeer::Everything => return vec![PeerPart::Everything],
            CompiledPeer::Pods(pods) => parts.push(PeerPart::Pods(pods.clone())),
            CompiledPeer::Networks(of_peer) => networks.push(of_peer.clone()),
        }
    }
    if !networks.is_empty() {
        networks.sort();
        networks.dedup();
        parts.push(PeerPart::Networks(networks.into()));
    }
    parts
}

/// The parts of a rule's ports. `own` are the named ports of the pods that the policy selects, if
/// they are the destination.
pub(super) fn port_parts(ports: Option<&[PortMatch]>, own: Option<&[NamedPort]>) -> Vec<PortPart> {
    let Some(ports) = ports else {
        return vec![PortPart::Any];
    };
    let mut numbers = BTreeMap::<L4Protocol, Vec<PortRange>>::new();
    let mut named = Vec::new();
    for port in ports {
        match port {
            PortMatch::Range {
                protocol,
                first,
                last,
            } => {
                let range = PortRange::new(*first, *last);
                numbers.entry(*protocol).or_default().push(range);
            }
            PortMatch::Named { name, protocol } => {
                let (name, protocol) = (Arc::clone(name), *protocol);
                named.push(PortByName { name, protocol });
            }
        }
    }
    if let Some(own) = own {
        for port in own.iter().filter(|port| named.iter().any(|it| it.is(port))) {
            let range = PortRange::new(port.port, port.port);
            numbers.entry(port.protocol).or_default().push(range);
        }
        named.clear();
    }
    named.sort();
    named.dedup();
    let numbers = numbers.into_iter();
    let numbers = numbers.map(|(protocol, all)| PortPart::Numbers(protocol, joined(all).into()));
    let named = (!named.is_empty()).then(|| PortPart::Named(named.into()));
    numbers.chain(named).collect()
}

/// Ranges with the same ports, sorted, as few as possible.
fn joined(mut ranges: Vec<PortRange>) -> Vec<PortRange> {
    ranges.sort();
    let mut joined: Vec<PortRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(before) if range.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(range.last);
            }
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
