//! Routes of the main table.

mod lookup;
mod read;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
    RouteVia,
};

pub use self::lookup::{Fate, Packet};

/// The number of the local table (`RT_TABLE_LOCAL` in include/uapi/linux/rtnetlink.h).
const LOCAL_TABLE: u32 = 255;

/// What a route does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// Sends it on.
    Unicast,
    /// Refuses it, and tells the sender so.
    Unreachable,
    /// Delivers it to this host. Belongs into the local table and is only ever added: listings are
    /// of the main table.
    Local,
    /// Sends it to one of several next hops. Only ever listed, with the first next hop.
    Multipath,
    /// Something else that Flatland never asks for (blackhole, local, an encapsulation, a scope
    /// other than the natural one). Only ever listed.
    Other,
}

/// A route of the main table.
///
/// A listed route equals the one that was added: what the kernel fills in by itself (the scope,
/// IPv6's default metric, `dev lo` of an unreachable IPv6 route) is left out again. The scope is
/// no choice: `link` where nothing but a device is given, as iproute2 does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// Where to.
    pub dst: IpNet,
    /// What happens to a packet.
    pub kind: RouteKind,
    /// The next hop; for an IPv4 destination it may be an IPv6 one (RFC 5549).
    pub via: Option<IpAddr>,
    /// Index of the link. A route that is to be compared with listed ones must name it: the kernel
    /// fills it in.
    pub dev: Option<u32>,
    /// The source address of this host's own packets.
    pub src: Option<IpAddr>,
    /// Who installed it (`rtm_protocol`), [`crate::ROUTE_PROTOCOL`] for ours.
    pub protocol: u8,
    /// Which of several routes to one prefix wins, the smallest. `None` is the kernel's default, 0
    /// for IPv4 and 1024 for IPv6, and never written as a number.
    pub metric: Option<u32>,
    /// Takes the next hop to be on the link, whatever the addresses say.
    pub onlink: bool,
}

/// Which routes of the main table to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteFilter {
    /// Only those of this protocol.
    pub protocol: Option<u8>,
}

impl Route {
    /// A route with our protocol number and nothing but a destination, to be filled in.
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
        }
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

    /// As [`Route::message`], for deleting. A route we would never add is found by its prefix,
    /// metric and protocol, whatever else it says.
    pub(super) fn delete_message(&self) -> RouteMessage {
        let mut message = self.message();
        if matches!(self.kind, RouteKind::Multipath | RouteKind::Other) {
            message.header.scope = RouteScope::NoWhere;
        }
        message
    }
}

/// The route of a link that multicasts of IPv6 come in by, for deleting.
pub(super) fn multicast(link: u32) -> RouteMessage {
    let prefix = IpNet::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(), 8);
    let route = Route {
        dev: Some(link),
        // Whatever it is: kernels before 5.11 say that it was made at boot.
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

impl RouteFilter {
    /// Asks for the routes of both families. The kernel filters by table and protocol where it
    /// checks strictly; an older one returns everything.
    pub(super) fn message(self) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = self
            .protocol
            .map_or(RouteProtocol::Unspec, RouteProtocol::from);
        message
    }

    pub(super) fn matches(self, route: &Route) -> bool {
        self.protocol
            .is_none_or(|protocol| protocol == route.protocol)
    }
}

/// Asks for the routes of a table, of both families.
pub(super) fn query(table: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.attributes.push(RouteAttribute::Table(table));
    message
}

/// Asks which route a packet to `dst` would take.
pub(super) fn lookup_message(dst: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(dst);
    message.header.destination_prefix_length = if dst.is_ipv4() { 32 } else { 128 };
    message
        .attributes
        .push(RouteAttribute::Destination(dst.into()));
    message
}

/// Asks for the entry of the tables itself that a packet to `dst` would meet: for an address of this
/// host, the one of the local table, which names the link that has it.
pub(super) fn match_exactly(dst: IpAddr) -> RouteMessage {
    let mut message = lookup_message(dst);
    message.header.flags = RouteFlags::FibMatch;
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}
