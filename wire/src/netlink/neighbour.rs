//! Neighbour entries (ARP and neighbour discovery), and the delay of proxy ARP.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use rtnetlink::packet_core::{DecodeError, Emitable, ParseableParametrized};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourHeader, NeighbourMessage,
    NeighbourState,
};
use rtnetlink::packet_route::neighbour_table::{
    NeighbourTableAttribute, NeighbourTableMessage, NeighbourTableParameter,
};

use super::Mac;
use super::attributes::{family, readable};

/// A neighbour entry with a hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// Index of the link on which the neighbour is.
    pub link: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: Mac,
    /// A permanent entry is never probed, changed or removed by the kernel. Another entry that we
    /// add counts as just confirmed, and is exempt from the limits of the neighbour table
    /// (`NTF_EXT_LEARNED`); an ARP message or neighbour advertisement from the neighbour changes
    /// it, and the kernel removes it when the link loses its carrier.
    pub permanent: bool,
}

/// Sets the longest time for which a link delays a proxy ARP reply (`proxy_delay`).
pub(super) fn set_proxy_delay(link: u32, delay: Duration) -> NeighbourTableMessage {
    let mut message = NeighbourTableMessage::default();
    message.header.family = AddressFamily::Inet;
    message.attributes = vec![
        NeighbourTableAttribute::Name("arp_cache".to_owned()),
        NeighbourTableAttribute::Parms(vec![
            NeighbourTableParameter::Ifindex(link),
            NeighbourTableParameter::ProxyDelay(milliseconds(delay)),
        ]),
    ];
    message
}

/// In milliseconds, as the kernel counts them.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Neighbour {
    pub(super) fn message(&self) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.family = family(self.address);
        message.header.ifindex = self.link;
        message.header.state = if self.permanent {
            NeighbourState::Permanent
        } else {
            message.header.flags = NeighbourFlags::ExtLearned;
            NeighbourState::Reachable
        };
        message.attributes = vec![
            NeighbourAttribute::Destination(self.address.into()),
            NeighbourAttribute::LinkLayerAddress(self.mac.0.to_vec()),
        ];
        message
    }

    /// `None` for an entry without a valid hardware address.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let header = NeighbourHeader::parse(payload)?;
        let permanent = match header.state {
            NeighbourState::Permanent => true,
            NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe => false,
            _ => return Ok(None),
        };
        let (mut address, mut mac) = (None, None);
        let attributes = readable(payload, header.buffer_len(), |attribute| {
            NeighbourAttribute::parse_with_param(attribute, header.family)
        });
        for attribute in attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => {
                    address = Some(ip.into());
                }
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => {
                    address = Some(ip.into());
                }
                NeighbourAttribute::LinkLayerAddress(bytes) => {
                    mac = bytes.try_into().ok().map(Mac);
                }
                _ => {}
            }
        }
        Ok(address.zip(mac).map(|(address, mac)| Self {
            link: header.ifindex,
            address,
            mac,
            permanent,
        }))
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lladdr {} dev if{}",
            self.address, self.mac, self.link
        )?;
        if !self.permanent {
            f.write_str(" nud reachable extern_learn")?;
        }
        Ok(())
    }
}

/// Makes the kernel resolve the address.
pub(super) fn probe(link: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = lookup(link, address);
    message.header.flags = NeighbourFlags::Use;
    message
}

/// What the kernel reports of a neighbour: its link, its address, and whether it answers. `None` if
/// the report does not say whether it answers.
pub(super) fn parse_event(payload: &[u8]) -> Result<Option<(u32, IpAddr, bool)>, DecodeError> {
    let header = NeighbourHeader::parse(payload)?;
    let answers = match header.state {
        NeighbourState::Reachable | NeighbourState::Permanent => true,
        NeighbourState::Failed => false,
        _ => return Ok(None),
    };
    let mut attributes = readable(payload, header.buffer_len(), |attribute| {
        NeighbourAttribute::parse_with_param(attribute, header.family)
    });
    let address = attributes.find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(ip.into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(ip.into()),
        _ => None,
    });
    Ok(address.map(|address| (header.ifindex, address, answers)))
}

/// Requests one entry.
pub(super) fn lookup(link: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = link;
    message
        .attributes
        .push(NeighbourAttribute::Destination(address.into()));
    message
}

/// Requests the entries of one link.
pub(super) fn query(link: u32) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    // With strict checks (NETLINK_GET_STRICT_CHK) the kernel takes the link as an attribute and
    // refuses it in the header.
    message.attributes.push(NeighbourAttribute::IfIndex(link));
    message
}
