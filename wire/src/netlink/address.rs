//! Addresses of links.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use rtnetlink::AddressMessageBuilder;
use rtnetlink::packet_core::{DecodeError, Emitable, Parseable};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressScope,
};

use super::attributes::readable;

/// How far an address means anything (`RT_SCOPE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// On the link.
    Link,
    /// Inside this host.
    Host,
    /// Another of the kernel's numbers.
    Other(u8),
}

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
    /// How far it means anything. IPv6 derives it from the address, whatever is asked for.
    pub scope: Scope,
    /// IPv6: used at once, without looking for a duplicate first (`IFA_F_NODAD`).
    pub no_dad: bool,
    /// Brings no route to its subnet (`IFA_F_NOPREFIXROUTE`).
    pub no_prefix_route: bool,
    /// Never expires. Everything we add is permanent.
    pub permanent: bool,
    /// IPv6: a random one that will be replaced (`IFA_F_TEMPORARY`, RFC 8981).
    pub temporary: bool,
    /// Not to be used for new connections any more.
    pub deprecated: bool,
    /// IPv6: not usable yet, or a duplicate.
    pub tentative: bool,
}

impl Address {
    /// A permanent address as this project adds it: its scope from the address, the rest unset.
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

    /// Whether peers can use it and may be told it, because it stays: of global scope, neither
    /// temporary nor deprecated nor tentative.
    pub fn is_lasting(&self) -> bool {
        self.scope == Scope::Global && !(self.temporary || self.deprecated || self.tentative)
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
        message.header.scope = self.scope.into();
        let mut flags = AddressFlags::empty();
        flags.set(AddressFlags::Nodad, self.no_dad);
        flags.set(AddressFlags::Noprefixroute, self.no_prefix_route);
        if !flags.is_empty() {
            message.attributes.push(AddressAttribute::Flags(flags));
        }
        message
    }

    /// `None` for what carries no address of a family we know.
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
        // On a point-to-point link IFA_ADDRESS is the other end's.
        let Some(ip) = local.or(remote) else {
            return Ok(None);
        };
        let address = IpNetwork::new(ip, header.prefix_len)
            .map_err(|error| DecodeError::from(error.to_string()))?;
        Ok(Some(Self {
            link: header.index,
            address,
            scope: header.scope.into(),
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
                Scope::Global => f.write_str(" scope global")?,
                Scope::Link => f.write_str(" scope link")?,
                Scope::Host => f.write_str(" scope host")?,
                Scope::Other(number) => write!(f, " scope {number}")?,
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

/// Asks for the addresses of one link, or, with 0, for all.
pub(super) fn query(link: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = link;
    message
}

/// The scope the kernel derives for IPv6, and iproute2 for IPv4.
fn natural_scope(ip: IpAddr) -> Scope {
    match ip {
        _ if ip.is_loopback() => Scope::Host,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Scope::Link,
        _ => Scope::Global,
    }
}

impl From<AddressScope> for Scope {
    fn from(scope: AddressScope) -> Self {
        match scope {
            AddressScope::Universe => Self::Global,
            AddressScope::Link => Self::Link,
            AddressScope::Host => Self::Host,
            other => Self::Other(other.into()),
        }
    }
}

impl From<Scope> for AddressScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Global => Self::Universe,
            Scope::Link => Self::Link,
            Scope::Host => Self::Host,
            Scope::Other(number) => number.into(),
        }
    }
}
