//! Collects the facts about the path between two pods. It changes nothing; it sends packets to the
//! next hop to see whether it answers.

use std::net::IpAddr;

use daemonkit::http::client;
use ipam::Allocation;
use ipnet::IpNet;
use nix::errno::Errno;
use registry::owned::Owned;
use wire::conf::IpamConfig;
use wire::netlink;
use wire::node::NodeName;
use wire::paths::state_dir;
use wire::pod_link::host_interface_name;

use super::facts::{
    AddressHolder, DesiredRoute, KernelRoute, LinkState, LocalPod, PathFacts, PodFacts,
    PodLocation, ProbeResult, ProbedNextHop, RemotePod,
};
use super::held_addresses::HeldAddresses;
use super::ownership::{self, KnownNode, Ownership};
use super::probe::probe;
use crate::addresses::ledger;
use crate::doctor::Setting;
use crate::identity::ROUTED;
use crate::kernel::{self, Kernel, Netlink, NodeLink};
use crate::reconcile::messages;
use crate::status::RouteRow;
use crate::{firewall, packet_paths};

/// The facts about the path between two pods, given as on the command line.
pub(super) async fn collect(
    conf: &IpamConfig,
    held: &HeldAddresses,
    pods: [&str; 2],
) -> Result<PathFacts, String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let [from, to] = addresses(pods, held)?;
    let owned = Owned::load(&state_dir(&conf.network)).map_err(|error| failed(&error))?;
    let (node, owned) = owned.map_or((None, Vec::new()), |it| (Some(it.node), it.subnets));
    let ownership = ownership::read(conf).await;
    let desired: Option<Vec<RouteRow>> = client::get(ROUTED, "/routes").await.ok();
    let mut kernel = Netlink::default();
    let links = kernel.links().map_err(|error| failed(&error))?;
    let mut context = CollectContext {
        conf,
        node: node.as_ref(),
        owned: &owned,
        held,
        ownership: &ownership,
        desired: desired.as_deref(),
        kernel: &mut kernel,
        links: &links,
    };
    let mut endpoint = |name: &str, address| {
        let endpoint = context.endpoint(name, address);
        endpoint.map_err(|error| failed(&error))
    };
    let ends = [endpoint(pods[0], from)?, endpoint(pods[1], to)?];
    let is_local = |end: &PodFacts| matches!(end.location, PodLocation::Local(_));
    if !ends.iter().any(is_local) {
        let location = |end: &PodFacts| match &end.location {
            PodLocation::Remote(pod) => format!("{} is on node {}", end.name, pod.node),
            _ => format!("{} is on no known node", end.name),
        };
        let [from, to] = ends.each_ref().map(location);
        let text = format!(
            "neither pod is on this node: {from}, {to}; run this on the node of one of them"
        );
        return Err(text);
    }
    let setting = if from.is_ipv4() {
        "net/ipv4/ip_forward"
    } else {
        "net/ipv6/conf/all/forwarding"
    };
    let peer = ends.iter().find_map(|end| match &end.location {
        PodLocation::Remote(pod) => Some(&pod.addresses[..]),
        _ => None,
    });
    let peer = peer.unwrap_or_default();
    let packets = packet_paths::between(&mut kernel, &conf.pod_cidrs, [from, to], peer);
    Ok(PathFacts {
        packets: packets.map_err(|error| error.to_string()),
        node,
        ends,
        forwarding: Setting::read(setting),
        firewall: firewall::survey(&conf.pod_cidrs).map_err(|error| error.to_string()),
    })
}

/// One address of each pod, both of one family: IPv4 if both families are possible.
fn addresses(pods: [&str; 2], held: &HeldAddresses) -> Result<[IpAddr; 2], String> {
    let [from, to] = pods.map(|pod| held.of_pod(pod));
    let (from, to) = (from?, to?);
    for v4 in [true, false] {
        let of_family = |all: &[IpAddr]| all.iter().copied().find(|it| it.is_ipv4() == v4);
        if let (Some(from), Some(to)) = (of_family(&from), of_family(&to)) {
            return Ok([from, to]);
        }
    }
    Err(format!(
        "{} and {} have no address family in common",
        pods[0], pods[1]
    ))
}

/// What is read once, for both ends.
struct CollectContext<'a> {
    conf: &'a IpamConfig,
    node: Option<&'a NodeName>,
    owned: &'a [IpNet],
    held: &'a HeldAddresses,
    ownership: &'a Result<Ownership, String>,
    desired: Option<&'a [RouteRow]>,
    kernel: &'a mut Netlink,
    links: &'a [NodeLink],
}

impl CollectContext<'_> {
    fn endpoint(&mut self, name: &str, address: IpAddr) -> Result<PodFacts, netlink::Error> {
        let claim = self.ownership.as_ref().map_err(Clone::clone).map(|it| {
            let mut claims = it.claims.iter();
            claims
                .find(|(subnet, _)| subnet.contains(&address))
                .cloned()
        });
        let held = self.held.holder(address);
        let is_own = self.owned.iter().any(|subnet| subnet.contains(&address));
        let claimant = claim
            .as_ref()
            .ok()
            .and_then(|it| Some(it.as_ref()?.1.clone()));
        let desired = self.desired_route(address);
        let owner = claimant.or_else(|| desired?.node.clone());
        let location =
            if held.is_some() || is_own || (owner.is_some() && owner.as_ref() == self.node) {
                PodLocation::Local(self.local_pod(address, held)?)
            } else if let Some(node) = owner {
                PodLocation::Remote(Box::new(self.remote_pod(address, node)?))
            } else {
                PodLocation::Unknown
            };
        Ok(PodFacts {
            name: name.to_owned(),
            address,
            claim,
            location,
        })
    }

    fn desired_route(&self, address: IpAddr) -> Option<&RouteRow> {
        let mut rows = self.desired?.iter();
        rows.find(|row| row.subnet.contains(&address))
    }

    fn local_pod(
        &mut self,
        address: IpAddr,
        allocation: Option<&Allocation>,
    ) -> Result<LocalPod, netlink::Error> {
        let attachment = allocation.and_then(|it| Some((it, it.attachment().ok()?)));
        let holder = match attachment {
            Some((allocation, attachment)) => {
                let interface = host_interface_name(&self.conf.network, &attachment);
                let link = self.kernel.with(|socket| socket.link_by_name(&interface))?;
                Some(AddressHolder {
                    name: ledger::holder(allocation),
                    interface,
                    state: link_state(link.as_ref()),
                })
            }
            None => None,
        };
        let routes = self.kernel.routes(None)?;
        let route = routes
            .iter()
            .find(|route| route.dst == IpNet::from(address));
        Ok(LocalPod {
            holder,
            route: match route {
                Some(route) => Some(self.route(route)?),
                None => None,
            },
            owned: self.owned.to_vec(),
        })
    }

    fn remote_pod(&mut self, address: IpAddr, node: NodeName) -> Result<RemotePod, netlink::Error> {
        let actual = self.kernel.with(|socket| socket.route_to(address));
        let next_hop = match &actual {
            Ok(netlink::Route {
                via: Some(via),
                dev: Some(dev),
                ..
            }) => Some(self.next_hop(*via, *dev)?),
            _ => None,
        };
        let actual = match actual {
            Ok(route) => Ok(self.route(&route)?),
            Err(error) => Err(match error.errno() {
                Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => "no route".to_owned(),
                _ => error.to_string(),
            }),
        };
        let known = self.ownership.as_ref().ok();
        let known = known.and_then(|it| it.nodes.get(&node).cloned());
        let KnownNode { addresses, present } = known.unwrap_or_default();
        let desired = self.desired.map(|_| match self.desired_route(address) {
            Some(row) => DesiredRoute {
                target: row.desired.clone(),
                reason: row.why.clone(),
            },
            None => DesiredRoute::default(),
        });
        Ok(RemotePod {
            node,
            addresses,
            present,
            desired,
            actual,
            next_hop,
        })
    }

    fn next_hop(&mut self, address: IpAddr, dev: u32) -> Result<ProbedNextHop, netlink::Error> {
        let link = self.kernel.with(|socket| socket.link_by_index(dev))?;
        let link_state = link_state(link.as_ref());
        Ok(ProbedNextHop {
            address,
            link: link.map_or_else(|| kernel::link_name(dev, self.links), |link| link.name),
            link_state,
            probe: if link_state == LinkState::Up {
                probe(self.kernel, address, dev)?
            } else {
                ProbeResult::Unresolved
            },
        })
    }

    fn route(&mut self, route: &netlink::Route) -> Result<KernelRoute, netlink::Error> {
        let dev = match route.dev {
            Some(dev) => self.kernel.with(|socket| socket.link_by_index(dev))?,
            None => None,
        };
        let dev = dev.map(|link| link.name);
        let way = messages::way(route, dev.clone());
        let kind = match route.kind {
            netlink::RouteKind::Unreachable => "unreachable ",
            _ => "",
        };
        Ok(KernelRoute {
            text: format!("{kind}{}{way}", route.dst),
            dev,
            via: route.via,
        })
    }
}

fn link_state(link: Option<&netlink::Link>) -> LinkState {
    match link {
        None => LinkState::Missing,
        Some(link) if !link.up => LinkState::Down,
        Some(link) if !link.running => LinkState::NoCarrier,
        Some(_) => LinkState::Up,
    }
}
