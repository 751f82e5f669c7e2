//! Keys of sets: addresses, alone or with something else (a concatenation).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ip_version::IpVersion;
use crate::ip_protocol::IpProtocol;

/// nft's data types (`TYPE_IPADDR`, `TYPE_IP6ADDR`, `TYPE_INET_PROTOCOL` and `TYPE_INET_SERVICE` of
/// its `datatype.h`); the kernel only stores them. The type of a concatenation has
/// [`BITS_PER_TYPE`] bits for each (`TYPE_BITS`).
const IPV4_ADDRESS: u32 = 7;
const IPV6_ADDRESS: u32 = 8;
const PROTOCOL: u32 = 12;
const PORT: u32 = 13;
const BITS_PER_TYPE: u32 = 6;

/// A key. The fields of a concatenation are padded to four bytes, as in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ElementKey {
    /// An address.
    Address(IpAddr),
    /// Two addresses of the same version: source and destination.
    AddressPair(IpAddr, IpAddr),
    /// An address, a protocol with ports, and a port.
    Endpoint(IpAddr, IpProtocol, u16),
}

/// The type of the keys of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyType {
    Address(IpVersion),
    AddressPair(IpVersion),
    Endpoint(IpVersion),
}

impl From<IpAddr> for ElementKey {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl ElementKey {
    /// Its address, the first of two.
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Address(address)
            | Self::AddressPair(address, _)
            | Self::Endpoint(address, ..) => *address,
        }
    }

    /// As the kernel stores it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Address(address) => octets(*address),
            Self::AddressPair(source, destination) => {
                [octets(*source), octets(*destination)].concat()
            }
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
            Self::AddressPair(version) => concatenation(&[type_number(version); 2]),
            Self::Endpoint(version) => concatenation(&[type_number(version), PROTOCOL, PORT]),
        }
    }

    /// The type with that number; `None` if we never write it.
    pub(super) fn of(number: u32) -> Option<Self> {
        let versions = [IpVersion::V4, IpVersion::V6].into_iter();
        let kinds = |version| {
            [
                Self::Address(version),
                Self::AddressPair(version),
                Self::Endpoint(version),
            ]
        };
        let mut all = versions.flat_map(kinds);
        all.find(|known| known.number() == number)
    }

    /// Length of a key in bytes.
    pub(super) fn length(self) -> u32 {
        match self {
            Self::Address(version) => version.length(),
            Self::AddressPair(version) => 2 * version.length(),
            Self::Endpoint(version) => version.length() + 8,
        }
    }

    /// Parses a key of this type.
    pub(super) fn parse(self, bytes: &[u8]) -> Option<ElementKey> {
        let (Self::Address(version) | Self::AddressPair(version) | Self::Endpoint(version)) = self;
        let length = usize::try_from(version.length()).ok()?;
        let (first, rest) = bytes.split_at_checked(length)?;
        let first = parse_address(first)?;
        Some(match (self, rest) {
            (Self::Address(_), []) => ElementKey::Address(first),
            (Self::AddressPair(_), rest) if rest.len() == length => {
                ElementKey::AddressPair(first, parse_address(rest)?)
            }
            (Self::Endpoint(_), [protocol, _, _, _, high, low, _, _]) => {
                let port = u16::from_be_bytes([*high, *low]);
                ElementKey::Endpoint(first, IpProtocol(*protocol), port)
            }
            _ => return None,
        })
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
            Self::AddressPair(source, destination) => write!(f, "{source} . {destination}"),
            Self::Endpoint(address, protocol, port) => {
                write!(f, "{address} . {protocol} . {port}")
            }
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Address(version) | Self::AddressPair(version) | Self::Endpoint(version)) = self;
        let address = match version {
            IpVersion::V4 => "ipv4_addr",
            IpVersion::V6 => "ipv6_addr",
        };
        match self {
            Self::Address(_) => f.write_str(address),
            Self::AddressPair(_) => write!(f, "{address} . {address}"),
            Self::Endpoint(_) => write!(f, "{address} . inet_proto . inet_service"),
        }
    }
}

#[cfg(test)]
mod tests;
