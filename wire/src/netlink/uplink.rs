//! The uplink: the interface that carries this node's traffic to its peers.

use std::net::IpAddr;

use super::{Address, Error, Link, Route, RouteFilter, RouteKind, Socket};

/// The interface that carries this node's traffic to its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Index of the link.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MTU, in bytes.
    pub mtu: u32,
    /// Its addresses that peers can use ([`Address::is_lasting`]), permanent or leased. IPv4 first,
    /// otherwise in the kernel's order.
    pub addresses: Vec<IpAddr>,
}

impl Uplink {
    /// The link that has one of `node_addresses` (this node's configured addresses, tried in
    /// order); else the link of the default route, IPv4's before IPv6's; else the only link that is
    /// up and has an address of global scope.
    ///
    /// # Errors
    /// [`Error::NoUplink`] lists the links to choose from.
    pub fn find(socket: &mut Socket, node_addresses: &[IpAddr]) -> Result<Self, Error> {
        // A configured address saves listing addresses, links and routes, of which there may be
        // many thousand.
        for address in node_addresses {
            if let Some((link, addresses)) = socket.link_with(*address)? {
                return Ok(Self::new(&link, &addresses));
            }
        }
        let addresses = socket.addresses(None)?;
        if let Some(index) = with_address(node_addresses, &addresses)
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
            .filter(|a| a.link == link.index && a.is_lasting())
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

fn with_address(node_addresses: &[IpAddr], addresses: &[Address]) -> Option<u32> {
    node_addresses
        .iter()
        .find_map(|wanted| addresses.iter().find(|a| ip(a) == *wanted))
        .map(|a| a.link)
}

/// The link to take without a configured address, or why there is none.
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
        .filter(|link| {
            addresses
                .iter()
                .any(|a| a.link == link.index && a.is_lasting())
        })
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

fn ip(address: &Address) -> IpAddr {
    address.address.ip()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link {
            index,
            name: name.to_owned(),
            up: true,
            mtu: 1500,
            ..Link::default()
        }
    }

    fn links() -> Vec<Link> {
        vec![
            Link {
                loopback: true,
                ..link(1, "lo")
            },
            link(2, "eth0"),
            link(3, "eth1"),
            Link {
                up: false,
                ..link(4, "eth2")
            },
            link(5, "flat0123456789a"),
        ]
    }

    fn address(link: u32, address: &str) -> Address {
        Address::new(link, address.parse().unwrap())
    }

    fn default_route(dst: &str, dev: u32, metric: Option<u32>, kind: RouteKind) -> Route {
        Route {
            dev: Some(dev),
            metric,
            ..Route::new(dst.parse().unwrap(), kind)
        }
    }

    fn chosen(addresses: &[Address], routes: &[Route]) -> Result<String, String> {
        choose(&links(), addresses, routes).map(|link| link.name.clone())
    }

    #[test]
    fn uplink_is_the_link_of_the_best_default_route() {
        const V4: &str = "0.0.0.0/0";
        const V6: &str = "::/0";
        use RouteKind::{Multipath, Other, Unicast, Unreachable};
        let eth0 = default_route(V4, 2, Some(100), Unicast);
        for (routes, expected) in [
            (vec![eth0.clone()], "eth0"),
            (
                vec![eth0.clone(), default_route(V4, 3, Some(50), Unicast)],
                "eth1",
            ),
            (
                vec![eth0.clone(), default_route(V4, 3, None, Unicast)],
                "eth1",
            ),
            (
                vec![default_route(V6, 3, None, Unicast), eth0.clone()],
                "eth0",
            ),
            (vec![default_route(V6, 3, None, Unicast)], "eth1"),
            (
                vec![default_route(V4, 3, None, Multipath), eth0.clone()],
                "eth1",
            ),
            (
                vec![default_route(V4, 3, None, Unreachable), eth0.clone()],
                "eth0",
            ),
            (
                vec![default_route(V4, 3, None, Other), eth0.clone()],
                "eth0",
            ),
            (
                vec![default_route(V4, 4, None, Unicast), eth0.clone()],
                "eth0",
            ),
            (
                vec![default_route(V4, 1, None, Unicast), eth0.clone()],
                "eth0",
            ),
            (
                vec![default_route("10.0.0.0/8", 3, None, Unicast), eth0],
                "eth0",
            ),
        ] {
            assert_eq!(chosen(&[], &routes).as_deref(), Ok(expected), "{routes:?}");
        }
    }

    #[test]
    fn uplink_without_default_route_is_the_only_link_with_address() {
        let addresses = [
            address(1, "10.9.0.1/32"),
            address(2, "fe80::2/64"),
            address(3, "192.168.1.10/24"),
            address(4, "192.168.2.10/24"),
            Address {
                temporary: true,
                ..address(2, "fd00::2/64")
            },
            Address {
                deprecated: true,
                ..address(2, "fd00::3/64")
            },
            Address {
                tentative: true,
                ..address(2, "fd00::4/64")
            },
        ];

        assert_eq!(chosen(&addresses, &[]).as_deref(), Ok("eth1"));
    }

    #[test]
    fn ambiguous_uplink_error_names_the_candidates() {
        let addresses = [address(2, "192.168.1.10/24"), address(3, "192.168.2.10/24")];

        let two = chosen(&addresses, &[]).unwrap_err();
        let none = chosen(&[], &[]).unwrap_err();

        assert_eq!(
            two,
            "there is no default route, and it could be any of eth0, eth1"
        );
        assert_eq!(
            none,
            "there is no default route and no link that is up with an address"
        );
    }

    #[test]
    fn first_configured_address_on_a_link_selects_the_uplink() {
        let addresses = [address(2, "192.168.1.10/24"), address(3, "fd00::3/64")];
        let wanted = ["10.0.0.1", "fd00::3", "192.168.1.10"].map(|text| text.parse().unwrap());

        assert_eq!(with_address(&wanted, &addresses), Some(3));
        assert_eq!(with_address(&wanted[..1], &addresses), None);
        assert_eq!(with_address(&[], &addresses), None);
    }

    #[test]
    fn uplink_lists_only_lasting_global_addresses() {
        let addresses = [
            address(2, "fd00::2/64"),
            address(2, "fe80::2/64"),
            address(3, "192.168.3.10/24"),
            Address {
                temporary: true,
                ..address(2, "fd00::7/64")
            },
            Address {
                permanent: false,
                ..address(2, "192.168.1.11/24")
            },
            address(2, "192.168.1.10/24"),
        ];

        let uplink = Uplink::new(&link(2, "eth0"), &addresses);

        let expected = ["192.168.1.11", "192.168.1.10", "fd00::2"];
        assert_eq!(
            uplink.addresses,
            expected.map(|text| text.parse::<IpAddr>().unwrap())
        );
    }
}
