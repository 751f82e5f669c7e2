//! The rules, routes and settings by which the kernel's answers are judged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use wire::netlink::{PolicyRule, Route};

use crate::fib::plan;
use crate::reconcile::messages;

/// The main table (`RT_TABLE_MAIN`).
pub(super) const MAIN: u32 = 254;

/// The local table (`RT_TABLE_LOCAL`).
pub(super) const LOCAL: u32 = 255;

/// What the kernel's answers are judged by.
#[derive(Debug, Clone, Default)]
pub(super) struct PacketFacts {
    pub(super) pod_cidrs: Vec<IpNet>,
    /// The names of the links, by index.
    pub(super) links: BTreeMap<u32, String>,
    /// The links that are part of a VRF, and the VRFs themselves.
    pub(super) in_vrf: BTreeSet<u32>,
    /// The policy rules of both families, in the kernel's order.
    pub(super) rules: Vec<PolicyRule>,
    /// The routes of the main table, and of the tables that rules name.
    pub(super) tables: BTreeMap<u32, Vec<Route>>,
    /// Our routes of the main table.
    pub(super) own: BTreeMap<IpNet, Route>,
    /// The settings of links by which packets come in.
    pub(super) settings: BTreeMap<u32, LinkSettings>,
}

/// The IPv4 settings of a link that decide whether its packets are forwarded. What could not be read
/// is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkSettings {
    /// `net.ipv4.conf.LINK.forwarding`.
    pub(super) forwards: bool,
    /// `net.ipv4.conf.LINK.rp_filter`.
    pub(super) rp_filter: u8,
    /// `net.ipv4.conf.all.rp_filter`; the kernel uses the larger value of the two.
    pub(super) rp_filter_of_all: u8,
}

impl PacketFacts {
    /// Sorts out our routes of the main table.
    pub(super) fn index(mut self) -> Self {
        let main = self.tables.get(&MAIN).into_iter().flatten();
        // Of several to one prefix the one with the smallest metric wins.
        let mut own: Vec<_> = main.filter(|route| is_own(route)).cloned().collect();
        own.sort_by_key(|route| std::cmp::Reverse(route.metric.unwrap_or(0)));
        self.own = own.into_iter().map(|route| (route.dst, route)).collect();
        self
    }

    /// Our route that leads to `dst`.
    pub(super) fn own_route(&self, dst: IpAddr) -> Option<&Route> {
        let prefixes = (0..=IpNet::from(dst).max_prefix_len()).rev();
        let prefixes = prefixes.filter_map(|length| IpNet::new(dst, length).ok());
        prefixes
            .into_iter()
            .find_map(|prefix| self.own.get(&prefix.trunc()))
    }

    /// Our routes of a family that lead into pod CIDRs.
    pub(super) fn own_routes(&self, v4: bool) -> impl Iterator<Item = &Route> {
        let own = self.own.values();
        own.filter(move |route| route.dst.addr().is_ipv4() == v4 && self.is_for_pods(route))
    }

    /// The route of a table that decides about `dst`, of those with longer prefixes than `suppressed`.
    pub(super) fn route_in(
        &self,
        table: u32,
        dst: IpAddr,
        suppressed: Option<u32>,
    ) -> Option<&Route> {
        let is_passed_over = |route: &&Route| {
            suppressed.is_some_and(|length| u32::from(route.dst.prefix_len()) <= length)
        };
        let route = best(self.tables.get(&table)?.iter(), dst)?;
        Some(route).filter(|route| !is_passed_over(route))
    }

    /// Routes of other programs inside the pod CIDRs, in all tables.
    pub(super) fn foreign_in_pod_cidrs(&self) -> impl Iterator<Item = &Route> {
        let all = self
            .tables
            .values()
            .flatten()
            .filter(|route| !is_own(route));
        all.filter(|route| self.is_for_pods(route))
    }

    /// Whether a route leads into a pod CIDR.
    pub(super) fn is_for_pods(&self, route: &Route) -> bool {
        self.is_in_pod_cidrs(&route.dst)
    }

    /// Whether a prefix is inside of a pod CIDR.
    pub(super) fn is_in_pod_cidrs(&self, prefix: &IpNet) -> bool {
        self.pod_cidrs.iter().any(|cidr| cidr.contains(prefix))
    }

    /// The link's name, or `if7` where it is not known.
    pub(super) fn link_name(&self, index: u32) -> String {
        let name = self.links.get(&index).cloned();
        name.unwrap_or_else(|| format!("if{index}"))
    }

    /// ` via 192.168.1.2 dev eth0`.
    pub(super) fn way(&self, route: &Route) -> String {
        messages::way(route, route.dev.map(|dev| self.link_name(dev)))
    }
}

/// Whether it is of ours: to a peer, to a pod, or of a subnet of this node.
pub(super) fn is_own(route: &Route) -> bool {
    plan::is_to_pod(route) || plan::is_ours(route)
}

/// The longest prefix that contains `dst`, and of several the one with the smallest metric.
fn best<'a>(routes: impl Iterator<Item = &'a Route>, dst: IpAddr) -> Option<&'a Route> {
    let default = if dst.is_ipv4() { 0 } else { 1024 };
    let containing = routes.filter(|route| route.dst.contains(&dst));
    containing.min_by_key(|route| {
        let length = u8::MAX - route.dst.prefix_len();
        (length, route.metric.unwrap_or(default))
    })
}
