//! Messages of the nftables subsystem of nfnetlink (`include/uapi/linux/netfilter/nf_tables.h`).

use rtnetlink::packet_core::NetlinkSerializable;

use super::attributes::{Attributes, Received};
use super::types::TableFamily;

/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;

/// `NFNL_MSG_BATCH_BEGIN`, `NFNL_MSG_BATCH_END`.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

/// `NFNL_BATCH_GENID`.
const BATCH_GENERATION: u16 = 1;

/// Length of `struct nfgenmsg`.
pub(super) const HEADER: usize = 4;

/// `NFT_MSG_*`.
pub(super) mod kind {
    pub(in super::super) const NEW_TABLE: u16 = 0;
    pub(in super::super) const GET_TABLE: u16 = 1;
    pub(in super::super) const DEL_TABLE: u16 = 2;
    pub(in super::super) const NEW_CHAIN: u16 = 3;
    pub(in super::super) const GET_CHAIN: u16 = 4;
    pub(in super::super) const DEL_CHAIN: u16 = 5;
    pub(in super::super) const NEW_RULE: u16 = 6;
    pub(in super::super) const GET_RULE: u16 = 7;
    pub(in super::super) const DEL_RULE: u16 = 8;
    pub(in super::super) const NEW_SET: u16 = 9;
    pub(in super::super) const GET_SET: u16 = 10;
    pub(in super::super) const NEW_ELEMENTS: u16 = 12;
    pub(in super::super) const GET_ELEMENTS: u16 = 13;
    pub(in super::super) const DEL_ELEMENTS: u16 = 14;
    pub(in super::super) const NEW_GENERATION: u16 = 15;
    pub(in super::super) const GET_GENERATION: u16 = 16;
}

/// A message to the kernel.
#[derive(Debug, Clone)]
pub(super) struct Message {
    kind: u16,
    family: u8,
    /// `res_id` of `struct nfgenmsg`.
    resource: u16,
    attributes: Attributes,
}

impl Message {
    /// A message of one [`kind`].
    pub(super) fn new(kind: u16, family: TableFamily, attributes: Attributes) -> Self {
        Self {
            kind: SUBSYSTEM << 8 | kind,
            family: family.number(),
            resource: 0,
            attributes,
        }
    }

    /// Opens a transaction. If a generation is given, the transaction fails unless it is current.
    pub(super) fn begin(generation: Option<u32>) -> Self {
        let attributes = Attributes::default();
        Self::of_batch(
            BATCH_BEGIN,
            match generation {
                Some(generation) => attributes.number(BATCH_GENERATION, generation),
                None => attributes,
            },
        )
    }

    /// Commits a transaction.
    pub(super) fn end() -> Self {
        Self::of_batch(BATCH_END, Attributes::default())
    }

    fn of_batch(kind: u16, attributes: Attributes) -> Self {
        Self {
            kind,
            family: 0,
            resource: SUBSYSTEM,
            attributes,
        }
    }
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
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

/// The [`kind`] of a message type; `None` if it is not of nftables.
pub(super) fn kind_of(message_type: u16) -> Option<u16> {
    (message_type >> 8 == SUBSYSTEM).then_some(message_type & 0xff)
}

/// The family and the attributes in a message's payload.
pub(super) fn parts(payload: &[u8]) -> (TableFamily, Received<'_>) {
    let family = payload.first().copied().unwrap_or_default();
    let attributes = payload.get(HEADER..).unwrap_or_default();
    (TableFamily::of(family), Received(attributes))
}
