//! Which interface carries this node's traffic.

use std::net::IpAddr;

use super::{Address, Error, Link, Route, RouteFilter, RouteKind, Scope, Socket};

/// The interface that carries this node's traffic to its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Index of the link.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MTU, in bytes.
    pub mtu: u32,
    /// Its addresses that peers can use and that stay: permanent or leased ones of global scope,
    /// neither temporary nor deprecated nor tentative. IPv4 first, else in the kernel's order.
    pub addresses: Vec<IpAddr>,
}

impl Uplink {
    /// The link that carries one of the `hints` (this node's configured addresses, tried in
    /// order); else the default route's, IPv4's before IPv6's; else the only link that is up and
    /// has an address of global scope.
    ///
    /// # Errors
    /// [`Error::NoUplink`] lists the links to choose from.
    pub fn find(socket: &mut Socket, hints: &[IpAddr]) -> Result<Self, Error> {
        let addresses = socket.addresses(None)?;
        // With a hint there is no need to list the links and the routes, of which there may be
        // many thousand.
        if let Some(index) = with_address(hints, &addresses)
            && let Some(link) = socket.link_by_index(index)?
        {
            return Ok(Self::new(&link, &addresses));
        }
        let links = socket.links()?;
        let routes = socket.routes(RouteFilter::default())?;
        choose(&links, &addresses, &routes)
            .map(|link| Self::new(link, &addresses))
            .map_err(|why| Error::NoUplink { why })
    }

    fn new(link: &Link, addresses: &[Address]) -> Self {
        let mut usable: Vec<IpAddr> = addresses
            .iter()
            .filter(|a| a.link == link.index && usable(a))
            .map(ip)
            .collect();
        usable.sort_by_key(IpAddr::is_ipv6);
        Self {
            index: link.index,
            name: link.name.clone(),
            mtu: link.mtu,
            addresses: usable,
        }
    }
}

fn with_address(hints: &[IpAddr], addresses: &[Address]) -> Option<u32> {
    hints
        .iter()
        .find_map(|hint| addresses.iter().find(|a| ip(a) == *hint))
        .map(|a| a.link)
}

/// The link to take without a hint, or why there is none.
fn choose<'a>(
    links: &'a [Link],
    addresses: &[Address],
    routes: &[Route],
) -> Result<&'a Link, String> {
    let usable_links: Vec<&Link> = links
        .iter()
        .filter(|link| link.up && !link.loopback)
        .collect();
    let default_route = routes
        .iter()
        .filter(|route| route.dst.prefix_len() == 0)
        .filter(|route| matches!(route.kind, RouteKind::Unicast | RouteKind::Multipath))
        .filter_map(|route| {
            let link = usable_links
                .iter()
                .find(|link| Some(link.index) == route.dev)?;
            Some((route.dst.addr().is_ipv6(), route.metric.unwrap_or(0), *link))
        })
        .min_by_key(|(ipv6, metric, _)| (*ipv6, *metric));
    if let Some((.., link)) = default_route {
        return Ok(link);
    }
    let candidates: Vec<&Link> = usable_links
        .into_iter()
        .filter(|link| addresses.iter().any(|a| a.link == link.index && usable(a)))
        .collect();
    match candidates[..] {
        [link] => Ok(link),
        [] => Err("there is no default route and no link that is up with an address".to_owned()),
        _ => {
            let names: Vec<&str> = candidates.iter().map(|link| link.name.as_str()).collect();
            Err(format!(
                "there is no default route, and it could be any of {}",
                names.join(", ")
            ))
        }
    }
}

fn usable(address: &Address) -> bool {
    address.scope == Scope::Global
        && !address.temporary
        && !address.deprecated
        && !address.tentative
}

fn ip(address: &Address) -> IpAddr {
    address.address.ip()
}
