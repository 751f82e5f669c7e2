//! Collects the facts. Changes nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use wire::conf::{Conflist, PROGRAMS};
use wire::netlink::{Error, Uplink};
use wire::sysctl;

use super::checks::programs;
use super::{HostFacts, Setting, etcd, network_manager, networkd};
use crate::firewall;
use crate::kernel::{Kernel, Link, Netlink};
use crate::reconcile::messages;

/// Looks at this host, for the network of `conflist`, with the addresses that were given for
/// it and the plugins in `cni_bin`.
pub(crate) async fn collect(
    conflist: Result<&Conflist, String>,
    service_cidrs: Vec<IpNet>,
    hints: &[IpAddr],
    cni_bin: &Path,
) -> HostFacts {
    let mut kernel = Netlink::default();
    let links = kernel.links().map_err(|why| why.to_string());
    let pod_cidrs = conflist.clone().map(|it| it.ipam().pod_cidrs.clone());
    let known = pod_cidrs.clone().unwrap_or_default();
    let v4 = known.is_empty() || known.iter().any(|cidr| cidr.addr().is_ipv4());
    let v6 = known.iter().any(|cidr| cidr.addr().is_ipv6());
    let mut forwarding = Vec::new();
    forwarding.extend(v4.then(|| setting("net/ipv4/ip_forward")));
    forwarding.extend(v6.then(|| setting("net/ipv6/conf/all/forwarding")));
    let root = Path::new("/");
    HostFacts {
        programs: programs::find_programs(cni_bin, &PROGRAMS),
        service_cidrs,
        forwarding,
        firewall: firewall::survey(&known).map_err(|why| why.to_string()),
        rp_filter: rp_filter(links.as_deref().unwrap_or_default()),
        networkd: networkd::inspect(root),
        network_manager: network_manager::inspect(root),
        networks: links.as_deref().map(networks).map_err(Clone::clone),
        routes: routes(&mut kernel, links.as_deref().unwrap_or_default())
            .map_err(|why| why.to_string()),
        mtu: conflist.as_ref().map_or(0, |it| it.plugin().mtu),
        uplink: kernel
            .with(|socket| Uplink::find(socket, hints))
            .map(|uplink| (uplink.name, uplink.mtu))
            .map_err(|why| why.to_string()),
        etcd: match &conflist {
            Ok(conflist) => etcd::probe(conflist.ipam()).await,
            Err(_) => None,
        },
        pod_cidrs,
    }
}

fn setting(name: &str) -> Setting {
    Setting {
        name: name.to_owned(),
        value: sysctl::read(name).map_err(|why| why.to_string()),
    }
}

/// Of all links together, and of each that has an address but the loopback.
fn rp_filter(links: &[Link]) -> Vec<Setting> {
    let names = links.iter().map(|link| link.name.as_str());
    let names = names.filter(|name| *name != "lo");
    ["all"]
        .into_iter()
        .chain(names)
        .map(|name| setting(&format!("net/ipv4/conf/{name}/rp_filter")))
        .collect()
}

fn networks(links: &[Link]) -> Vec<(String, IpNetwork)> {
    let each = |link: &Link| {
        let name = link.name.clone();
        link.addresses
            .iter()
            .map(move |own| (name.clone(), *own))
            .collect::<Vec<_>>()
    };
    links.iter().flat_map(each).collect()
}

/// `RTPROT_KERNEL` (`include/uapi/linux/rtnetlink.h`): the routes of this host's own networks.
const KERNEL: u8 = 2;

/// Everybody else's routes of the main table, one of each destination.
fn routes(kernel: &mut Netlink, links: &[Link]) -> Result<Vec<(IpNet, String)>, Error> {
    let mut all = BTreeMap::new();
    for route in kernel.routes(None)? {
        if [wire::ROUTE_PROTOCOL, KERNEL].contains(&route.protocol) {
            continue;
        }
        let way = messages::way(&route, links);
        let text = format!(
            "{}{way} proto {}",
            route.dst,
            messages::protocol_name(route.protocol)
        );
        all.insert(route.dst, text);
    }
    Ok(all.into_iter().collect())
}
