//! Log lines for claims that get no route: one per peer and reason, not one per subnet.

use std::collections::BTreeMap;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::log::{LineKind, Lines, LogLine};
use crate::rib::Rib;
use crate::rib::local_node::LocalNode;
use crate::rib::verdict::{ClaimVerdict, Refusal, RefusalMessage};
use crate::text::list;

/// Claims that get no route for a new reason, by peer.
pub(crate) type Refused = BTreeMap<NodeName, Vec<IpNet>>;

impl Rib {
    /// Adds the lines that say why these claims get no route.
    pub(crate) fn add_refused_lines(
        &self,
        refused: &Refused,
        local: &LocalNode,
        lines: &mut Lines,
    ) {
        for (peer, subnets) in refused {
            for (subnets, refusal) in self.by_reason(peer, subnets) {
                lines.add(LineKind::Refused, || {
                    let explained = RefusalMessage {
                        subnets: &subnets,
                        peer,
                        refusal,
                        local,
                    };
                    LogLine::new(LineKind::Refused, explained.to_string())
                        .with("peer", peer)
                        .with("subnet", list(&subnets))
                        .with("error", refusal.name())
                });
            }
        }
    }

    /// The reasons with their subnets. Leaves out reasons that other subnets of the peer have
    /// already.
    fn by_reason(&self, peer: &NodeName, subnets: &[IpNet]) -> Vec<(Vec<IpNet>, &Refusal)> {
        let mut reasons: Vec<(Vec<IpNet>, &Refusal)> = Vec::new();
        for subnet in subnets {
            let Some(refusal) = self.refusal(subnet) else {
                continue;
            };
            let mut known = reasons.iter_mut();
            if let Some((subnets, _)) = known.find(|(_, known)| known.covers(refusal)) {
                subnets.push(*subnet);
            } else {
                reasons.push((vec![*subnet], refusal));
            }
        }
        let others = self
            .claims
            .of(peer)
            .filter(|other| !subnets.contains(other));
        let known: Vec<_> = others.filter_map(|other| self.refusal(&other)).collect();
        reasons.retain(|(_, refusal)| !known.iter().any(|known| known.covers(refusal)));
        reasons
    }

    fn refusal(&self, subnet: &IpNet) -> Option<&Refusal> {
        match self.judged.get(subnet).map(|judged| &judged.verdict) {
            Some(ClaimVerdict::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
