//! Parsing routes from the kernel.

use std::net::IpAddr;

use rtnetlink::packet_core::{DecodeError, Emitable, ParseableParametrized};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteLwEnCapType, RouteNextHop,
    RouteNextHopFlags, RouteType, RouteVia,
};

use super::{NextHop, Route, RouteKind, default_metric};
use crate::netlink::attributes::{any, prefix, readable};

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
        let Some(any) = any(header.address_family) else {
            return Ok(None);
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
            RouteAttribute::MultiPath(hops) => self.read_hops(hops),
            RouteAttribute::EncapType(_) | RouteAttribute::Encap(_) => self.kind = RouteKind::Other,
            _ => {}
        }
    }

    fn read_hops(&mut self, hops: Vec<RouteNextHop>) {
        self.kind = RouteKind::Multipath;
        for hop in hops {
            let mut route = Self::new(self.dst, RouteKind::Multipath);
            for attribute in hop.attributes {
                route.read(attribute);
            }
            if route.kind == RouteKind::Other {
                self.kind = RouteKind::Other;
            }
            let dead = RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown;
            self.hops.push(NextHop {
                via: route.via,
                dev: hop.interface_index,
                onlink: hop.flags.contains(RouteNextHopFlags::Onlink),
                alive: !hop.flags.intersects(dead),
            });
        }
        if let Some(first) = self.hops.first() {
            (self.via, self.dev) = (first.via, Some(first.dev));
        }
    }

    /// Removes the values that the kernel fills in by itself.
    fn leave_out_defaults(&mut self) {
        let default = default_metric(self.dst);
        self.metric = self.metric.filter(|metric| *metric != default);
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

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}
