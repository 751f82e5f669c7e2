//! Entries of connection tracking (`include/uapi/linux/netfilter/nfnetlink_conntrack.h`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::packet_core::NLA_F_NESTED;

use crate::ip_protocol::IpProtocol;
use crate::netfilter::attributes::{Attributes, Received};
use crate::netfilter::message;

/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`, `CTA_ID`, `CTA_ZONE`.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;

/// `CTA_TUPLE_IP`, `CTA_TUPLE_PROTO`.
const ADDRESSES: u16 = 1;
const PROTOCOL: u16 = 2;

/// `CTA_IP_*`.
const V4_SOURCE: u16 = 1;
const V4_DESTINATION: u16 = 2;
const V6_SOURCE: u16 = 3;
const V6_DESTINATION: u16 = 4;

/// `CTA_PROTO_NUM`, `CTA_PROTO_SRC_PORT`, `CTA_PROTO_DST_PORT`.
const NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;

/// A connection that the kernel tracks. Protocols without connections have entries too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConntrackEntry {
    /// The packets of the side that began, as they were before any address translation.
    pub original: ConntrackTuple,
    /// The packets of the other side, as they come. If the destination was translated (a Service),
    /// their source is the end that really answers.
    pub reply: ConntrackTuple,
    /// Tells it from later entries with the same tuples, unless they reuse its memory
    /// (`nf_ct_get_id`).
    id: u32,
    /// The zone, 0 for all connections that no rule puts into one.
    zone: Option<u16>,
    /// `NFPROTO_*`.
    family: u8,
    /// The encoded tuple of the original direction: that of ICMP has more than we parse.
    encoded: Vec<u8>,
}

/// The packets of a connection in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConntrackTuple {
    /// Their source address.
    pub source: IpAddr,
    /// Their destination address.
    pub destination: IpAddr,
    /// Their protocol.
    pub protocol: IpProtocol,
    /// Their source and destination port, if the protocol has ports.
    pub ports: Option<(u16, u16)>,
}

impl ConntrackEntry {
    /// Parses the payload of a message; `None` if it is of another family than IPv4 and IPv6.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let (family, attributes) = message::parts(payload);
        Some(Self {
            original: ConntrackTuple::parse(attributes.nested(ORIGINAL))?,
            reply: ConntrackTuple::parse(attributes.nested(REPLY))?,
            id: attributes.number(ID)?,
            zone: attributes.short(ZONE),
            family,
            encoded: attributes.bytes(ORIGINAL)?.to_vec(),
        })
    }

    /// The family (`NFPROTO_*`), and the attributes that identify exactly this entry.
    pub(super) fn identity(&self) -> (u8, Attributes) {
        let attributes = Attributes::default()
            .bytes(ORIGINAL | NLA_F_NESTED, &self.encoded)
            .number(ID, self.id);
        let attributes = match self.zone {
            Some(zone) => attributes.short(ZONE, zone),
            None => attributes,
        };
        (self.family, attributes)
    }
}

impl ConntrackTuple {
    fn parse(tuple: Received<'_>) -> Option<Self> {
        let (addresses, protocol) = (tuple.nested(ADDRESSES), tuple.nested(PROTOCOL));
        let ports = || {
            let source = protocol.short(SOURCE_PORT)?;
            Some((source, protocol.short(DESTINATION_PORT)?))
        };
        Some(Self {
            source: address(addresses, V4_SOURCE, V6_SOURCE)?,
            destination: address(addresses, V4_DESTINATION, V6_DESTINATION)?,
            protocol: IpProtocol(protocol.byte(NUMBER)?),
            ports: ports(),
        })
    }
}

fn address(addresses: Received<'_>, v4: u16, v6: u16) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(addresses.bytes(v4)?).ok();
    let v6 = || <[u8; 16]>::try_from(addresses.bytes(v6)?).ok();
    let v4 = v4().map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|| v6().map(|octets| Ipv6Addr::from(octets).into()))
}

impl fmt::Display for ConntrackTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            destination,
            protocol,
            ports,
        } = self;
        write!(f, "{protocol} src={source} dst={destination}")?;
        match ports {
            Some((from, to)) => write!(f, " sport={from} dport={to}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
