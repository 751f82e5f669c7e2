//! Messages of the nftables subsystem of nfnetlink (`include/uapi/linux/netfilter/nf_tables.h`).

use super::types::TableFamily;
use crate::netfilter::attributes::{Attributes, Received};
use crate::netfilter::message::{self, NfnetlinkMessage};

/// `NFNL_SUBSYS_NFTABLES`, and the one of the messages around a transaction (`NFNL_SUBSYS_NONE`).
const SUBSYSTEM: u16 = 10;
const NO_SUBSYSTEM: u16 = 0;

/// `NFNL_MSG_BATCH_BEGIN`, `NFNL_MSG_BATCH_END`.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

/// `NFNL_BATCH_GENID`.
const BATCH_GENERATION: u16 = 1;

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
    pub(in super::super) const DEL_SET: u16 = 11;
    pub(in super::super) const NEW_ELEMENTS: u16 = 12;
    pub(in super::super) const GET_ELEMENTS: u16 = 13;
    pub(in super::super) const DEL_ELEMENTS: u16 = 14;
    pub(in super::super) const NEW_GENERATION: u16 = 15;
    pub(in super::super) const GET_GENERATION: u16 = 16;
}

/// A message of one [`kind`].
pub(super) fn new(kind: u16, family: TableFamily, attributes: Attributes) -> NfnetlinkMessage {
    NfnetlinkMessage::new(SUBSYSTEM, kind, family.number(), attributes)
}

/// Opens a transaction. If a generation is given, the transaction fails unless it is current.
pub(super) fn begin(generation: Option<u32>) -> NfnetlinkMessage {
    let attributes = Attributes::default();
    let attributes = match generation {
        Some(generation) => attributes.number(BATCH_GENERATION, generation),
        None => attributes,
    };
    NfnetlinkMessage::new(NO_SUBSYSTEM, BATCH_BEGIN, 0, attributes).about(SUBSYSTEM)
}

/// Commits a transaction.
pub(super) fn end() -> NfnetlinkMessage {
    let none = Attributes::default();
    NfnetlinkMessage::new(NO_SUBSYSTEM, BATCH_END, 0, none).about(SUBSYSTEM)
}

/// The [`kind`] of a message type; `None` if it is not of nftables.
pub(super) fn kind_of(message_type: u16) -> Option<u16> {
    message::kind_of(SUBSYSTEM, message_type)
}

/// The family and the attributes in a message's payload.
pub(super) fn parts(payload: &[u8]) -> (TableFamily, Received<'_>) {
    let (family, attributes) = message::parts(payload);
    (TableFamily::of(family), attributes)
}
