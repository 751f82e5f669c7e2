//! Next hops that do not answer: takes the kernel's word for it, and asks whether they are back.

use std::time::Instant;

use tracing::debug;
use wire::netlink::NetlinkRequest;
use wire::node::NodeName;

use crate::kernel::{Kernel, link_name};
use crate::reconcile::Reconciler;
use crate::rib::path::UpdateScope;
use crate::rib::silent_hops::Hop;

impl<K: Kernel> Reconciler<K> {
    /// A neighbour answered, or did not. Only next hops of peers that have another address count.
    pub(super) fn neighbour_changed(&mut self, hop: Hop, answers: bool, now: Instant) {
        if answers {
            self.local_node.silent.answered(hop);
        } else if self.has_alternative(hop) && self.local_node.silent.failed(hop, now) {
            self.decide_again(hop);
        }
    }

    fn has_alternative(&self, (_, address): Hop) -> bool {
        let mut nodes = self.rib.advertisers().of(address);
        nodes.any(|node| *node != self.local_node.node && self.rib.has_several_addresses(node))
    }

    fn decide_again(&mut self, (_, address): Hop) {
        let claims = self.rib.claims_behind(address);
        self.dirty.add(UpdateScope::Only(claims));
    }

    /// Uses the next hops again that are back, and makes the kernel ask for the others.
    pub(crate) fn check_silent_hops(&mut self, now: Instant) {
        if self.silent_hops_due_at().is_none_or(|at| at > now) {
            return;
        }
        let (connected, advertisers) = (&self.local_node.connected, self.rib.advertisers());
        self.local_node.silent.retain(|(dev, address)| {
            let is_on_link = connected.containing(address).any(|route| route.dev == dev);
            is_on_link && advertisers.of(address).next().is_some()
        });
        for hop in self.local_node.silent.take_returned(now) {
            self.decide_again(hop);
        }
        let probes = self.local_node.silent.take_probes(now).into_iter();
        let probes: Vec<_> = probes
            .map(|(link, address)| NetlinkRequest::ProbeNeighbour { link, address })
            .collect();
        if probes.is_empty() {
            return;
        }
        match self.kernel.apply(&probes) {
            Ok(failures) => failures.iter().for_each(|error| debug!(%error, "{error}")),
            Err(error) => debug!(%error, "cannot ask for next hops that do not answer: {error}"),
        }
    }

    /// When [`Reconciler::check_silent_hops`] has something to do.
    pub(crate) fn silent_hops_due_at(&self) -> Option<Instant> {
        self.local_node.silent.due_at()
    }

    /// What to say about each next hop that does not answer.
    pub(crate) fn silent_hop_notices(&self) -> impl Iterator<Item = String> {
        self.local_node.silent.iter().map(|(dev, address)| {
            let nodes = self.rib.advertisers().of(address);
            let nodes: Vec<_> = nodes.map(NodeName::as_str).collect();
            let (nodes, link) = (nodes.join(", "), link_name(dev, &self.local_node.links));
            format!(
                "{nodes} does not answer at {address} on {link}: another of its addresses is used if \
                 it has one on a link of this node"
            )
        })
    }
}
