//! Addresses, protocol and ports of a packet of which the beginning is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ip_protocol::IpProtocol;

/// The fixed part of an IPv4 header (RFC 791 section 3.1), and its unit of length.
const V4_HEADER: usize = 20;
const V4_UNIT: usize = 4;

/// Length of an IPv6 header (RFC 8200 section 3).
const V6_HEADER: usize = 40;

/// The bits of the fragment offset, in the IPv4 header and in the IPv6 fragment header.
const V4_OFFSET: u16 = 0x1fff;
const V6_OFFSET: u16 = 0xfff8;

/// IPv6 extension headers (IANA's "IPv6 Extension Header Types") whose first bytes are the next
/// header and their length: hop-by-hop options, routing, destination options, mobility, HIP, shim6.
const EXTENSIONS: [u8; 6] = [0, 43, 60, 135, 139, 140];
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;

/// The unit of length of an extension header, and how many of them its length does not count (RFC
/// 8200 section 4.2); the same of the authentication header (RFC 4302 section 2.2).
const EXTENSION_UNIT: usize = 8;
const EXTENSION_UNCOUNTED: usize = 1;
const AUTHENTICATION_UNIT: usize = 4;
const AUTHENTICATION_UNCOUNTED: usize = 2;

/// What a packet's headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketHeaders {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The protocol. If the packet is cut off among IPv6 extension headers, it is the number of the
    /// one that is missing.
    pub protocol: IpProtocol,
    /// The source and the destination port of TCP, UDP and SCTP. A fragment other than the first has
    /// none.
    pub ports: Option<(u16, u16)>,
}

impl PacketHeaders {
    /// Parses the beginning of a packet; `None` if the IP header is invalid or cut off.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::parse_v4(packet),
            6 => Self::parse_v6(packet),
            _ => None,
        }
    }

    fn parse_v4(packet: &[u8]) -> Option<Self> {
        let length = usize::from(packet.first()? & 0x0f) * V4_UNIT;
        let (header, rest) = packet.split_at_checked(length.max(V4_HEADER))?;
        let is_first = short(header, 6)? & V4_OFFSET == 0;
        let protocol = IpProtocol(*header.get(9)?);
        let address = |start| -> Option<IpAddr> {
            let octets: [u8; 4] = header.get(start..start + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets).into())
        };
        (length >= V4_HEADER).then_some(())?;
        Some(Self {
            source: address(12)?,
            destination: address(16)?,
            protocol,
            ports: ports(protocol, is_first, rest),
        })
    }

    fn parse_v6(packet: &[u8]) -> Option<Self> {
        let (header, rest) = packet.split_at_checked(V6_HEADER)?;
        let address = |start| -> Option<IpAddr> {
            let octets: [u8; 16] = header.get(start..start + 16)?.try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        };
        let (protocol, is_first, rest) = skip_extensions(*header.get(6)?, rest);
        Some(Self {
            source: address(8)?,
            destination: address(24)?,
            protocol,
            ports: ports(protocol, is_first, rest),
        })
    }
}

/// The protocol after the extension headers, whether it begins in this packet, and what follows.
fn skip_extensions(mut next: u8, mut rest: &[u8]) -> (IpProtocol, bool, &[u8]) {
    while let Some((after, is_first, following)) = skip_extension(next, rest) {
        (next, rest) = (after, following);
        if !is_first {
            // Anything may follow: it is the middle of the packet.
            return (IpProtocol(next), false, &[]);
        }
    }
    (IpProtocol(next), true, rest)
}

/// Skips one extension header; `None` if it is none, or cut off.
fn skip_extension(kind: u8, header: &[u8]) -> Option<(u8, bool, &[u8])> {
    let next = *header.first()?;
    let counted = usize::from(*header.get(1)?);
    let length = match kind {
        FRAGMENT => EXTENSION_UNIT,
        AUTHENTICATION => (counted + AUTHENTICATION_UNCOUNTED) * AUTHENTICATION_UNIT,
        _ if EXTENSIONS.contains(&kind) => (counted + EXTENSION_UNCOUNTED) * EXTENSION_UNIT,
        _ => return None,
    };
    let is_first = kind != FRAGMENT || short(header, 2)? & V6_OFFSET == 0;
    Some((next, is_first, header.get(length..)?))
}

fn ports(protocol: IpProtocol, is_first: bool, header: &[u8]) -> Option<(u16, u16)> {
    (protocol.has_ports() && is_first).then_some(())?;
    Some((short(header, 0)?, short(header, 2)?))
}

fn short(bytes: &[u8], start: usize) -> Option<u16> {
    let bytes = bytes.get(start..start + 2)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests;
