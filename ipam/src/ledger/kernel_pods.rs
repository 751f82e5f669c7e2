//! The addresses of running pods as the kernel knows them: the alias of a host end names its
//! attachment, and the routes to it are those to the pod's addresses.
//!
//! ADD makes these routes after it has allocated the addresses, and DEL removes them before it frees
//! the addresses. So under the ledger's lock, each address with such a route is held.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use wire::ROUTE_PROTOCOL;
use wire::cni::Attachment;
use wire::netlink::{self, Link, NetlinkSocket, Route};
use wire::pod_link::{self, is_removed};

use crate::ledger::error::Error;

/// An address and the attachment of its pod.
pub type PodAddress = (IpAddr, Attachment);

/// Reads the addresses of running pods.
pub type ReadPods<'a> = dyn Fn() -> Result<Vec<PodAddress>, Error> + 'a;

/// Reads the addresses of running pods when a part of the ledger is missing, at most once.
pub struct KernelPods<'a> {
    read: &'a ReadPods<'a>,
    is_read: Cell<bool>,
}

impl<'a> KernelPods<'a> {
    /// Reads with `read`.
    pub fn new(read: &'a ReadPods<'a>) -> Self {
        Self {
            read,
            is_read: Cell::new(false),
        }
    }

    /// The addresses, if they were not read yet.
    pub(crate) fn read_once(&self) -> Result<Option<Vec<PodAddress>>, Error> {
        if self.is_read.get() {
            return Ok(None);
        }
        let pods = (self.read)()?;
        self.is_read.set(true);
        Ok(Some(pods))
    }

    /// Whether they were read.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read.get()
    }
}

/// Reads the addresses of the pods of `network` from the kernel. Pods of another interface plugin than
/// `flatland` are not found.
pub fn read(network: &str) -> Result<Vec<PodAddress>, Error> {
    let list = || -> Result<_, netlink::Error> {
        let mut socket = NetlinkSocket::open()?;
        // Links first: a route's link is among them, or was made since and is an ADD's under way.
        Ok((socket.links()?, socket.routes(Some(ROUTE_PROTOCOL))?))
    };
    let failed = |error: netlink::Error| {
        let path = Path::new("the routes of running pods");
        Error::io("list", path)(io::Error::other(error))
    };
    let (links, routes) = list().map_err(failed)?;
    Ok(addresses(network, &links, &routes))
}

/// The addresses of pods of `network`, given the node's `links` and our `routes`.
fn addresses(network: &str, links: &[Link], routes: &[Route]) -> Vec<PodAddress> {
    let host_ends = links.iter().filter(|link| !is_removed(link));
    let attachments: BTreeMap<u32, Attachment> = host_ends
        .filter_map(|link| Some((link.index, pod_link::attachment_of(network, link)?)))
        .collect();
    let pod_address = |route: &Route| {
        let is_host_route = route.dst.prefix_len() == route.dst.max_prefix_len();
        let attachment = attachments.get(&route.dev?)?;
        is_host_route.then(|| (route.dst.addr(), attachment.clone()))
    };
    routes.iter().filter_map(pod_address).collect()
}

#[cfg(test)]
mod tests;
