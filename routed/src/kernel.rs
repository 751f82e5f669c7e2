//! Links and routes of the kernel, as `routed` uses them (rtnetlink).

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use wire::netlink::{Address, Error, Monitor, Request, Route, RouteFilter, Socket};

/// The index of the loopback link of every network namespace (`LOOPBACK_IFINDEX`).
pub(crate) const LOOPBACK: u32 = 1;

/// A link of this node that has addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
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
    /// The links that have addresses.
    fn links(&mut self) -> Result<Vec<Link>, Error>;

    /// The routes of the main table, of one protocol or of all.
    fn routes(&mut self, protocol: Option<u8>) -> Result<Vec<Route>, Error>;

    /// The route with exactly the prefix `dst` that the kernel uses for its first address; `None`
    /// if it uses another route, or if the lookup gives no answer.
    fn route_for(&mut self, dst: IpNet) -> Result<Option<Route>, Error>;

    /// Applies requests in order, and continues after one that fails. Returns the failures.
    fn apply(&mut self, requests: &[Request]) -> Result<Vec<Error>, Error>;
}

/// The kernel of this process's network namespace. A socket that failed is replaced on the next
/// call, so that no late answer is taken for that of another request.
#[derive(Debug, Default)]
pub(crate) struct Netlink {
    socket: Option<Socket>,
}

impl Netlink {
    /// Makes `monitor` ignore the changes that this makes.
    pub(crate) fn hide_from(&self, monitor: &mut Monitor) {
        if let Some(socket) = &self.socket {
            monitor.ignore(socket);
        }
    }

    /// Runs `call` on the socket.
    pub(crate) fn with<T>(
        &mut self,
        call: impl FnOnce(&mut Socket) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::open()?,
        };
        let result = call(&mut socket);
        if !matches!(result, Err(Error::Socket { .. } | Error::Malformed { .. })) {
            self.socket = Some(socket);
        }
        result
    }
}

impl Kernel for Netlink {
    fn links(&mut self) -> Result<Vec<Link>, Error> {
        self.with(|socket| {
            let mut by_link: BTreeMap<u32, Vec<Address>> = BTreeMap::new();
            for address in socket.addresses(None)? {
                by_link.entry(address.link).or_default().push(address);
            }
            // Looked up one by one: a node has few links with addresses, but hundreds without, of
            // pods.
            let mut links = Vec::new();
            for (index, addresses) in by_link {
                if addresses
                    .iter()
                    .all(|own| is_link_local_v6(own.address.ip()))
                {
                    continue;
                }
                if let Some(link) = socket.link_by_index(index)? {
                    let lasting = addresses.iter().filter(|address| address.is_lasting());
                    links.push(Link {
                        index,
                        name: link.name,
                        up: link.up,
                        running: link.running,
                        lasting: lasting.map(|own| own.address.ip()).collect(),
                        addresses: addresses.iter().map(|own| own.address).collect(),
                    });
                }
            }
            Ok(links)
        })
    }

    fn routes(&mut self, protocol: Option<u8>) -> Result<Vec<Route>, Error> {
        self.with(|socket| socket.routes(RouteFilter { protocol }))
    }

    fn route_for(&mut self, dst: IpNet) -> Result<Option<Route>, Error> {
        let found = self.with(|socket| socket.route_matching(dst.network()))?;
        Ok(found.filter(|route| route.dst == dst))
    }

    fn apply(&mut self, requests: &[Request]) -> Result<Vec<Error>, Error> {
        self.with(|socket| socket.apply(requests))
    }
}

/// The link's name, or `if7` where it is not known.
pub(crate) fn link_name(index: u32, links: &[Link]) -> String {
    let link = links.iter().find(|link| link.index == index);
    link.map_or_else(|| format!("if{index}"), |link| link.name.clone())
}

/// Whether it is a link-local IPv6 address, which does not identify its link.
pub(crate) fn is_link_local_v6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
