//! Messages of nfnetlink (`include/uapi/linux/netfilter/nfnetlink.h`).

use rtnetlink::packet_core::NetlinkSerializable;

use super::attributes::{Attributes, Received};

/// Length of `struct nfgenmsg`.
const HEADER: usize = 4;

/// A message to the kernel.
#[derive(Debug, Clone)]
pub(crate) struct NfnetlinkMessage {
    message_type: u16,
    family: u8,
    /// `res_id` of `struct nfgenmsg`.
    resource: u16,
    attributes: Attributes,
}

impl NfnetlinkMessage {
    /// A message of a subsystem (`NFNL_SUBSYS_*`) about a family (`NFPROTO_*`).
    pub(crate) fn new(subsystem: u16, kind: u16, family: u8, attributes: Attributes) -> Self {
        Self {
            message_type: subsystem << 8 | kind,
            family,
            resource: 0,
            attributes,
        }
    }

    /// About a resource, whose meaning depends on the subsystem.
    pub(crate) fn about(self, resource: u16) -> Self {
        Self { resource, ..self }
    }
}

impl NetlinkSerializable for NfnetlinkMessage {
    fn message_type(&self) -> u16 {
        self.message_type
    }

    fn buffer_len(&self) -> usize {
        HEADER + self.attributes.as_bytes().len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let [high, low] = self.resource.to_be_bytes();
        buffer[..HEADER].copy_from_slice(&[self.family, 0, high, low]);
        buffer[HEADER..].copy_from_slice(self.attributes.as_bytes());
    }
}

/// The kind of a message type; `None` if it is not of that subsystem.
pub(crate) fn kind_of(subsystem: u16, message_type: u16) -> Option<u16> {
    (message_type >> 8 == subsystem).then_some(message_type & 0xff)
}

/// The family (`NFPROTO_*`) and the attributes in a message's payload.
pub(crate) fn parts(payload: &[u8]) -> (u8, Received<'_>) {
    let family = payload.first().copied().unwrap_or_default();
    (family, Received(payload.get(HEADER..).unwrap_or_default()))
}
