//! IP addresses as numbers, for calculations with them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address as a number; an IPv4 address has 32 bits.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address with that number. A number that IPv4 does not have gives its last address.
pub fn address(is_ipv4: bool, number: u128) -> IpAddr {
    if is_ipv4 {
        Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into()
    } else {
        Ipv6Addr::from_bits(number).into()
    }
}
