//! The uplink: the interface that carries this node's traffic to its peers.

mod choose;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use self::choose::{choose, has_ports, is_bridge, leads_outside, least};
use super::{Address, Error, Link, NetlinkSocket, NextHop};

/// Addresses of documentation (RFC 5737, RFC 3849): no host has them, so that only a default route
/// leads there. Nothing is ever sent to them.
const OUTSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The interface that carries this node's traffic to its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Index of the link.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MTU, in bytes. Of several links that share the traffic it is the smallest.
    pub mtu: u32,
    /// The node's addresses that peers can use ([`Address::lasting_on`]): the configured ones if they
    /// are on a link that leads to no other machine, then those of the uplink. IPv4 first.
    pub addresses: Vec<IpAddr>,
}

impl Uplink {
    /// The link that has one of `node_addresses` (this node's configured addresses, tried in
    /// order). An address may be on a link that leads to no other machine: loopback, a dummy, a VRF,
    /// a bridge without ports, as with BGP on the node. Then, and without a configured address, it is
    /// the link of the default route, IPv4's before IPv6's; else the link of the routes to peers; else
    /// the only link that is up and has an address of global scope.
    ///
    /// # Errors
    /// [`Error::NoUplink`] lists the links to choose from.
    pub fn find(socket: &mut NetlinkSocket, node_addresses: &[IpAddr]) -> Result<Self, Error> {
        let mut inside = Vec::new();
        // A configured address saves listing addresses, links and routes, of which there may be
        // many thousand.
        for address in node_addresses {
            if let Some((link, addresses)) = socket.link_with(*address)? {
                if carries_traffic(socket, &link)? {
                    return Ok(Self::new(&link, &addresses, &own(&inside)));
                }
                inside.push((link, *address));
            }
        }
        if !inside.is_empty()
            && let Some(link) = by_default_route(socket, &own(&inside))?
        {
            let addresses = socket.addresses(Some(link.index))?;
            return Ok(Self::new(&link, &addresses, &own(&inside)));
        }
        let addresses = socket.addresses(None)?;
        let links = socket.links()?;
        if let Some(link) = with_address(node_addresses, &addresses, &links) {
            return Ok(Self::new(link, &addresses, &own(&inside)));
        }
        let routes = socket.routes(None)?;
        match choose(&links, &addresses, &routes) {
            Ok(link) if inside.is_empty() => {
                let mut found = Self::new(link, &addresses, &[]);
                found.add_sources(socket, &addresses)?;
                Ok(found)
            }
            Ok(link) => Ok(Self::new(link, &addresses, &own(&inside))),
            // A machine without any network, or with one that is not up yet.
            Err(why) => match inside.iter().find(|(link, _)| !link.loopback) {
                Some((link, _)) => Ok(Self::new(link, &addresses, &own(&inside))),
                None => Err(Error::NoUplink { why }),
            },
        }
    }

    fn new(link: &Link, addresses: &[Address], own: &[IpAddr]) -> Self {
        let mut usable = own.to_vec();
        for address in Address::lasting_on(link.index, addresses) {
            if !usable.contains(&address) {
                usable.push(address);
            }
        }
        usable.sort_by_key(IpAddr::is_ipv6);
        Self {
            index: link.index,
            name: link.name.clone(),
            mtu: link.mtu,
            addresses: usable,
        }
    }

    /// For a family without an address on the uplink: the address that the kernel sends from, which
    /// is on another link then, such as loopback.
    fn add_sources(&mut self, socket: &mut NetlinkSocket, all: &[Address]) -> Result<(), Error> {
        for outside in OUTSIDE {
            if self
                .addresses
                .iter()
                .any(|own| own.is_ipv4() == outside.is_ipv4())
            {
                continue;
            }
            let source = match socket.route_to(outside) {
                Err(Error::Refused { .. }) => None,
                route => route?.src,
            };
            let is_usable = |own: &&Address| own.is_lasting() && !is_link_local(ip(own));
            let known = all.iter().filter(is_usable).map(ip);
            self.addresses
                .extend(known.filter(|own| Some(*own) == source).take(1));
        }
        self.addresses.sort_by_key(IpAddr::is_ipv6);
        Ok(())
    }
}

/// The link of the default route, without listing any table; `None` if there is none or if it is not
/// that simple.
fn by_default_route(socket: &mut NetlinkSocket, own: &[IpAddr]) -> Result<Option<Link>, Error> {
    let ipv6_first = own.first().is_some_and(IpAddr::is_ipv6);
    let [v4, v6] = OUTSIDE;
    for outside in if ipv6_first { [v6, v4] } else { [v4, v6] } {
        let route = socket.route_matching(outside)?;
        let Some(route) = route.filter(|route| route.dst.prefix_len() == 0) else {
            continue;
        };
        let mut links = Vec::new();
        for NextHop { dev, .. } in route.next_hops() {
            if let Some(link) = socket.link_by_index(dev)?
                && carries_traffic(socket, &link)?
            {
                links.push(link);
            }
        }
        if let Some(link) = least(links.iter()) {
            return Ok(Some(link.clone()));
        }
    }
    Ok(None)
}

/// As [`leads_outside`]. Asks for ports only if the link is a bridge.
fn carries_traffic(socket: &mut NetlinkSocket, link: &Link) -> Result<bool, Error> {
    let has_ports = is_bridge(link) && socket.has_ports(link.index)?;
    Ok(leads_outside(link, has_ports))
}

fn with_address<'a>(
    node_addresses: &[IpAddr],
    addresses: &[Address],
    links: &'a [Link],
) -> Option<&'a Link> {
    let mut owners = node_addresses
        .iter()
        .filter_map(|wanted| addresses.iter().find(|a| ip(a) == *wanted))
        .filter_map(|own| links.iter().find(|link| link.index == own.link));
    owners.find(|link| leads_outside(link, has_ports(link, links)))
}

fn own(inside: &[(Link, IpAddr)]) -> Vec<IpAddr> {
    inside.iter().map(|(_, address)| *address).collect()
}

fn ip(address: &Address) -> IpAddr {
    address.address.ip()
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
