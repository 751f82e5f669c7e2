//! IP addresses of links.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use rtnetlink::AddressMessageBuilder;
use rtnetlink::packet_core::{DecodeError, Emitable, Parseable};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressScope as Scope,
};

use super::attributes::readable;

/// An address of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the kernel's own flags, each independent"
)]
pub struct Address {
    /// Index of the link.
    pub link: u32,
    /// The address with its mask.
    pub address: IpNetwork,
    /// Its scope. For IPv6 the kernel derives it from the address and ignores what is requested.
    pub scope: Scope,
    /// IPv6: usable at once, without duplicate address detection (`IFA_F_NODAD`).
    pub no_dad: bool,
    /// The kernel adds no route to its prefix (`IFA_F_NOPREFIXROUTE`).
    pub no_prefix_route: bool,
    /// Never expires. All addresses that Flatland adds are permanent.
    pub permanent: bool,
    /// IPv6: a privacy address, random and replaced from time to time (`IFA_F_TEMPORARY`, RFC
    /// 8981).
    pub temporary: bool,
    /// Not to be used for new connections any more.
    pub deprecated: bool,
    /// IPv6: not usable yet, or a duplicate.
    pub tentative: bool,
}

impl Address {
    /// A permanent address as Flatland adds it: its scope follows from the address, the rest is
    /// unset.
    pub fn new(link: u32, address: IpNetwork) -> Self {
        Self {
            link,
            address,
            scope: natural_scope(address.ip()),
            no_dad: false,
            no_prefix_route: false,
            permanent: true,
            temporary: false,
            deprecated: false,
            tentative: false,
        }
    }

    /// Whether it can be advertised to peers: it has global scope, and is neither temporary nor
    /// deprecated nor tentative.
    pub fn is_lasting(&self) -> bool {
        self.scope == Scope::Universe && !(self.temporary || self.deprecated || self.tentative)
    }

    /// The addresses of `link` among `all` that can be advertised ([`Address::is_lasting`]), in the
    /// kernel's order, but a single address (/32, /128) beside a wider one of its family last: it is
    /// often virtual, and moves to another node.
    pub fn lasting_on(link: u32, all: &[Self]) -> Vec<IpAddr> {
        let lasting: Vec<&Self> = all
            .iter()
            .filter(|own| own.link == link && own.is_lasting())
            .collect();
        let is_single =
            |own: &Self| own.address.prefix() == if own.address.is_ipv4() { 32 } else { 128 };
        let is_virtual = |own: &&Self| {
            let is_wider = |other: &&Self| {
                !is_single(other) && other.address.is_ipv4() == own.address.is_ipv4()
            };
            is_single(own) && lasting.iter().any(is_wider)
        };
        let mut sorted = lasting.clone();
        sorted.sort_by_key(is_virtual);
        sorted.iter().map(|own| own.address.ip()).collect()
    }

    pub(super) fn message(&self) -> AddressMessage {
        let prefix = self.address.prefix();
        let mut message = match self.address.ip() {
            IpAddr::V4(ip) => AddressMessageBuilder::<Ipv4Addr>::new()
                .index(self.link)
                .address(ip, prefix)
                .build(),
            IpAddr::V6(ip) => AddressMessageBuilder::<Ipv6Addr>::new()
                .index(self.link)
                .address(ip, prefix)
                .build(),
        };
        message.header.scope = self.scope;
        let mut flags = AddressFlags::empty();
        flags.set(AddressFlags::Nodad, self.no_dad);
        flags.set(AddressFlags::Noprefixroute, self.no_prefix_route);
        if !flags.is_empty() {
            message.attributes.push(AddressAttribute::Flags(flags));
        }
        message
    }

    /// `None` if the message has no IPv4 or IPv6 address.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let header = AddressHeader::parse(payload)?;
        let (mut local, mut remote) = (None, None);
        let mut flags = AddressFlags::from_bits_retain(header.flags.bits().into());
        for attribute in readable(payload, header.buffer_len(), AddressAttribute::parse) {
            match attribute {
                AddressAttribute::Local(ip) => local = Some(ip),
                AddressAttribute::Address(ip) => remote = Some(ip),
                AddressAttribute::Flags(all) => flags = all,
                _ => {}
            }
        }
        // On a point-to-point link IFA_ADDRESS is the address of the other end.
        let Some(ip) = local.or(remote) else {
            return Ok(None);
        };
        let address = IpNetwork::new(ip, header.prefix_len)
            .map_err(|error| DecodeError::from(error.to_string()))?;
        Ok(Some(Self {
            link: header.index,
            address,
            scope: header.scope,
            no_dad: flags.contains(AddressFlags::Nodad),
            no_prefix_route: flags.contains(AddressFlags::Noprefixroute),
            permanent: flags.contains(AddressFlags::Permanent),
            // IFA_F_TEMPORARY is the same bit as IPv4's IFA_F_SECONDARY.
            temporary: ip.is_ipv6() && flags.contains(AddressFlags::Secondary),
            deprecated: flags.contains(AddressFlags::Deprecated),
            tentative: flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
        }))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dev if{}", self.address, self.link)?;
        if self.scope != natural_scope(self.address.ip()) {
            match self.scope {
                Scope::Universe => f.write_str(" scope global")?,
                Scope::Link => f.write_str(" scope link")?,
                Scope::Host => f.write_str(" scope host")?,
                other => write!(f, " scope {}", u8::from(other))?,
            }
        }
        if self.no_dad {
            f.write_str(" nodad")?;
        }
        if self.no_prefix_route {
            f.write_str(" noprefixroute")?;
        }
        Ok(())
    }
}

/// Requests the addresses of one link, or of all links if `link` is 0.
pub(super) fn query(link: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = link;
    message
}

/// The scope that the kernel derives for IPv6, and iproute2 for IPv4.
fn natural_scope(ip: IpAddr) -> Scope {
    match ip {
        _ if ip.is_loopback() => Scope::Host,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Scope::Link,
        _ => Scope::Universe,
    }
}

#[cfg(test)]
mod tests;
