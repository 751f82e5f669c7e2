//! Drift of a pod's wiring: a pure comparison of what ADD would make with what the kernel has. It
//! looks for the results of the very requests of ADD, so that ADD and CHECK cannot differ.

use std::net::IpAddr;

use ipnet::IpNet;
use wire::cni::Success;
use wire::netlink::{Address, Link, LinkChange, Mac, Neighbour, NetlinkRequest, Route, RouteKind};

use crate::spoof_guard::SpoofGuard;
use crate::wiring::{self, Wiring};

/// The expected wiring, with the changes of later plugins that the result of the chain states.
///
/// Later plugins also change things that no result states, so that these are no findings: `tuning`
/// changes settings and lowers the MTU of the pod's interface, and where it sets the MAC, even to
/// the same one, or where `vrf` takes the interface down, the kernel removes its neighbours.
#[derive(Debug)]
pub(crate) struct Expected {
    /// The wiring, with the name and the MAC of the pod's interface that the result states.
    pub(crate) wiring: Wiring,
    /// Destinations that the result still routes through our gateways.
    destinations: Vec<IpNet>,
    /// MTUs in the result, from CNI 1.1.0 on.
    host_mtu: Option<u32>,
    pod_mtu: Option<u32>,
}

/// The actual state.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The interface in the pod.
    pub(crate) pod: ObservedEnd,
    /// The host end; its routes are the results of a look-up for each of the pod's addresses.
    pub(crate) host: ObservedEnd,
    /// What drops packets with a source address that is not the pod's.
    pub(crate) spoof_guard: SpoofGuard,
    /// Whether the host end replies to ARP for the gateway.
    pub(crate) proxy_arp: bool,
    /// Whether IPv4 packets that the pod sends are forwarded (`forwarding` of the host end).
    pub(crate) forwards: bool,
}

/// One end of the pair with its addresses, routes and neighbours.
#[derive(Debug, Default)]
pub(crate) struct ObservedEnd {
    /// The interface, if it exists.
    pub(crate) link: Option<Link>,
    /// Its addresses.
    pub(crate) addresses: Vec<Address>,
    /// Routes, also through other links.
    pub(crate) routes: Vec<Route>,
    /// Its neighbours among the expected addresses.
    pub(crate) neighbours: Vec<Neighbour>,
}

impl Expected {
    /// `wiring` is what ADD makes from the addresses in `result`.
    pub(crate) fn new(mut wiring: Wiring, result: &Success) -> Self {
        let host = result
            .interfaces
            .iter()
            .find(|interface| interface.name == wiring.host_name && interface.sandbox.is_none());
        let pod = pod_interface(result, &wiring.host_name, &wiring.pod_name);
        let pod = pod.map(|index| &result.interfaces[index]);
        if let Some(pod) = pod {
            wiring.pod_name.clone_from(&pod.name);
        }
        let mac = pod.and_then(|pod| pod.mac.as_deref()?.parse::<Mac>().ok());
        wiring.pod_mac = mac.unwrap_or(wiring.pod_mac);
        // Our routes have no attributes: one with a table or a scope is of a later plugin.
        let ours = result.routes.iter().filter(|route| {
            route.gw == Some(wiring::gateway_of(&route.dst)) && route.other.is_empty()
        });
        Self {
            wiring,
            destinations: ours.map(|route| route.dst).collect(),
            host_mtu: host.and_then(|host| host.mtu),
            pod_mtu: pod.and_then(|pod| pod.mtu),
        }
    }

    /// Whether the pod, which has the routes `existing`, must have this route: it leads to a
    /// destination in the result, or to the gateway of one that is not on-link.
    fn expects_route(&self, route: &Route, existing: &[Route]) -> bool {
        if self.destinations.contains(&route.dst) {
            return true;
        }
        let needed = |dst: &IpNet| {
            let onlink = |other: &Route| other.dst == *dst && other.onlink;
            wiring::gateway_of(dst) == route.dst.addr() && !existing.iter().any(onlink)
        };
        self.destinations.iter().any(needed)
    }
}

/// The index of the pod's interface in the result of the chain: the one with this name in a sandbox,
/// else, if a later plugin has renamed it, the one that follows its host end.
pub(crate) fn pod_interface(result: &Success, host_name: &str, pod_name: &str) -> Option<usize> {
    let interfaces = &result.interfaces;
    let is_inside = |index: &usize| {
        let interface = interfaces.get(*index);
        interface.is_some_and(|interface| interface.sandbox.is_some())
    };
    let mut inside = (0..interfaces.len()).filter(is_inside);
    inside
        .find(|index| interfaces[*index].name == pod_name)
        .or_else(|| {
            let host = interfaces
                .iter()
                .position(|interface| interface.name == host_name)?;
            Some(host + 1).filter(is_inside)
        })
}

/// All differences, in words.
pub(crate) fn compare(expected: &Expected, observed: &Observed) -> Vec<String> {
    let wiring = &expected.wiring;
    let mut found = Vec::new();
    let (inside, outside) = (&observed.pod, &observed.host);
    match &inside.link {
        Some(link) => found.extend(compare_pod(expected, inside, link)),
        None => found.push(format!("interface {} in the pod is gone", wiring.pod_name)),
    }
    match &outside.link {
        Some(link) => found.extend(compare_host(expected, observed, link)),
        None => found.push(format!("host interface {} is gone", wiring.host_name)),
    }
    found.extend(not_a_pair(inside.link.as_ref(), outside.link.as_ref()));
    found
}

/// The differences in the pod, whose interface is `link`.
fn compare_pod(expected: &Expected, inside: &ObservedEnd, link: &Link) -> Vec<String> {
    let wiring = &expected.wiring;
    let requests = wiring.pod_requests(link.index);
    // ADD gives the interface no master: it is a VRF of a later plugin, whose table has the routes.
    let has_own_routes = link.master.is_none();
    let lacking = requests.iter().filter_map(|request| match request {
        NetlinkRequest::AddRoute(route)
            if !(has_own_routes && expected.expects_route(route, &inside.routes)) =>
        {
            None
        }
        NetlinkRequest::AddNeighbour(gateway) if !inside.has_neighbour(gateway.address) => None,
        request => inside.missing(link, request),
    });
    let mut found: Vec<_> = lacking.collect();
    let what = format!("interface {} in the pod", wiring.pod_name);
    if !link.up {
        found.push(format!("{what} is down"));
    }
    found.extend(wrong_mac(&what, link, wiring.pod_mac));
    let mtu = expected.pod_mtu.unwrap_or(wiring.mtu);
    found.extend(raised_mtu(&what, link, mtu));
    found
}

/// The differences on the host, whose interface is `link`.
fn compare_host(expected: &Expected, observed: &Observed, link: &Link) -> Vec<String> {
    let wiring = &expected.wiring;
    let requests = wiring.host_requests(link.index);
    let neighbours = wiring.neighbour_requests(link.index);
    let requests = requests.iter().chain(&neighbours);
    let lacking = requests.filter_map(|request| observed.host.missing(link, request));
    let mut found: Vec<_> = lacking.collect();
    let what = format!("host interface {}", wiring.host_name);
    if !link.up {
        found.push(format!("{what} is down"));
    }
    found.extend(wrong_mac(&what, link, wiring.host_mac));
    found.extend(match expected.host_mtu {
        Some(mtu) if link.mtu < mtu => Some(format!("{what} has MTU {}, not {mtu}", link.mtu)),
        stated => raised_mtu(&what, link, stated.unwrap_or(wiring.mtu)),
    });
    found.extend(observed.spoof_guard.finding(&link.name));
    let has_ipv4 = wiring.addresses.iter().any(IpAddr::is_ipv4);
    if !observed.forwards && has_ipv4 {
        found.push(format!(
            "{what} does not forward what the pod sends: forwarding is not 1"
        ));
    }
    if !observed.proxy_arp && has_ipv4 {
        found.push(format!(
            "{what} does not reply to ARP for the gateway: proxy_arp is not 1"
        ));
    }
    found
}

impl ObservedEnd {
    /// What is missing of the effect of a request of ADD.
    fn missing(&self, link: &Link, request: &NetlinkRequest) -> Option<String> {
        match request {
            NetlinkRequest::ChangeLink { change, .. } => wrong_alias(link, change),
            NetlinkRequest::AddAddress(wanted) => self.missing_address(link, wanted),
            // The kernel adds it too, in a table that other programs do not change.
            NetlinkRequest::AddRoute(wanted) if wanted.kind == RouteKind::Local => None,
            NetlinkRequest::AddRoute(wanted) => self.missing_route(link, wanted),
            NetlinkRequest::AddNeighbour(wanted) => self.missing_neighbour(link, wanted),
            _ => None,
        }
    }

    fn missing_address(&self, link: &Link, wanted: &Address) -> Option<String> {
        let there = |address: &Address| address.address == wanted.address;
        let name = &link.name;
        (!self.addresses.iter().any(there))
            .then(|| format!("{name} does not have address {}", wanted.address))
    }

    fn missing_route(&self, link: &Link, wanted: &Route) -> Option<String> {
        let mut to_same = self.routes.iter().filter(|route| route.dst == wanted.dst);
        let same = |route: &&Route| {
            (route.kind, route.via, route.dev) == (wanted.kind, wanted.via, wanted.dev)
        };
        if to_same.clone().any(|route| same(&route)) {
            return None;
        }
        let (dst, name) = (wanted.dst, &link.name);
        Some(match to_same.next() {
            None => format!("the route to {dst} through {name} is missing"),
            Some(other) => {
                format!("the route to {dst} does not lead through {name}: it is {other}")
            }
        })
    }

    fn has_neighbour(&self, address: IpAddr) -> bool {
        let mut neighbours = self.neighbours.iter();
        neighbours.any(|neighbour| neighbour.address == address)
    }

    fn missing_neighbour(&self, link: &Link, wanted: &Neighbour) -> Option<String> {
        let (address, name) = (wanted.address, &link.name);
        let same = |neighbour: &&Neighbour| neighbour.address == address;
        match self.neighbours.iter().find(same) {
            Some(there) if there.mac == wanted.mac => None,
            // The neighbour has advertised another address itself.
            Some(there) if !wanted.permanent && !there.permanent => None,
            Some(other) => Some(format!(
                "{name} sends what is for {address} to MAC {}, not {}",
                other.mac, wanted.mac
            )),
            None => Some(format!("the neighbour {address} of {name} is missing")),
        }
    }
}

/// Whether the link has another alias than the change sets.
fn wrong_alias(link: &Link, change: &LinkChange) -> Option<String> {
    let name = &link.name;
    let alias = change.alias.as_deref()?;
    match link.alias.as_deref() {
        Some(there) if there == alias => None,
        Some(other) => Some(format!("host interface {name} belongs to {other:?}")),
        None => Some(format!("host interface {name} has no alias")),
    }
}

fn wrong_mac(what: &str, link: &Link, wanted: Mac) -> Option<String> {
    let mac = link.mac.filter(|mac| *mac != wanted)?;
    Some(format!("{what} has MAC {mac}, not {wanted}"))
}

fn raised_mtu(what: &str, link: &Link, limit: u32) -> Option<String> {
    let mtu = link.mtu;
    (mtu > limit).then(|| format!("{what} has MTU {mtu}, more than {limit}"))
}

/// Whether both interfaces exist but are not the two ends of one pair.
fn not_a_pair(inside: Option<&Link>, outside: Option<&Link>) -> Option<String> {
    let (inside, outside) = (inside?, outside?);
    (!wiring::is_pair(inside, outside)).then(|| {
        format!(
            "interface {} in the pod is not the other end of {}",
            inside.name, outside.name
        )
    })
}

#[cfg(test)]
mod tests;
