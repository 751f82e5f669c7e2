//! Links and routes of the kernel, as `routed` uses them (rtnetlink).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use wire::netlink::{Address, Error, NetlinkMonitor, NetlinkRequest, NetlinkSocket, Route};

/// The index of the loopback link of every network namespace (`LOOPBACK_IFINDEX`).
pub(crate) const LOOPBACK: u32 = 1;

/// The links and routes by which this node reaches others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Topology {
    /// The links that have addresses or lead to others.
    pub(crate) links: Vec<NodeLink>,
    /// The routes of the main table that other programs made.
    pub(crate) routes: Vec<Route>,
}

/// A link of this node that has addresses, or that a route of another program leads over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeLink {
    /// Its index.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Whether it is administratively up (`IFF_UP`). The kernel accepts no route over a link that
    /// is down; a missing carrier it handles by itself.
    pub(crate) up: bool,
    /// Whether it is up and has a carrier (`IFF_RUNNING`).
    pub(crate) running: bool,
    /// The addresses on it, each with its on-link prefix.
    pub(crate) addresses: Vec<IpNetwork>,
    /// The addresses that may be advertised to peers: neither temporary nor deprecated nor
    /// tentative.
    pub(crate) lasting: Vec<IpAddr>,
}

/// The operations that `routed` needs of a kernel.
pub(crate) trait Kernel {
    /// The links and the routes of other programs.
    fn topology(&mut self) -> Result<Topology, Error>;

    /// The links that have addresses or lead to others.
    fn links(&mut self) -> Result<Vec<NodeLink>, Error> {
        Ok(self.topology()?.links)
    }

    /// The routes of the main table, of one protocol or of all.
    fn routes(&mut self, protocol: Option<u8>) -> Result<Vec<Route>, Error>;

    /// The route with exactly the prefix `dst` that the kernel uses for its first address; `None`
    /// if it uses another route, or if the lookup gives no answer.
    fn route_for(&mut self, dst: IpNet) -> Result<Option<Route>, Error>;

    /// Applies requests in order, and continues after one that fails. Returns the failures.
    fn apply(&mut self, requests: &[NetlinkRequest]) -> Result<Vec<Error>, Error>;
}

/// The kernel of this process's network namespace. A socket that failed is replaced on the next
/// call, so that no late answer is taken for that of another request.
#[derive(Debug, Default)]
pub(crate) struct Netlink {
    socket: Option<NetlinkSocket>,
}

impl Netlink {
    /// Makes `monitor` ignore the changes that this makes.
    pub(crate) fn hide_from(&self, monitor: &mut NetlinkMonitor) {
        if let Some(socket) = &self.socket {
            monitor.ignore(socket);
        }
    }

    /// Runs `call` on the socket.
    pub(crate) fn with<T>(
        &mut self,
        call: impl FnOnce(&mut NetlinkSocket) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => NetlinkSocket::open()?,
        };
        let result = call(&mut socket);
        if !matches!(result, Err(Error::Socket { .. } | Error::Malformed { .. })) {
            self.socket = Some(socket);
        }
        result
    }
}

impl Kernel for Netlink {
    fn topology(&mut self) -> Result<Topology, Error> {
        self.with(|socket| {
            let mut by_link: BTreeMap<u32, Vec<Address>> = BTreeMap::new();
            for address in socket.addresses(None)? {
                by_link.entry(address.link).or_default().push(address);
            }
            by_link.retain(|_, all| !all.iter().all(|own| is_link_local_v6(own.address.ip())));
            let mut routes = socket.routes(None)?;
            routes.retain(|route| route.protocol != wire::ROUTE_PROTOCOL);
            // Looked up one by one: a node has few such links, but hundreds of pods' links.
            let indexes: BTreeSet<u32> = leading(&routes).chain(by_link.keys().copied()).collect();
            let mut links = Vec::new();
            for index in indexes {
                let Some(link) = socket.link_by_index(index)? else {
                    continue;
                };
                let addresses = by_link.remove(&index).unwrap_or_default();
                let lasting = Address::lasting_on(index, &addresses);
                links.push(NodeLink {
                    index,
                    name: link.name,
                    up: link.up,
                    running: link.running,
                    lasting,
                    addresses: addresses.iter().map(|own| own.address).collect(),
                });
            }
            Ok(Topology { links, routes })
        })
    }

    fn routes(&mut self, protocol: Option<u8>) -> Result<Vec<Route>, Error> {
        self.with(|socket| socket.routes(protocol))
    }

    fn route_for(&mut self, dst: IpNet) -> Result<Option<Route>, Error> {
        let found = self.with(|socket| socket.route_matching(dst.network()))?;
        Ok(found.filter(|route| route.dst == dst))
    }

    fn apply(&mut self, requests: &[NetlinkRequest]) -> Result<Vec<Error>, Error> {
        self.with(|socket| socket.apply(requests))
    }
}

/// The links that routes of other programs lead over. Not those with routes to single hosts only:
/// other network plugins have such a route and a link for each of their pods.
fn leading(routes: &[Route]) -> impl Iterator<Item = u32> {
    let is_host = |dst: IpNet| dst.prefix_len() == dst.max_prefix_len();
    let leads = move |route: &&Route| !is_link_local_v6(route.dst.addr());
    routes.iter().filter(leads).flat_map(move |route| {
        let mut hops = route.next_hops();
        hops.retain(|hop| hop.via.is_some() || !is_host(route.dst));
        hops.into_iter().map(|hop| hop.dev)
    })
}

/// The link's name, or `if7` where it is not known.
pub(crate) fn link_name(index: u32, links: &[NodeLink]) -> String {
    let link = links.iter().find(|link| link.index == index);
    link.map_or_else(|| format!("if{index}"), |link| link.name.clone())
}

/// Whether it is a link-local IPv6 address, which does not identify its link.
pub(crate) fn is_link_local_v6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
