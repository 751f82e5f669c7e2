//! Texts of log lines about routes: what the reconciler did, and why a route failed.

use wire::netlink::{Route, RouteKind};
use wire::node::NodeName;

use crate::fib::ApplyError;
use crate::fib::plan::{PlanStep, RouteChange};
use crate::kernel::{NodeLink, link_name};
use crate::log::{LineKind, LogLine};
use crate::reconcile::Reconciler;
use crate::rib::guest_gateway::GATEWAY;

impl<K> Reconciler<K> {
    /// The kind of line for an applied step.
    pub(super) fn line_kind(&self, step: &PlanStep) -> LineKind {
        let was_there = |route| {
            let before = self.before.get(&step.dst);
            before.is_some_and(|all| all.contains(route))
        };
        match &step.change {
            RouteChange::Add(new) | RouteChange::Replace { new, .. } if was_there(new) => {
                LineKind::Restored
            }
            RouteChange::Add(_) => LineKind::Added,
            RouteChange::Replace { .. } => LineKind::Moved,
            RouteChange::Remove(_) if step.dst == GATEWAY => LineKind::Withdrawn,
            RouteChange::Remove(_) if self.rib.owner(&step.dst).is_some() => LineKind::Withdrawn,
            RouteChange::Remove(_) => LineKind::Pruned,
        }
    }

    /// The line about an applied step.
    pub(super) fn success_line(&self, step: &PlanStep, outcome: LineKind) -> LogLine {
        let peer = self.rib.owner(&step.dst);
        let line = |route| route_line(route, peer, &self.local_node.links);
        let text = match (&step.change, outcome) {
            (RouteChange::Add(new), LineKind::Restored) => {
                format!("{} put back: it was gone", line(new))
            }
            (RouteChange::Add(new), _) => format!("{} added", line(new)),
            (RouteChange::Replace { old, new }, LineKind::Restored) => {
                format!(
                    "{} put back: another program changed it to{}",
                    line(new),
                    self.next_hop(old)
                )
            }
            (RouteChange::Replace { old, new }, _) => {
                format!("{}: was{}", line(new), self.next_hop(old))
            }
            (RouteChange::Remove(old), LineKind::Pruned) => {
                format!("stale {} withdrawn: no node claims it", line(old))
            }
            (RouteChange::Remove(old), _) => match peer {
                Some(peer) if self.rib.has_left(&step.dst) => {
                    format!("{peer} left: {} withdrawn", line(old))
                }
                Some(_) => format!("{} withdrawn", line(old)),
                None => format!("{} withdrawn: this node needs none", line(old)),
            },
        };
        self.line(step, outcome, text)
    }

    fn line(&self, step: &PlanStep, kind: LineKind, text: String) -> LogLine {
        let route = self.next_hop(step.route());
        let line = LogLine::new(kind, text)
            .with("subnet", step.dst)
            .with("route", route.trim_start());
        match self.rib.owner(&step.dst) {
            Some(peer) => line.with("peer", peer),
            None => line,
        }
    }

    fn next_hop(&self, route: &Route) -> String {
        let text = next_hop(route, &self.local_node.links);
        if text.is_empty() {
            " unreachable".to_owned()
        } else {
            text
        }
    }

    /// The line about a step that failed.
    pub(super) fn failed_line(&self, step: &PlanStep, error: &ApplyError) -> LogLine {
        let (peer, links) = (self.rib.owner(&step.dst), &self.local_node.links);
        let text = failure_line(step.route(), peer, error, links);
        let line = self.line(step, LineKind::Failed, text);
        line.with("error", reason(error, links))
    }
}

/// `route to 10.244.7.0/24 (n2) via 192.168.1.2 dev eth0`.
pub(crate) fn route_line(route: &Route, peer: Option<&NodeName>, links: &[NodeLink]) -> String {
    let peer = peer.map(|peer| format!(" ({peer})")).unwrap_or_default();
    match route.kind {
        RouteKind::Unreachable => format!("unreachable route for own subnet {}", route.dst),
        _ if route.dst == GATEWAY => {
            format!(
                "route to {} (pods' gateway){}",
                route.dst,
                next_hop(route, links)
            )
        }
        _ => format!("route to {}{peer}{}", route.dst, next_hop(route, links)),
    }
}

/// ` via 192.168.1.2 dev eth0`.
pub(crate) fn next_hop(route: &Route, links: &[NodeLink]) -> String {
    way(route, route.dev.map(|index| link_name(index, links)))
}

/// As [`next_hop`], with the name of the link `dev`.
pub(crate) fn way(route: &Route, dev: Option<String>) -> String {
    let via = route.via.map(|via| format!(" via {via}"));
    let dev = dev.map(|dev| format!(" dev {dev}"));
    via.unwrap_or_default() + &dev.unwrap_or_default()
}

/// Why a route could not be made.
pub(crate) fn failure_line(
    wanted: &Route,
    peer: Option<&NodeName>,
    error: &ApplyError,
    links: &[NodeLink],
) -> String {
    let (wanted, reason) = (route_line(wanted, peer, links), reason(error, links));
    match error {
        ApplyError::Refused(_) => format!("{wanted}: {reason}; trying again"),
        ApplyError::Conflict(_) => format!("{wanted}: {reason}"),
    }
}

fn reason(error: &ApplyError, links: &[NodeLink]) -> String {
    match error {
        ApplyError::Refused(text) => text.clone(),
        ApplyError::Conflict(foreign) => {
            let kind = match foreign.kind {
                RouteKind::Unreachable => " unreachable",
                _ => "",
            };
            format!(
                "conflict with a route of another program: {}{kind}{} proto {}; it is kept, \
                 remove it to let this one in",
                foreign.dst,
                next_hop(foreign, links),
                protocol_name(foreign.protocol)
            )
        }
    }
}

/// The name that iproute2 has for a protocol (`/etc/iproute2/rt_protos`), or its number.
pub(crate) fn protocol_name(number: u8) -> String {
    match number {
        2 => "kernel".to_owned(),
        3 => "boot".to_owned(),
        4 => "static".to_owned(),
        9 => "ra".to_owned(),
        12 => "bird".to_owned(),
        16 => "dhcp".to_owned(),
        186 => "bgp".to_owned(),
        188 => "ospf".to_owned(),
        196 => "openr".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
