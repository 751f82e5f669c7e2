//! Keys of sets: addresses, ports or names of links, alone or with something else (a concatenation).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ip_version::IpVersion;
use crate::ip_protocol::IpProtocol;

/// nft's data types (`TYPE_IPADDR`, `TYPE_IP6ADDR`, `TYPE_INET_PROTOCOL`, `TYPE_INET_SERVICE` and
/// `TYPE_IFNAME` of its `datatype.h`); the kernel only stores them. The type of a concatenation has
/// [`BITS_PER_TYPE`] bits for each (`TYPE_BITS`).
const IPV4_ADDRESS: u32 = 7;
const IPV6_ADDRESS: u32 = 8;
const PROTOCOL: u32 = 12;
const PORT: u32 = 13;
const LINK_NAME: u32 = 41;
const BITS_PER_TYPE: u32 = 6;

/// The bytes of a link's name (`IFNAMSIZ`).
const NAME_LENGTH: usize = 16;

/// The name of a link, as it is in the kernel: zeros follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName([u8; NAME_LENGTH]);

/// A key. The fields of a concatenation are padded to four bytes, as in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ElementKey {
    /// An address.
    Address(IpAddr),
    /// A port.
    Port(u16),
    /// An address, a protocol with ports, and a port.
    Endpoint(IpAddr, IpProtocol, u16),
    /// A link.
    Link(LinkName),
    /// The link that a packet came from, and the one that it leaves through.
    LinkPair(LinkName, LinkName),
}

/// The type of the keys of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyType {
    Address(IpVersion),
    Port,
    Endpoint(IpVersion),
    Link,
    LinkPair,
}

impl From<IpAddr> for ElementKey {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl ElementKey {
    /// A link of that name, of which at most 15 bytes count.
    pub fn link(name: &str) -> Self {
        Self::Link(name.into())
    }

    /// A pair of links.
    pub fn link_pair(incoming: &str, outgoing: &str) -> Self {
        Self::LinkPair(incoming.into(), outgoing.into())
    }

    /// Its address, if it has one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) | Self::Endpoint(address, ..) => Some(*address),
            Self::Port(_) | Self::Link(_) | Self::LinkPair(..) => None,
        }
    }

    /// The name of its link, if it is one alone.
    pub fn link_name(&self) -> Option<String> {
        match self {
            Self::Link(name) => Some(name.text().into_owned()),
            _ => None,
        }
    }

    /// As the kernel stores it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Address(address) => octets(*address),
            Self::Port(port) => port.to_be_bytes().to_vec(),
            Self::Link(name) => name.0.to_vec(),
            Self::LinkPair(incoming, outgoing) => [incoming.0, outgoing.0].concat(),
            Self::Endpoint(address, protocol, port) => {
                let [high, low] = port.to_be_bytes();
                let rest = vec![protocol.0, 0, 0, 0, high, low, 0, 0];
                [octets(*address), rest].concat()
            }
        }
    }
}

impl KeyType {
    /// The number for nft.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Address(version) => type_number(version),
            Self::Port => PORT,
            Self::Link => LINK_NAME,
            Self::LinkPair => concatenation(&[LINK_NAME; 2]),
            Self::Endpoint(version) => concatenation(&[type_number(version), PROTOCOL, PORT]),
        }
    }

    /// The type with that number; `None` if we never write it.
    pub(super) fn of(number: u32) -> Option<Self> {
        let versions = [IpVersion::V4, IpVersion::V6].into_iter();
        let of_version = |version| [Self::Address(version), Self::Endpoint(version)];
        let others = [Self::Port, Self::Link, Self::LinkPair];
        let mut all = versions.flat_map(of_version).chain(others);
        all.find(|known| known.number() == number)
    }

    /// Whether its keys are names, alone.
    pub(super) fn is_name(self) -> bool {
        self == Self::Link
    }

    /// Length of a key in bytes.
    pub(super) fn length(self) -> u32 {
        match self {
            Self::Address(version) => version.length(),
            Self::Endpoint(version) => version.length() + 8,
            Self::Port => 2,
            Self::Link => 16,
            Self::LinkPair => 32,
        }
    }

    /// Parses a key of this type.
    pub(super) fn parse(self, bytes: &[u8]) -> Option<ElementKey> {
        let version = match self {
            Self::Address(version) | Self::Endpoint(version) => version,
            Self::Port => {
                return Some(ElementKey::Port(u16::from_be_bytes(bytes.try_into().ok()?)));
            }
            Self::Link => return Some(ElementKey::Link(LinkName(bytes.try_into().ok()?))),
            Self::LinkPair => {
                let (incoming, outgoing) = bytes.split_at_checked(NAME_LENGTH)?;
                let name = |bytes: &[u8]| bytes.try_into().ok().map(LinkName);
                return Some(ElementKey::LinkPair(name(incoming)?, name(outgoing)?));
            }
        };
        let length = usize::try_from(version.length()).ok()?;
        let (first, rest) = bytes.split_at_checked(length)?;
        let first = parse_address(first)?;
        Some(match (self, rest) {
            (Self::Address(_), []) => ElementKey::Address(first),
            (Self::Endpoint(_), [protocol, _, _, _, high, low, _, _]) => {
                let port = u16::from_be_bytes([*high, *low]);
                ElementKey::Endpoint(first, IpProtocol(*protocol), port)
            }
            _ => return None,
        })
    }
}

impl From<&str> for LinkName {
    fn from(name: &str) -> Self {
        let mut bytes = [0; NAME_LENGTH];
        let length = name.len().min(NAME_LENGTH - 1);
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        Self(bytes)
    }
}

fn type_number(version: IpVersion) -> u32 {
    match version {
        IpVersion::V4 => IPV4_ADDRESS,
        IpVersion::V6 => IPV6_ADDRESS,
    }
}

fn concatenation(types: &[u32]) -> u32 {
    types
        .iter()
        .fold(0, |all, each| all << BITS_PER_TYPE | each)
}

fn parse_address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(Ipv4Addr::from);
    let v6 = <[u8; 16]>::try_from(octets).map(Ipv6Addr::from);
    v4.map(IpAddr::from).or(v6.map(IpAddr::from)).ok()
}

/// The bytes of an address.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

impl fmt::Display for ElementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Port(port) => port.fmt(f),
            Self::Link(name) => name.fmt(f),
            Self::LinkPair(incoming, outgoing) => write!(f, "{incoming} . {outgoing}"),
            Self::Endpoint(address, protocol, port) => {
                write!(f, "{address} . {protocol} . {port}")
            }
        }
    }
}

impl LinkName {
    fn text(&self) -> Cow<'_, str> {
        let end = self.0.iter().position(|byte| *byte == 0);
        String::from_utf8_lossy(&self.0[..end.unwrap_or(NAME_LENGTH)])
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.text())
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = |version: &IpVersion| match version {
            IpVersion::V4 => "ipv4_addr",
            IpVersion::V6 => "ipv6_addr",
        };
        match self {
            Self::Address(version) => f.write_str(address(version)),
            Self::Endpoint(version) => {
                write!(f, "{} . inet_proto . inet_service", address(version))
            }
            Self::Port => f.write_str("inet_service"),
            Self::Link => f.write_str("ifname"),
            Self::LinkPair => f.write_str("ifname . ifname"),
        }
    }
}

#[cfg(test)]
mod tests;
