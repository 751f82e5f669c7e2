//! Routes: how they are added, replaced, deleted and looked up.

mod lookup;
mod read;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
    RouteVia,
};

pub use self::lookup::{Fate, Packet};
use super::attributes::family;

/// The number of the local table (`RT_TABLE_LOCAL` in include/uapi/linux/rtnetlink.h).
const LOCAL_TABLE: u32 = 255;

/// The type of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// Forwards packets.
    Unicast,
    /// Rejects packets with an ICMP error.
    Unreachable,
    /// Delivers packets to this host. It belongs to the local table and is only ever added:
    /// listings are of the main table.
    Local,
    /// Forwards to one of several next hops ([`Route::hops`]). Only ever listed; `via` and `dev` are
    /// those of the first next hop.
    Multipath,
    /// A type that Flatland never adds (blackhole, local, an encapsulation, an unusual scope). Only
    /// ever listed.
    Other,
}

/// A route of the main table.
///
/// A listed route equals the one that was added: values that the kernel fills in (the scope, IPv6's
/// default metric, `dev lo` of an unreachable IPv6 route) are removed again. The scope follows from
/// the rest: `link` if there is only a device, as in iproute2.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// The destination.
    pub dst: IpNet,
    /// Its type.
    pub kind: RouteKind,
    /// The next hop; an IPv4 destination may have an IPv6 next hop (RFC 5549).
    pub via: Option<IpAddr>,
    /// Index of the link. To compare a route with listed ones, set it: the kernel fills it in.
    pub dev: Option<u32>,
    /// The source address of this host's own packets that take the route.
    pub src: Option<IpAddr>,
    /// The program that added it (`rtm_protocol`); [`crate::ROUTE_PROTOCOL`] for ours.
    pub protocol: u8,
    /// Among routes to the same prefix the smallest metric wins. `None` is the kernel's default (0
    /// for IPv4, 1024 for IPv6), which is never written as a number.
    pub metric: Option<u32>,
    /// Treats the next hop as directly reachable on the link, whatever its address.
    pub onlink: bool,
    /// All next hops of a [`RouteKind::Multipath`] route; empty for other types.
    pub hops: Vec<NextHop>,
}

/// One of the next hops of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// The gateway; without one the destination itself is on the link.
    pub via: Option<IpAddr>,
    /// Index of the link.
    pub dev: u32,
    /// Treats the gateway as directly reachable on the link, whatever its address.
    pub onlink: bool,
    /// Whether its link was up and had a carrier when the route was listed: neither `RTNH_F_DEAD` nor
    /// `RTNH_F_LINKDOWN`.
    pub alive: bool,
}

impl Route {
    /// A route with our protocol number, a destination and a type; the rest is unset.
    pub fn new(dst: IpNet, kind: RouteKind) -> Self {
        Self {
            dst,
            kind,
            via: None,
            dev: None,
            src: None,
            protocol: crate::ROUTE_PROTOCOL,
            metric: None,
            onlink: false,
            hops: Vec::new(),
        }
    }

    /// The next hops of a route that forwards packets: one, or those of a multipath route.
    pub fn next_hops(&self) -> Vec<NextHop> {
        match (self.kind, self.dev) {
            (RouteKind::Multipath, _) => self.hops.clone(),
            (RouteKind::Unicast, Some(dev)) => vec![NextHop {
                via: self.via,
                dev,
                onlink: self.onlink,
                alive: true,
            }],
            _ => Vec::new(),
        }
    }

    /// The number by which the kernel prefers one of several routes to the same prefix: the smallest
    /// wins.
    pub fn preference(&self) -> u32 {
        self.metric.unwrap_or_else(|| default_metric(self.dst))
    }

    fn natural_scope(&self) -> RouteScope {
        let direct = self.kind == RouteKind::Unicast && self.via.is_none();
        if direct && self.dst.addr().is_ipv4() {
            RouteScope::Link
        } else {
            RouteScope::Universe
        }
    }

    pub(super) fn message(&self) -> RouteMessage {
        let mut builder = RouteMessageBuilder::<IpAddr>::new()
            .protocol(self.protocol.into())
            .scope(self.natural_scope())
            .kind(match self.kind {
                RouteKind::Unicast | RouteKind::Multipath => RouteType::Unicast,
                RouteKind::Unreachable => RouteType::Unreachable,
                RouteKind::Local => RouteType::Local,
                RouteKind::Other => RouteType::Unspec,
            });
        if let Some(metric) = self.metric {
            builder = builder.priority(metric);
        }
        if self.kind == RouteKind::Local {
            builder = builder.table_id(LOCAL_TABLE);
        }
        if let (Some(dev), RouteKind::Unicast | RouteKind::Local) = (self.dev, self.kind) {
            builder = builder.output_interface(dev);
        }
        if self.onlink {
            builder = builder.onlink();
        }
        let mut message = builder.build();
        self.add_addresses(&mut message);
        message
    }

    /// As [`Route::message`], for a table other than the main one.
    pub(super) fn message_in(&self, table: u32) -> RouteMessage {
        let mut message = self.message();
        message.header.table = RouteHeader::RT_TABLE_UNSPEC;
        message.attributes.push(RouteAttribute::Table(table));
        message
    }

    fn add_addresses(&self, message: &mut RouteMessage) {
        message.header.address_family = family(self.dst.addr());
        message.header.destination_prefix_length = self.dst.prefix_len();
        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Destination(self.dst.network().into()));
        if let (Some(via), RouteKind::Unicast) = (self.via, self.kind) {
            attributes.push(match (self.dst.addr(), via) {
                (IpAddr::V4(_), IpAddr::V6(via)) => RouteAttribute::Via(RouteVia::Inet6(via)),
                _ => RouteAttribute::Gateway(via.into()),
            });
        }
        attributes.extend(self.src.map(|src| RouteAttribute::PrefSource(src.into())));
    }

    /// As [`Route::message`], for deletion. A route of a type that we never add is selected by its
    /// prefix, metric and protocol only.
    pub(super) fn delete_message(&self) -> RouteMessage {
        let mut message = self.message();
        if matches!(self.kind, RouteKind::Multipath | RouteKind::Other) {
            message.header.scope = RouteScope::NoWhere;
        }
        message
    }
}

/// The IPv6 multicast route of a link, for deletion.
pub(super) fn multicast(link: u32) -> RouteMessage {
    let prefix = IpNet::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(), 8);
    let route = Route {
        dev: Some(link),
        // Any protocol: kernels before 5.11 give it RTPROT_BOOT.
        protocol: RouteProtocol::Unspec.into(),
        ..Route::new(prefix, RouteKind::Unicast)
    };
    let mut message = route.message_in(LOCAL_TABLE);
    message.header.kind = RouteType::Multicast;
    message
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RouteKind::Unreachable => f.write_str("unreachable ")?,
            RouteKind::Local => f.write_str("local ")?,
            RouteKind::Unicast | RouteKind::Multipath | RouteKind::Other => {}
        }
        write!(f, "{}", self.dst)?;
        if let Some(via) = self.via {
            let family = if via.is_ipv6() && self.dst.addr().is_ipv4() {
                "inet6 "
            } else {
                ""
            };
            write!(f, " via {family}{via}")?;
        }
        if let Some(dev) = self.dev {
            write!(f, " dev if{dev}")?;
        }
        write!(f, " proto {}", self.protocol)?;
        if let Some(src) = self.src {
            write!(f, " src {src}")?;
        }
        if let Some(metric) = self.metric {
            write!(f, " metric {metric}")?;
        }
        if self.onlink {
            f.write_str(" onlink")?;
        }
        if self.kind == RouteKind::Local {
            f.write_str(" table local")?;
        }
        Ok(())
    }
}

/// Requests the routes of the main table, of both families. The kernel filters by table and protocol
/// if it has strict checks; an older one returns all routes.
pub(super) fn main_table(protocol: Option<u8>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = protocol.map_or(RouteProtocol::Unspec, RouteProtocol::from);
    message
}

/// Requests the routes of a table, of both families.
pub(super) fn query(table: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.attributes.push(RouteAttribute::Table(table));
    message
}

/// Looks up the route of a packet to `dst`.
pub(super) fn lookup_message(dst: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(dst);
    message.header.destination_prefix_length = if dst.is_ipv4() { 32 } else { 128 };
    message
        .attributes
        .push(RouteAttribute::Destination(dst.into()));
    message
}

/// Looks up the table entry that a packet to `dst` matches (`RTM_F_FIB_MATCH`). For an address of
/// this host that is the entry of the local table, which names the link that has the address.
pub(super) fn match_exactly(dst: IpAddr) -> RouteMessage {
    let mut message = lookup_message(dst);
    message.header.flags = RouteFlags::FibMatch;
    message
}

/// The metric of a route that names none: `IP6_RT_PRIO_USER` for IPv6.
fn default_metric(dst: IpNet) -> u32 {
    if dst.addr().is_ipv4() { 0 } else { 1024 }
}
