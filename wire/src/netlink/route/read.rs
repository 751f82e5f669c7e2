//! Parsing routes from the kernel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rtnetlink::packet_core::{DecodeError, Emitable, ParseableParametrized};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteLwEnCapType, RouteNextHop,
    RouteType, RouteVia,
};

use super::{Route, RouteKind};
use crate::netlink::attributes::readable;

/// The metric that the kernel gives an IPv6 route without one (`IP6_RT_PRIO_USER`).
const IPV6_DEFAULT_METRIC: u32 = 1024;

impl Route {
    /// A route as listed; `None` if it is not an IPv4 or IPv6 route of the main table.
    pub(in crate::netlink) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        Self::parse_of(RouteHeader::RT_TABLE_MAIN.into(), payload)
    }

    /// As [`Route::parse`], of the table with that number.
    pub(in crate::netlink) fn parse_of(
        wanted: u32,
        payload: &[u8],
    ) -> Result<Option<Self>, DecodeError> {
        let Some((mut route, header, table)) = Self::parse_any(payload)? else {
            return Ok(None);
        };
        if route.kind == RouteKind::Unicast && header.scope != route.natural_scope() {
            route.kind = RouteKind::Other;
        }
        Ok((table == wanted).then_some(route))
    }

    /// The reply to a [`lookup_message`](super::lookup_message); its scope and table have no meaning.
    pub(in crate::netlink) fn parse_lookup(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        Ok(Self::parse_any(payload)?.map(|(route, ..)| route))
    }

    pub(super) fn parse_any(
        payload: &[u8],
    ) -> Result<Option<(Self, RouteHeader, u32)>, DecodeError> {
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

    /// Removes the values that the kernel fills in by itself.
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

fn kind(header: &RouteHeader) -> RouteKind {
    match header.kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::Unreachable => RouteKind::Unreachable,
        _ => RouteKind::Other,
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
