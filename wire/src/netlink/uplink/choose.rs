//! Which link is the uplink where no configured address says it. Pure.

use crate::ROUTE_PROTOCOL;
use crate::netlink::{Address, Link, Route};

/// Whether packets to other machines can leave by the link. By loopback, a dummy, a VRF or a bridge
/// without ports they cannot.
pub(super) fn leads_outside(link: &Link, has_ports: bool) -> bool {
    let is_inner = matches!(link.kind.as_deref(), Some("dummy" | "ifb" | "vrf"));
    !(link.loopback || is_inner || is_bridge(link) && !has_ports)
}

/// Whether the answer of [`leads_outside`] depends on the ports of the link.
pub(super) fn is_bridge(link: &Link) -> bool {
    link.kind.as_deref() == Some("bridge")
}

/// Whether one of the links is a port of `link`.
pub(super) fn has_ports(link: &Link, all: &[Link]) -> bool {
    all.iter().any(|port| port.master == Some(link.index))
}

/// Of links that share the traffic, one with a carrier, then the one that carries the least.
pub(super) fn least<'a>(links: impl Iterator<Item = &'a Link>) -> Option<&'a Link> {
    let up = links.filter(|link| link.up);
    up.min_by_key(|link| (!link.running, link.mtu))
}

/// The link to take, or why there is none.
pub(super) fn choose<'a>(
    links: &'a [Link],
    addresses: &[Address],
    routes: &[Route],
) -> Result<&'a Link, String> {
    let usable: Vec<&Link> = links
        .iter()
        .filter(|link| link.up && leads_outside(link, has_ports(link, links)))
        .collect();
    let of_route = |route: &Route| {
        let hops = route.next_hops();
        let is_hop = move |link: &&Link| hops.iter().any(|hop| hop.dev == link.index);
        least(usable.iter().copied().filter(is_hop))
    };
    let defaults = routes.iter().filter(|route| route.dst.prefix_len() == 0);
    let default_link = defaults
        .filter_map(|route| Some((route, of_route(route)?)))
        .min_by_key(|(route, link)| {
            let ipv6 = route.dst.addr().is_ipv6();
            (ipv6, route.preference(), !link.running)
        });
    if let Some((_, link)) = default_link {
        return Ok(link);
    }
    // Routes that lead through another machine: ours to peers, else those of other programs.
    for ours in [true, false] {
        let far = routes.iter().filter(|route| {
            let has_gateway = route.next_hops().iter().any(|hop| hop.via.is_some());
            has_gateway && (route.protocol == ROUTE_PROTOCOL) == ours
        });
        if let Some(link) = least(far.filter_map(of_route)) {
            return Ok(link);
        }
    }
    let has_address = |link: &&&Link| {
        let mut own = addresses.iter();
        own.any(|own| own.link == link.index && own.is_lasting())
    };
    let candidates: Vec<&Link> = usable.iter().filter(has_address).copied().collect();
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
