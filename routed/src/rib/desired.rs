//! Keeps the desired routes up to date: which route each subnet should have now.

use std::collections::BTreeSet;
use std::mem;

use ipnet::IpNet;
use registry::{Claim, Snapshot, packed};
use tracing::{Level, debug, enabled};

use crate::log::Lines;
use crate::rib::guest_gateway::{self, GATEWAY};
use crate::rib::local_node::LocalNode;
use crate::rib::path::{RoutePath, UpdateScope};
use crate::rib::refusals::Refused;
use crate::rib::verdict::ClaimVerdict;
use crate::rib::{JudgedClaim, Rib, decide};
use crate::text::list;

impl Rib {
    /// Decides the routes of the destinations in `scope` anew. Claims that get no route for a new
    /// reason go to `lines`.
    pub(crate) fn update_desired(
        &mut self,
        scope: &UpdateScope,
        local: &LocalNode,
        lines: &mut Lines,
    ) {
        let mut refused = Refused::default();
        let subnets = match scope {
            UpdateScope::Only(subnets) => subnets.clone(),
            UpdateScope::All => self.all_destinations(local),
        };
        for subnet in subnets {
            let path = if subnet == GATEWAY {
                guest_gateway::path(local)
            } else {
                let path = self.path_to(subnet, local, &mut refused);
                if local.owned.contains(&subnet) {
                    Some(RoutePath::Unreachable)
                } else {
                    path
                }
            };
            match path {
                Some(path) => self.desired.insert(subnet, path),
                None => self.desired.remove(&subnet),
            };
        }
        if *scope == UpdateScope::All {
            self.desired = packed(mem::take(&mut self.desired));
            self.judged = packed(mem::take(&mut self.judged));
        }
        self.add_refused_lines(&refused, local, lines);
    }

    /// Every destination that has a route, or may get one.
    fn all_destinations(&self, local: &LocalNode) -> BTreeSet<IpNet> {
        let claimed = self.view.iter().flat_map(|view| view.subnets.keys());
        claimed
            .chain(self.judged.keys())
            .chain(self.desired.keys())
            .chain(&local.owned)
            .chain([&GATEWAY])
            .copied()
            .chain(self.held.all())
            .collect()
    }

    /// Judges the claim of `subnet` and returns the path to it. A claim that gets no route for a
    /// new reason goes to `refused`.
    pub(super) fn path_to(
        &mut self,
        subnet: IpNet,
        local: &LocalNode,
        refused: &mut Refused,
    ) -> Option<RoutePath> {
        let current = self.desired.get(&subnet).copied();
        let Some(view) = &self.view else {
            return self.held.path(&subnet);
        };
        let Some(claim) = view.subnets.get(&subnet) else {
            if let Some(before) = self.judged.remove(&subnet) {
                self.left.insert(subnet, before.node);
            }
            return if view.unreadable.contains(&subnet) {
                current
            } else {
                self.held.path(&subnet)
            };
        };
        let verdict = decide::judge(subnet, claim, view, &self.advertisers, local);
        let path = match &verdict {
            ClaimVerdict::Route(path) => Some(*path),
            ClaimVerdict::Refused(refusal) if refusal.is_pending() => current,
            // A claim under this node's name that this node does not know was made by another
            // machine with the same name. Its route stays until this machine has joined.
            ClaimVerdict::Own => current.filter(|path| path.is_to_peer()),
            ClaimVerdict::Refused(_) => None,
        };
        let before = self.judged.get(&subnet);
        if before.is_none_or(|before| before.verdict != verdict) {
            log_verdict(subnet, claim, &verdict, view, local);
            if matches!(verdict, ClaimVerdict::Refused(_)) {
                refused.entry(claim.node.clone()).or_default().push(subnet);
            }
        }
        let node = claim.node.clone();
        self.judged.insert(subnet, JudgedClaim { node, verdict });
        path
    }
}

fn log_verdict(
    subnet: IpNet,
    claim: &Claim,
    verdict: &ClaimVerdict,
    view: &Snapshot,
    local: &LocalNode,
) {
    let peer = &claim.node;
    match verdict {
        _ if !enabled!(Level::DEBUG) => {}
        ClaimVerdict::Own => debug!(%subnet, "the registry has this node's claim of {subnet}"),
        ClaimVerdict::Route(path) => {
            let record = view.nodes.get(peer);
            let address = record.map_or_else(String::new, |record| list(&record.addresses));
            let route = path.text(&local.links);
            debug!(%peer, %subnet, address, route, "{peer} claims {subnet} and is reached by {address}: chose the route {route}");
        }
        ClaimVerdict::Refused(refusal) => {
            let error = refusal.name();
            debug!(%peer, %subnet, error, "{peer} claims {subnet}, which gets no route: {error}");
        }
    }
}
