//! The route to the pods' gateway address that ARP from virtual machines in pods needs. Pure.
//!
//! A guest with its own network stack in a pod sends ARP requests for the pod's gateway. The host
//! interfaces have `proxy_arp`, but the kernel answers only if the node has a route to that address
//! through another link (`arp_process` and `arp_fwd_proxy` in net/ipv4/arp.c). A default route is
//! enough; a node without a default route needs this one.
//!
//! It leads through an uplink, although no host there has the address: over the loopback link every
//! packet from a pod to its gateway would circle inside the node until its TTL ends.

use ipnet::{IpNet, Ipv4Net};
use wire::GATEWAY_V4;
use wire::netlink::{Route, RouteKind};

use crate::kernel::{LOOPBACK, NodeLink};
use crate::rib::local_node::LocalNode;
use crate::rib::path::RoutePath;

/// The address that guests send ARP requests for.
pub(crate) const GATEWAY: IpNet = IpNet::V4(Ipv4Net::new_assert(GATEWAY_V4, 32));

/// The largest metric: every other route to the same address is preferred, for example on a node
/// that is itself a pod.
const METRIC: u32 = u32::MAX;

/// The path to [`GATEWAY`], if this node has IPv4 pods and an uplink.
pub(crate) fn path(local: &LocalNode) -> Option<RoutePath> {
    let has_pods = local.owned.iter().any(|subnet| subnet.addr().is_ipv4());
    let usable = |link: &&NodeLink| link.index != LOOPBACK && link.up;
    let link = local.links.iter().find(usable).filter(|_| has_pods)?;
    Some(RoutePath::Link { dev: link.index })
}

/// The route for [`RoutePath::Link`].
pub(crate) fn route(dst: IpNet, dev: u32) -> Route {
    Route {
        dev: Some(dev),
        metric: Some(METRIC),
        ..Route::new(dst, RouteKind::Unicast)
    }
}

#[cfg(test)]
mod tests;
