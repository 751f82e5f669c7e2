//! Collects the status, the nodes and the routes from the parts of the daemon. Read-only.

use std::collections::{BTreeMap, BTreeSet};
use std::process;

use ipnet::IpNet;
use registry::PresenceState;
use wire::node::NodeName;

use super::{Conflicts, NodeCounts, RouteCounts};
use crate::fib::{ApplyError, plan};
use crate::firewall::Firewall;
use crate::host::NodeSetup;
use crate::kernel::Kernel;
use crate::node_report::report::NodeReport;
use crate::reconcile::Reconciler;
use crate::rib::guest_gateway::GATEWAY;
use crate::rib::held::{Distrust, Owners};
use crate::rib::path::RoutePath;
use crate::rib::verdict::{ClaimVerdict, Refusal};
use crate::status::health::Health;
use crate::status::policy::{PolicyStatus, unused_trouble};
use crate::status::readiness::Readiness;
use crate::status::{
    NodeRow, NodeVerdict, RegistryStatus, RouteObstacle, RouteRow, RouteTarget, Status, version_of,
};

/// At most this many ignored records are shown.
const MAX_IGNORED_SHOWN: usize = 20;

/// The parts of the daemon that know something.
#[derive(Debug)]
pub(crate) struct Collector<'a, K> {
    pub(crate) network: &'a str,
    pub(crate) node: &'a NodeName,
    pub(crate) is_local: bool,
    pub(crate) reconciler: &'a Reconciler<K>,
    pub(crate) firewall: &'a Firewall,
    pub(crate) node_setup: &'a NodeSetup,
    pub(crate) health: &'a Health,
    /// What is wrong in other parts of the daemon, as sentences.
    pub(crate) troubles: Vec<&'a str>,
}

impl<K: Kernel> Collector<'_, K> {
    /// The status, without `http` and `pods`, which the HTTP server fills in.
    pub(crate) fn status(&self) -> Status {
        let routes = self.route_counts();
        let missing = self.missing(routes.missing);
        let policy = self.node_setup.has_policy().then(PolicyStatus::read);
        let mut troubles = self.troubles(&missing);
        troubles.extend(match &policy {
            Some(policy) => policy.trouble(),
            None => unused_trouble(),
        });
        Status {
            network: self.network.to_owned(),
            node: self.node.clone(),
            version: wire::VERSION.to_owned(),
            pid: process::id(),
            since: self.health.since,
            troubles,
            remarks: self.notices(),
            missing,
            conflist: self.node_setup.installed_conflist().to_owned(),
            addresses: self.node_setup.addresses().to_vec(),
            subnets: self.reconciler.owned().to_vec(),
            registry: self.registry(),
            nodes: self.node_counts(),
            routes,
            claims_without_route: self.refusal_counts(),
            conflicts: self.conflicts(),
            policy,
            http: None,
            pods: BTreeMap::new(),
        }
    }

    /// What the Node object of Kubernetes says of this node.
    pub(crate) fn node_report(&self) -> NodeReport {
        let mut troubles: Vec<(&str, String)> = self
            .node_setup
            .troubles_by_kind()
            .map(|(kind, text)| (kind, text.to_owned()))
            .collect();
        let join_failure = self.health.join_failure.iter().cloned();
        troubles.extend(join_failure.map(|why| ("FlatlandNotJoined", why)));
        for (subnet, owner) in self.reconciler.lost_subnets() {
            let text = format!("subnet {subnet} of this node belongs to node {owner} now");
            troubles.push(("FlatlandSubnetLost", text));
        }
        NodeReport {
            has_node: self
                .reconciler
                .rib()
                .nodes()
                .any(|(node, _)| node == self.node),
            missing: self.missing(self.route_counts().missing),
            troubles,
        }
    }

    /// All nodes of the network.
    pub(crate) fn nodes(&self) -> Vec<NodeRow> {
        if self.is_local {
            return vec![self.only_node()];
        }
        let rib = self.reconciler.rib();
        let mut claims: BTreeMap<&NodeName, Vec<(IpNet, &ClaimVerdict)>> = BTreeMap::new();
        for (subnet, node, verdict) in rib.verdicts() {
            claims.entry(node).or_default().push((subnet, verdict));
        }
        let addresses: BTreeMap<_, _> = rib.nodes().collect();
        let names: BTreeSet<_> = claims.keys().chain(addresses.keys()).copied().collect();
        let row = |node: &NodeName| {
            let claims = claims.get(node).map_or(&[][..], Vec::as_slice);
            let presence = rib.presence(node);
            let refusal =
                |(subnet, verdict): &(IpNet, &ClaimVerdict)| self.refusal(*subnet, node, verdict);
            let why: Vec<_> = claims.iter().filter_map(refusal).collect();
            NodeRow {
                node: node.clone(),
                addresses: addresses
                    .get(node)
                    .map_or_else(Vec::new, |all| all.to_vec()),
                present: Some(presence.is_some()),
                present_since: presence.and_then(|presence| presence.since),
                absent_since: self.health.absences.since(node),
                version: presence.and_then(version_of),
                subnets: claims.iter().map(|(subnet, _)| *subnet).collect(),
                verdict: match () {
                    () if node == self.node => NodeVerdict::Own,
                    () if claims.is_empty() => NodeVerdict::NoSubnet,
                    () if why.is_empty() => NodeVerdict::Routed,
                    () => NodeVerdict::NotRouted,
                },
                why,
            }
        };
        names.into_iter().map(row).collect()
    }

    /// This node, in a network without etcd.
    fn only_node(&self) -> NodeRow {
        NodeRow {
            node: self.node.clone(),
            addresses: self.node_setup.addresses().to_vec(),
            present: None,
            present_since: None,
            absent_since: None,
            version: Some(wire::VERSION.to_owned()),
            subnets: self.reconciler.owned().to_vec(),
            verdict: NodeVerdict::Own,
            why: Vec::new(),
        }
    }

    /// All desired routes, and all claims without a route.
    pub(crate) fn routes(&self) -> Vec<RouteRow> {
        let reconciler = self.reconciler;
        let (rib, held) = (reconciler.rib(), reconciler.rib().held());
        let mut rows: BTreeMap<IpNet, RouteRow> = BTreeMap::new();
        for (subnet, path) in reconciler.desired() {
            let failure = reconciler.retries().of(subnet);
            let is_held = held.contains_key(subnet);
            let distrust_reason = || Some(self.distrust()?.to_string()).filter(|_| is_held);
            let row = RouteRow {
                subnet: *subnet,
                node: self.owner(subnet, &held),
                desired: Some(RouteTarget::of(*path, reconciler.links())),
                held: is_held,
                obstacle: failure.map(obstacle),
                why: failure
                    .map(|why| self.failure(subnet, why))
                    .or_else(distrust_reason),
            };
            rows.insert(*subnet, row);
        }
        for (subnet, node, verdict) in rib.verdicts() {
            let why = self.refusal(subnet, node, verdict);
            if let (false, Some(why)) = (rows.contains_key(&subnet), why) {
                let row = RouteRow {
                    subnet,
                    node: Some(node.clone()),
                    desired: None,
                    held: false,
                    obstacle: None,
                    why: Some(why),
                };
                rows.insert(subnet, row);
            }
        }
        rows.into_values().collect()
    }

    fn owner(&self, subnet: &IpNet, held: &Owners) -> Option<NodeName> {
        if *subnet == GATEWAY || self.reconciler.owned().contains(subnet) {
            return Some(self.node.clone());
        }
        let known = self.reconciler.rib().owner(subnet).cloned();
        known.or_else(|| held.get(subnet).cloned().flatten())
    }

    /// Why the registry is not trusted. A registry in a file of this node is always trusted: no
    /// other node writes there, and it is read once, before this node is in it.
    pub(super) fn distrust(&self) -> Option<&Distrust> {
        let why = self.reconciler.rib().distrust();
        why.filter(|_| !self.is_local)
    }

    fn missing(&self, routes_missing: usize) -> Vec<String> {
        let setup = self.node_setup;
        let readiness = Readiness {
            registry_seen: self.reconciler.rib().has_snapshot(),
            registry_failure: self.health.outage.as_ref().map(|(_, why)| why.as_str()),
            has_joined: setup.has_joined(),
            join_failure: self.health.join_failure.as_deref(),
            owns_subnet: self.reconciler.owns_subnets(),
            has_address: !setup.addresses().is_empty(),
            forwards: setup.forwards(),
            firewall_ready: self.firewall.is_ready(),
            routes_missing,
            seen_since_boot: self.reconciler.rib().last_seen().revision > 0,
            overlap: setup.overlap(),
            conflist_missing: setup.conflist_missing(),
        };
        let obstacles = setup.conflist_obstacles().map(ToOwned::to_owned);
        readiness.missing().into_iter().chain(obstacles).collect()
    }

    fn registry(&self) -> RegistryStatus {
        let (rib, health) = (self.reconciler.rib(), self.health);
        let shown = rib.rejected().take(MAX_IGNORED_SHOWN);
        let outage = health.outage.as_ref();
        RegistryStatus {
            local: self.is_local,
            connected: outage.is_none() && rib.has_snapshot(),
            revision: rib.last_seen().revision,
            lag_seconds: outage.map_or(0.0, |(since, _)| since.elapsed().as_secs_f64()),
            why: outage.map(|(_, why)| why.clone()),
            distrust: self.distrust().map(ToString::to_string),
            held: rib.held(),
            present: health.presence == PresenceState::Present,
            ignored: rib.ignored(),
            ignored_records: shown.map(|(key, why)| (key.clone(), why.clone())).collect(),
        }
    }
}

fn obstacle(why: &ApplyError) -> RouteObstacle {
    match why {
        ApplyError::Conflict(_) => RouteObstacle::Conflict,
        ApplyError::Refused(_) => RouteObstacle::Refused,
    }
}

impl<K: Kernel> Collector<'_, K> {
    pub(super) fn node_counts(&self) -> NodeCounts {
        let absent = self.health.absences.all().len();
        let all = self.reconciler.rib().nodes().count();
        NodeCounts {
            present: all.saturating_sub(absent),
            absent,
        }
    }

    pub(super) fn route_counts(&self) -> RouteCounts {
        let (desired, actual) = (self.reconciler.desired(), self.reconciler.actual());
        let is_missing = |(subnet, path): &(&IpNet, &RoutePath)| {
            let desired = plan::route(**subnet, **path);
            let present = actual.get(*subnet);
            !present.is_some_and(|routes| routes.contains(&desired))
        };
        let changes = self.reconciler.changes().iter();
        RouteCounts {
            desired: desired.len(),
            actual: actual.values().map(Vec::len).sum(),
            missing: desired.iter().filter(is_missing).count(),
            changes: changes
                .map(|(kind, count)| (kind.name().to_owned(), *count))
                .collect(),
        }
    }

    pub(super) fn refusal_counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (_, _, verdict) in self.reconciler.rib().verdicts() {
            if let ClaimVerdict::Refused(refusal) = verdict {
                *counts.entry(refusal.name().to_owned()).or_default() += 1;
            }
        }
        counts
    }

    pub(super) fn conflicts(&self) -> Conflicts {
        let failures = self.reconciler.retries().all();
        let routes = failures.filter(|(_, why)| matches!(why, ApplyError::Conflict(_)));
        let verdicts = self.reconciler.rib().verdicts();
        let claims = verdicts.filter(|(_, _, verdict)| {
            matches!(verdict, ClaimVerdict::Refused(Refusal::OwnedHere(_)))
        });
        Conflicts {
            routes: routes.count(),
            claims: claims.count(),
        }
    }
}
