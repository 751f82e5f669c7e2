//! Versions of the Internet Protocol.

use std::net::IpAddr;

use super::types::TableFamily;
use crate::address_number;

/// A version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// The version of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    /// The family of the tables for packets of this version alone.
    pub fn family(self) -> TableFamily {
        match self {
            Self::V4 => TableFamily::Ip,
            Self::V6 => TableFamily::Ip6,
        }
    }

    /// Length of an address in bytes.
    pub(super) fn length(self) -> u32 {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }

    pub(super) fn last(self) -> u128 {
        match self {
            Self::V4 => u32::MAX.into(),
            Self::V6 => u128::MAX,
        }
    }

    pub(super) fn address(self, number: u128) -> IpAddr {
        address_number::address(self == Self::V4, number)
    }
}
