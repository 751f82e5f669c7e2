//! CHECK: compares the wiring of a pod with what ADD made. It changes nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::cni::{Attachment, Call, Error, IpConfig, Success, code};
use wire::conf::PluginConfig;
use wire::netlink::{self, NetlinkSocket, PolicyRule, Route, RouteKind};
use wire::{pod_link, spoof_guard, sysctl};

use crate::drift::{Expected, Observed, ObservedEnd, compare, pod_interface};
use crate::error::{self, kernel};
use crate::spoof_guard::SpoofGuard;
use crate::wiring::{Wiring, WiringInput, gateway_of};
use crate::{ipam, node, requested_mac};

/// Reports all differences in one error.
pub(crate) fn check(call: &Call) -> Result<(), Error> {
    let config = PluginConfig::parse(&call.config)?;
    let attachment = call.environment.attachment()?;
    let previous = call.add_result()?;
    let netns = error::open_pod(call.environment.netns()?)?;
    let mut host =
        NetlinkSocket::open().map_err(|error| kernel("cannot reach the kernel", &error))?;
    let mut pod = netns.socket().map_err(|error| error::namespace(&error))?;

    let ours = own_part(&call.network, attachment, previous);
    let node = node::describe(&mut host, &config)?;
    let wiring = Wiring::new(&WiringInput {
        network: &call.network,
        attachment,
        ipam: &ours,
        mtu: node.mtu,
        node_addresses: &node.addresses,
        ipv6: node.ipv6,
        mac: requested_mac::mac(call)?,
        settings: &[],
        // Their effect on ADD is in the result.
        existing_routes: &[],
    });
    let expected = Expected::new(wiring, &ours);
    let observed = observe(&expected.wiring, &mut host, &mut pod)
        .map_err(|error| kernel(&format!("looking at {attachment}"), &error))?;
    let reserved = ipam::find(call, &config.ipam_type)?.check(call);
    combine_findings(attachment, compare(&expected, &observed), reserved)
}

/// The result with only the addresses that ADD gave our interface: a chain may have added other
/// interfaces, and other addresses to ours.
fn own_part(network: &str, attachment: &Attachment, mut result: Success) -> Success {
    let host_name = pod_link::host_interface_name(network, attachment);
    let ours = pod_interface(&result, &host_name, attachment.interface());
    result
        .ips
        .retain(|ip| ip.interface.is_none() || ip.interface == ours);
    // Before 1.0.0 the gateways are those of the IPAM plugin.
    let has_our_gateway =
        |ip: &IpConfig| ip.gateway == Some(gateway_of(&IpNet::from(ip.address.ip())));
    if result.ips.iter().any(has_our_gateway) {
        result.ips.retain(has_our_gateway);
    }
    result
}

fn observe(
    wiring: &Wiring,
    host: &mut NetlinkSocket,
    pod: &mut NetlinkSocket,
) -> Result<Observed, netlink::Error> {
    let gateways: Vec<IpAddr> = wiring.gateways().collect();
    let inside = ObservedEnd {
        routes: routes_from_pod(pod, &wiring.addresses)?,
        ..observe_link(pod, &wiring.pod_name, &gateways)?
    };
    let outside = ObservedEnd {
        routes: wiring
            .addresses
            .iter()
            .filter_map(|address| route_to(host, *address))
            .collect(),
        ..observe_link(host, &wiring.host_name, &wiring.addresses)?
    };
    let setting = |link: &str, name: &str| {
        let value = sysctl::read(&format!("net/ipv4/conf/{link}/{name}")).ok()?;
        value.parse().ok()
    };
    let mut spoof_guard = SpoofGuard {
        all: setting("all", "rp_filter"),
        own: setting(&wiring.host_name, "rp_filter"),
        is_filtered: false,
    };
    if !spoof_guard.is_strict() {
        // If nftables cannot be queried, the guard counts as missing.
        spoof_guard.is_filtered = spoof_guard::is_installed().unwrap_or_default();
    }
    Ok(Observed {
        pod: inside,
        host: outside,
        spoof_guard,
        proxy_arp: setting(&wiring.host_name, "proxy_arp") == Some(1),
        forwards: setting(&wiring.host_name, "forwarding").is_some_and(|value| value != 0),
    })
}

/// The link with that name, its addresses, and its neighbours with the given addresses.
fn observe_link(
    socket: &mut NetlinkSocket,
    name: &str,
    neighbours: &[IpAddr],
) -> Result<ObservedEnd, netlink::Error> {
    let Some(link) = socket.link_by_name(name)? else {
        return Ok(ObservedEnd::default());
    };
    let mut found = Vec::new();
    for address in neighbours {
        found.extend(socket.neighbour(link.index, *address)?);
    }
    Ok(ObservedEnd {
        addresses: socket.addresses(Some(link.index))?,
        neighbours: found,
        link: Some(link),
        ..ObservedEnd::default()
    })
}

/// The routes for packets from the pod's addresses: those of the main table, and of the tables that
/// policy rules select, where a later plugin such as `sbr` may have moved them.
fn routes_from_pod(
    pod: &mut NetlinkSocket,
    addresses: &[IpAddr],
) -> Result<Vec<Route>, netlink::Error> {
    let mut routes = pod.routes(None)?;
    let rules = match pod.policy_rules() {
        // A kernel without policy routing.
        Err(netlink::Error::Refused { .. }) => Vec::new(),
        rules => rules?,
    };
    let of_sources = rules.iter().filter_map(PolicyRule::source_and_table);
    let ours = of_sources.filter(|(from, _)| addresses.contains(from));
    for table in ours.map(|(_, table)| table).collect::<BTreeSet<_>>() {
        routes.extend(pod.routes_of(table)?);
    }
    Ok(routes)
}

/// The route of the node to this address, by look-up, as the table may be long.
fn route_to(host: &mut NetlinkSocket, address: IpAddr) -> Option<Route> {
    let route = host.route_to(address).ok()?;
    (route.kind == RouteKind::Unicast).then_some(route)
}

/// One error for all findings and the error of the IPAM plugin.
fn combine_findings(
    attachment: &Attachment,
    mut findings: Vec<String>,
    reserved: Result<(), Error>,
) -> Result<(), Error> {
    if findings.is_empty() {
        return reserved;
    }
    findings.extend(reserved.err().map(|error| error.to_string()));
    let msg = format!(
        "{attachment} is not as ADD left it: {}",
        findings.join("; ")
    );
    Err(Error::new(code::CHECK_FAILED, msg)
        .advise("delete the pod, so that its successor is wired anew"))
}

#[cfg(test)]
mod tests;
