//! Collects the facts. Changes nothing; sends a packet to the next hop, to see whether it answers.

use std::net::IpAddr;

use ipam::{Allocation, Disk, Ledger};
use ipnet::IpNet;
use nix::errno::Errno;
use registry::owned::Owned;
use wire::conf::IpamConfig;
use wire::netlink;
use wire::node::NodeName;
use wire::paths::{run_dir, state_dir};
use wire::pod_link::host_interface_name;
use wire::sysctl;

use super::{
    AddressHolder, Endpoint, KernelRoute, LocalPod, NextHop, PathFacts, PodLocation, ProbeResult,
    RemotePod,
};
use crate::addresses::ledger;
use crate::explain::ownership::{self, KnownNode, Ownership};
use crate::explain::probe::probe;
use crate::firewall;
use crate::http::client;
use crate::kernel::{self, Kernel, Link, Netlink};
use crate::status::RouteRow;

/// Why there is nothing to explain, in words for who asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(String);

/// Everything about the way between two pods, given by address, by `NAMESPACE/NAME`, or by
/// container id.
pub(crate) async fn collect(conf: &IpamConfig, pods: [&str; 2]) -> Result<PathFacts, Unusable> {
    let unusable = |why: &dyn std::fmt::Display| Unusable(why.to_string());
    let held = held(conf).map_err(|why| unusable(&why))?;
    let [from, to] = addresses(pods, &held).map_err(Unusable)?;
    let owned = Owned::load(&state_dir(&conf.network)).map_err(|why| unusable(&why))?;
    let (node, owned) = owned.map_or((None, Vec::new()), |it| (Some(it.node), it.subnets));
    let view = ownership::read(conf).await;
    let wanted: Option<Vec<RouteRow>> = client::get("/routes").await.ok();
    let mut kernel = Netlink::default();
    let links = kernel.links().map_err(|why| unusable(&why))?;
    let mut surroundings = Context {
        conf,
        node: node.as_ref(),
        owned: &owned,
        held: &held,
        view: &view,
        wanted: wanted.as_deref(),
        kernel: &mut kernel,
        links: &links,
    };
    let ends = [
        surroundings
            .endpoint(pods[0], from)
            .map_err(|why| unusable(&why))?,
        surroundings
            .endpoint(pods[1], to)
            .map_err(|why| unusable(&why))?,
    ];
    let is_here = |end: &Endpoint| matches!(end.place, PodLocation::Here(_));
    if !ends.iter().any(is_here) {
        let of = |end: &Endpoint| match &end.place {
            PodLocation::There(there) => format!("{} is on node {}", end.name, there.node),
            _ => format!("{} is nowhere", end.name),
        };
        let (one, other) = (of(&ends[0]), of(&ends[1]));
        let text = format!("neither pod is on this node: {one}, {other}; run it where one is");
        return Err(Unusable(text));
    }
    let setting = if from.is_ipv4() {
        "net/ipv4/ip_forward"
    } else {
        "net/ipv6/conf/all/forwarding"
    };
    Ok(PathFacts {
        node,
        ends,
        forwarding: (
            setting.to_owned(),
            sysctl::read(setting).map_err(|why| why.to_string()),
        ),
        firewall: firewall::survey(&conf.pod_cidrs).map_err(|why| why.to_string()),
    })
}

type HeldAddresses = Vec<(IpAddr, Allocation)>;

fn held(conf: &IpamConfig) -> Result<HeldAddresses, ipam::Error> {
    match Ledger::existing(Disk::new(run_dir(&conf.network)))? {
        Some(ledger) => Ok(ledger.inventory()?.held),
        None => Ok(Vec::new()),
    }
}

/// One address of each pod, both of one family: IPv4 where there is a choice.
fn addresses(pods: [&str; 2], held: &HeldAddresses) -> Result<[IpAddr; 2], String> {
    let [from, to] = pods.map(|pod| candidates(pod, held));
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

fn candidates(pod: &str, held: &HeldAddresses) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = pod.parse() {
        return Ok(vec![address]);
    }
    let is_it = |allocation: &Allocation| {
        let name = allocation
            .pod_namespace
            .as_ref()
            .zip(allocation.pod_name.as_ref());
        let full = name.map(|(namespace, name)| format!("{namespace}/{name}"));
        full.as_deref() == Some(pod) || allocation.container_id == pod
    };
    let found = held.iter().filter(|(_, allocation)| is_it(allocation));
    let found: Vec<_> = found.map(|(address, _)| *address).collect();
    if found.is_empty() {
        return Err(format!(
            "no pod or container {pod} has an address on this node: give an address, \
             NAMESPACE/NAME or the container id; names are known only where the pod is"
        ));
    }
    Ok(found)
}

/// What the ends are looked at with.
struct Context<'a> {
    conf: &'a IpamConfig,
    node: Option<&'a NodeName>,
    owned: &'a [IpNet],
    held: &'a HeldAddresses,
    view: &'a Result<Ownership, String>,
    wanted: Option<&'a [RouteRow]>,
    kernel: &'a mut Netlink,
    links: &'a [Link],
}

impl Context<'_> {
    fn endpoint(&mut self, name: &str, address: IpAddr) -> Result<Endpoint, netlink::Error> {
        let claim = self.view.as_ref().map_err(Clone::clone).map(|view| {
            let mut claims = view.claims.iter();
            claims
                .find(|(subnet, _)| subnet.contains(&address))
                .cloned()
        });
        let held = self.held.iter().find(|(held, _)| *held == address);
        let is_own = self.owned.iter().any(|subnet| subnet.contains(&address));
        let claimant = claim
            .as_ref()
            .ok()
            .and_then(|it| Some(it.as_ref()?.1.clone()));
        let wanted = self.wanted_to(address);
        let owner = claimant.or_else(|| wanted?.node.clone());
        let place = if held.is_some() || is_own || (owner.is_some() && owner.as_ref() == self.node)
        {
            PodLocation::Here(self.local_pod(address, held.map(|(_, allocation)| allocation))?)
        } else if let Some(node) = owner {
            PodLocation::There(Box::new(self.remote_pod(address, node)?))
        } else {
            PodLocation::Nowhere
        };
        Ok(Endpoint {
            name: name.to_owned(),
            address,
            claim,
            place,
        })
    }

    fn wanted_to(&self, address: IpAddr) -> Option<&RouteRow> {
        let mut rows = self.wanted?.iter();
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
                    who: ledger::holder(allocation),
                    interface,
                    state: link.map(|link| (link.up, link.running)),
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
        let taken = self.kernel.with(|socket| socket.route_to(address));
        let hop = match &taken {
            Ok(netlink::Route {
                via: Some(via),
                dev: Some(dev),
                ..
            }) => Some(self.next_hop(*via, *dev)?),
            _ => None,
        };
        let taken = match taken {
            Ok(route) => Ok(self.route(&route)?),
            Err(why) => Err(match why.errno() {
                Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => "no route".to_owned(),
                _ => why.to_string(),
            }),
        };
        let known = self.view.as_ref().ok();
        let known = known.and_then(|view| view.nodes.get(&node).cloned());
        let KnownNode { addresses, present } = known.unwrap_or_default();
        let wanted = self
            .wanted
            .is_some()
            .then(|| match self.wanted_to(address) {
                Some(row) => (row.desired.clone(), row.why.clone()),
                None => (None, None),
            });
        Ok(RemotePod {
            node,
            addresses,
            present,
            wanted,
            taken,
            hop,
        })
    }

    fn next_hop(&mut self, address: IpAddr, dev: u32) -> Result<NextHop, netlink::Error> {
        let link = self.kernel.with(|socket| socket.link_by_index(dev))?;
        let is_up = link.as_ref().is_some_and(|link| link.up && link.running);
        Ok(NextHop {
            address,
            link: link.as_ref().map_or_else(
                || kernel::link_name(dev, self.links),
                |link| link.name.clone(),
            ),
            state: link.map(|link| (link.up, link.running)),
            answer: if is_up {
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
        let via = route
            .via
            .map(|via| format!(" via {via}"))
            .unwrap_or_default();
        let over = dev
            .as_ref()
            .map(|dev| format!(" dev {dev}"))
            .unwrap_or_default();
        let kind = match route.kind {
            netlink::RouteKind::Unreachable => "unreachable ",
            _ => "",
        };
        Ok(KernelRoute {
            text: format!("{kind}{}{via}{over}", route.dst),
            dev,
            via: route.via,
        })
    }
}
