//! Routes of the main table.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_core::{DecodeError, Emitable, ParseableParametrized};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteLwEnCapType, RouteMessage,
    RouteNextHop, RouteProtocol, RouteScope, RouteType, RouteVia,
};

use super::attributes::readable;

/// The metric the kernel gives an IPv6 route that asks for none (`IP6_RT_PRIO_USER`).
const IPV6_DEFAULT_METRIC: u32 = 1024;

/// What a route does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// Sends it on.
    Unicast,
    /// Refuses it, and tells the sender so.
    Unreachable,
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
                RouteKind::Other => RouteType::Unspec,
            });
        if let Some(metric) = self.metric {
            builder = builder.priority(metric);
        }
        if let (Some(dev), true) = (self.dev, self.kind == RouteKind::Unicast) {
            builder = builder.output_interface(dev);
        }
        if self.onlink {
            builder = builder.onlink();
        }
        let mut message = builder.build();
        self.add_addresses(&mut message);
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

    /// A route as listed; `None` for what is not an IPv4 or IPv6 route of the main table.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some((mut route, header, table)) = Self::parse_any(payload)? else {
            return Ok(None);
        };
        if route.kind == RouteKind::Unicast && header.scope != route.natural_scope() {
            route.kind = RouteKind::Other;
        }
        Ok((table == u32::from(RouteHeader::RT_TABLE_MAIN)).then_some(route))
    }

    /// The answer to a [`lookup`]: its scope and table say nothing.
    pub(super) fn parse_lookup(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        Ok(Self::parse_any(payload)?.map(|(route, ..)| route))
    }

    fn parse_any(payload: &[u8]) -> Result<Option<(Self, RouteHeader, u32)>, DecodeError> {
        let header = RouteHeader::parse(payload)?;
        let any: IpAddr = match header.address_family {
            AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
            AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
            _ => return Ok(None),
        };
        let mut route = Self::new(
            prefix(any, header.destination_prefix_length)?,
            kind(&header),
        );
        route.protocol = header.protocol.into();
        route.onlink = header.flags.contains(RouteFlags::Onlink);
        let mut table = u32::from(header.table);
        let parameters = (header.address_family, header.kind, RouteLwEnCapType::None);
        let attributes = readable(payload, header.buffer_len(), |attribute| {
            RouteAttribute::parse_with_param(attribute, parameters)
        });
        for attribute in attributes {
            match attribute {
                RouteAttribute::Table(number) => table = number,
                RouteAttribute::Destination(address) => {
                    let address = ip(&address).unwrap_or(any);
                    route.dst = prefix(address, header.destination_prefix_length)?;
                }
                other => route.read(other),
            }
        }
        route.leave_out_defaults();
        Ok(Some((route, header, table)))
    }

    fn read(&mut self, attribute: RouteAttribute) {
        match attribute {
            RouteAttribute::Gateway(address) => self.via = ip(&address),
            RouteAttribute::Via(RouteVia::Inet(address)) => self.via = Some(address.into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => self.via = Some(address.into()),
            RouteAttribute::Oif(index) => self.dev = Some(index),
            RouteAttribute::PrefSource(address) => self.src = ip(&address),
            RouteAttribute::Priority(metric) => self.metric = Some(metric),
            RouteAttribute::MultiPath(hops) => self.read_first(hops),
            RouteAttribute::EncapType(_) | RouteAttribute::Encap(_) => self.kind = RouteKind::Other,
            _ => {}
        }
    }

    fn read_first(&mut self, hops: Vec<RouteNextHop>) {
        self.kind = RouteKind::Multipath;
        if let Some(first) = hops.into_iter().next() {
            self.dev = Some(first.interface_index);
            first
                .attributes
                .into_iter()
                .for_each(|attribute| self.read(attribute));
        }
    }

    /// Leaves out what the kernel filled in by itself.
    fn leave_out_defaults(&mut self) {
        let default_metric = if self.dst.addr().is_ipv4() {
            0
        } else {
            IPV6_DEFAULT_METRIC
        };
        self.metric = self.metric.filter(|metric| *metric != default_metric);
        if self.kind == RouteKind::Unreachable {
            self.dev = None;
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RouteKind::Unreachable => f.write_str("unreachable ")?,
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

/// Asks which route a packet to `dst` would take.
pub(super) fn lookup(dst: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(dst);
    message.header.destination_prefix_length = if dst.is_ipv4() { 32 } else { 128 };
    message
        .attributes
        .push(RouteAttribute::Destination(dst.into()));
    message
}

fn kind(header: &RouteHeader) -> RouteKind {
    match header.kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::Unreachable => RouteKind::Unreachable,
        _ => RouteKind::Other,
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

fn prefix(address: IpAddr, length: u8) -> Result<IpNet, DecodeError> {
    IpNet::new(address, length).map_err(|error| DecodeError::from(error.to_string()))
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}
