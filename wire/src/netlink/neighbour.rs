//! Permanent neighbour entries.

use std::fmt;
use std::net::IpAddr;

use rtnetlink::packet_core::{DecodeError, Emitable, ParseableParametrized};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourHeader, NeighbourMessage, NeighbourState,
};

use super::Mac;
use super::attributes::readable;

/// A permanent neighbour entry: the kernel neither asks for nor forgets this hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// Index of the link behind which the neighbour is.
    pub link: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: Mac,
}

impl Neighbour {
    pub(super) fn message(&self) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.family = match self.address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.header.ifindex = self.link;
        message.header.state = NeighbourState::Permanent;
        message.attributes = vec![
            NeighbourAttribute::Destination(self.address.into()),
            NeighbourAttribute::LinkLayerAddress(self.mac.0.to_vec()),
        ];
        message
    }

    /// `None` for an entry that is not permanent, or without a hardware address.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let header = NeighbourHeader::parse(payload)?;
        if header.state != NeighbourState::Permanent {
            return Ok(None);
        }
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
        }))
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lladdr {} dev if{}",
            self.address, self.mac, self.link
        )
    }
}

/// Asks for the entries of one link.
pub(super) fn query(link: u32) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    // With strict checks the kernel takes the link as an attribute, and refuses it in the header.
    message.attributes.push(NeighbourAttribute::IfIndex(link));
    message
}
