//! Kernel events: applies changes of our routes one by one, and marks the rest as dirty.

use std::collections::BTreeSet;
use std::time::Instant;

use wire::netlink::{NetlinkEvent, Route, RouteKind};

use crate::fib::plan;
use crate::kernel::{Kernel, is_link_local_v6};
use crate::reconcile::{Reconciler, pod_routes};
use crate::rib::path::UpdateScope;

impl<K: Kernel> Reconciler<K> {
    /// Takes an event of the kernel. Events of pods (their links, link-local addresses and routes)
    /// mark nothing.
    pub(crate) fn kernel_changed(&mut self, event: NetlinkEvent, now: Instant) {
        match event {
            NetlinkEvent::Link { index, up } => {
                if self.local_node.links.iter().any(|link| link.index == index) {
                    self.links_changed();
                } else if !up {
                    self.pods.retain(|_, route| route.dev != Some(index));
                    self.dirty.links |= self.local_node.connected.remove_link(index);
                }
            }
            NetlinkEvent::Address { address, .. } => {
                if !is_link_local_v6(address) {
                    self.links_changed();
                }
            }
            NetlinkEvent::Neighbour {
                link,
                address,
                answers,
            } => self.neighbour_changed((link, address), answers, now),
            NetlinkEvent::RouteAdded(route) if plan::is_to_pod(&route) => {
                self.pods.insert(route.dst, route);
            }
            NetlinkEvent::RouteReplaced(route) if plan::is_to_pod(&route) => {
                self.dirty.routes |= self.is_known(&route);
                self.pods.insert(route.dst, route);
            }
            NetlinkEvent::RouteRemoved(route) if plan::is_to_pod(&route) => {
                if pod_routes::is_orphan(&route, &self.local_node.links) {
                    // The route was removed with its source address, and probably others with it.
                    self.dirty.routes = true;
                } else if self.pods.contains_key(&route.dst) {
                    // The pod is still there, so another program deleted its route.
                    self.dirty.pods.insert(route.dst);
                }
            }
            NetlinkEvent::RouteAdded(route) => self.route_added(&route),
            NetlinkEvent::RouteRemoved(route) => self.route_removed(&route),
            NetlinkEvent::RouteReplaced(route) => self.route_replaced(&route),
            // The node's setup looks after it.
            NetlinkEvent::ForwardingChanged => {}
            NetlinkEvent::Lost => self.resync(),
        }
    }

    /// A link that goes down, or an address that is removed, takes IPv4 routes along without an
    /// event (`fib_flush`). So all routes are listed too.
    fn links_changed(&mut self) {
        self.dirty.links = true;
        self.dirty.routes = true;
    }

    fn route_added(&mut self, route: &Route) {
        if !plan::is_ours(route) {
            let differs = self.local_node.connected.add(route);
            self.foreign_changed(route, differs);
        } else if matches!(route.kind, RouteKind::Unicast | RouteKind::Unreachable) {
            self.changed_externally(route, |routes, route| {
                routes.retain(|other| other != route);
                routes.push(route.clone());
            });
        } else {
            self.dirty.routes = true;
        }
    }

    fn route_removed(&mut self, route: &Route) {
        if !plan::is_ours(route) {
            let differs = self.local_node.connected.remove(route);
            self.foreign_changed(route, differs);
            return;
        }
        let there = self.actual.get(&route.dst);
        if there.is_some_and(|there| there.contains(route)) {
            self.changed_externally(route, |routes, route| routes.retain(|other| other != route));
        } else {
            // One of several next hops, or an event that is older than our own change.
            self.dirty.routes |= there.is_some();
        }
    }

    /// The event does not say which route was replaced.
    fn route_replaced(&mut self, route: &Route) {
        let is_ours = plan::is_ours(route);
        self.dirty.routes |= is_ours || self.is_known(route);
        if !is_ours {
            let differs = self.local_node.connected.replace(route);
            self.foreign_changed(route, differs);
        }
    }

    fn is_known(&self, route: &Route) -> bool {
        self.rib.desired().contains_key(&route.dst) || self.actual.contains_key(&route.dst)
    }

    /// A foreign route may have freed the place of ours, and may lead to peers. `is_connected`:
    /// whether it changed what is on link.
    fn foreign_changed(&mut self, route: &Route, is_connected: bool) {
        self.dirty.cross_subnet |= self.local_node.cross_subnet.is_some();
        if is_connected && self.rib.advertisers().any_in(route.dst) {
            self.dirty.add(UpdateScope::All);
            let is_known = |dev: u32| self.local_node.links.iter().any(|link| link.index == dev);
            self.dirty.links |= route.next_hops().iter().any(|hop| !is_known(hop.dev));
        }
        if self.is_known(route) {
            self.dirty
                .add(UpdateScope::Only(BTreeSet::from([route.dst])));
        }
    }

    /// Another program changed a route of ours.
    fn changed_externally(&mut self, route: &Route, edit: impl FnOnce(&mut Vec<Route>, &Route)) {
        if self.dirty.routes {
            // All routes are listed anyway.
            return;
        }
        let routes = plan::routes_mut(&mut self.actual, route.dst);
        let before = self.before.entry(route.dst);
        before.or_insert_with(|| routes.clone());
        edit(routes, route);
        if routes.is_empty() {
            self.actual.remove(&route.dst);
        }
        self.dirty
            .add(UpdateScope::Only(BTreeSet::from([route.dst])));
    }
}
