//! Parsing the attributes of a netlink message.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rtnetlink::packet_core::{DecodeError, NlaBuffer, NlasIterator};
use rtnetlink::packet_route::AddressFamily;

use crate::text::printable;

/// The family that the header of a message about an address names.
pub(super) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// The address that stands for all of a family, which a message leaves out; `None` for other
/// families than IPv4 and IPv6.
pub(super) fn any(family: AddressFamily) -> Option<IpAddr> {
    match family {
        AddressFamily::Inet => Some(Ipv4Addr::UNSPECIFIED.into()),
        AddressFamily::Inet6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

/// A prefix of which a message has the address and the length apart.
pub(super) fn prefix(address: IpAddr, length: u8) -> Result<IpNet, DecodeError> {
    IpNet::new(address, length).map_err(|error| DecodeError::from(error.to_string()))
}

/// A text that any program may have chosen, in any encoding: a link with a strange name must not
/// hide the others. What is not UTF-8 is replaced.
pub(super) fn text(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.trim_end_matches('\0').to_owned()
}

/// As [`text`], as names appear in logs and on terminals.
pub(super) fn name(value: &[u8]) -> String {
    printable(&text(value))
}

/// Parses each attribute after a header of `header_length` bytes.
///
/// Attributes that cannot be parsed (of a newer kernel or an unknown driver) are skipped, so that
/// they do not fail a whole listing; only a few of dozens are needed.
pub(super) fn readable<'a, A>(
    payload: &'a [u8],
    header_length: usize,
    parse: impl Fn(&NlaBuffer<&'a [u8]>) -> Result<A, DecodeError>,
) -> impl Iterator<Item = A> {
    NlasIterator::new(payload.get(header_length..).unwrap_or_default())
        .filter_map(move |attribute| parse(&attribute.ok()?).ok())
}

#[cfg(test)]
mod tests;
