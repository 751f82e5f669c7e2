//! Routes in words.

use std::net::IpAddr;

use wire::netlink::{Route, RouteKind};
use wire::node::NodeName;

use crate::desired::Link;
use crate::fib::Why;
use crate::guests::GATEWAY;

/// `route to 10.244.7.0/24 (n2) via 192.168.1.2 dev eth0`.
pub(crate) fn route_line(route: &Route, peer: Option<&NodeName>, links: &[Link]) -> String {
    let peer = peer.map(|peer| format!(" ({peer})")).unwrap_or_default();
    match route.kind {
        RouteKind::Unreachable => format!("unreachable route for own subnet {}", route.dst),
        _ if route.dst == GATEWAY => {
            format!(
                "route to {} (pods' gateway){}",
                route.dst,
                way(route, links)
            )
        }
        _ => format!("route to {}{peer}{}", route.dst, way(route, links)),
    }
}

/// ` via 192.168.1.2 dev eth0`.
pub(crate) fn way(route: &Route, links: &[Link]) -> String {
    let via = route
        .via
        .map(|via: IpAddr| format!(" via {via}"))
        .unwrap_or_default();
    let dev = route
        .dev
        .map(|index| format!(" dev {}", name_of(index, links)))
        .unwrap_or_default();
    format!("{via}{dev}")
}

/// The link's name, or `if7` where it is not known.
pub(crate) fn name_of(index: u32, links: &[Link]) -> String {
    let link = links.iter().find(|link| link.index == index);
    link.map_or_else(|| format!("if{index}"), |link| link.name.clone())
}

/// Why a route is not as it should be.
pub(crate) fn failure_line(
    wanted: &Route,
    peer: Option<&NodeName>,
    why: &Why,
    links: &[Link],
) -> String {
    let wanted = route_line(wanted, peer, links);
    match why {
        Why::Refused(text) => format!("{wanted}: {text}; trying again"),
        Why::Conflict(foreign) => {
            let kind = match foreign.kind {
                RouteKind::Unreachable => " unreachable",
                _ => "",
            };
            format!(
                "{wanted}: conflict with a route that somebody else made: {}{kind}{} proto {}; it \
                 is left alone, remove it to let this one in",
                foreign.dst,
                way(foreign, links),
                protocol(foreign.protocol)
            )
        }
    }
}

/// The protocol's name as iproute2 has it (`/etc/iproute2/rt_protos`), else its number.
pub(crate) fn protocol(number: u8) -> String {
    match number {
        2 => "kernel".to_owned(),
        3 => "boot".to_owned(),
        4 => "static".to_owned(),
        9 => "ra".to_owned(),
        12 => "bird".to_owned(),
        16 => "dhcp".to_owned(),
        186 => "bgp".to_owned(),
        188 => "ospf".to_owned(),
        196 => "openr".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_both_routes() {
        let links = [Link {
            index: 4,
            name: "eth0".into(),
            up: true,
            running: true,
            addresses: vec![],
            lasting: vec![],
        }];
        let dst = "10.244.7.0/24".parse().unwrap();
        let mut wanted = Route::new(dst, RouteKind::Unicast);
        (wanted.via, wanted.dev) = (Some("192.168.1.2".parse().unwrap()), Some(4));
        let mut foreign = wanted.clone();
        (foreign.via, foreign.protocol) = (Some("192.168.1.254".parse().unwrap()), 4);
        let peer = NodeName::new("n2").unwrap();
        assert_eq!(
            failure_line(&wanted, Some(&peer), &Why::Conflict(foreign), &links),
            "route to 10.244.7.0/24 (n2) via 192.168.1.2 dev eth0: conflict with a route that \
             somebody else made: 10.244.7.0/24 via 192.168.1.254 dev eth0 proto static; it is \
             left alone, remove it to let this one in"
        );
    }
}
