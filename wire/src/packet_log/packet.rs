//! A logged packet (`include/uapi/linux/netfilter/nfnetlink_log.h`).

use std::borrow::Cow;

use super::headers::PacketHeaders;
use crate::netfilter::message;

/// `NFULA_*`.
const INPUT: u16 = 4;
const OUTPUT: u16 = 5;
const PAYLOAD: u16 = 9;
const PREFIX: u16 = 10;

/// A packet that a rule logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedPacket<'a> {
    /// The prefix of the rule.
    pub prefix: Cow<'a, str>,
    /// The index of the link that it came through.
    pub input: Option<u32>,
    /// The index of the link that it goes out through.
    pub output: Option<u32>,
    /// The beginning of the packet, from its IP header on.
    pub payload: &'a [u8],
}

impl<'a> LoggedPacket<'a> {
    /// Parses the payload of a message.
    pub(super) fn parse(message: &'a [u8]) -> Self {
        let (_, attributes) = message::parts(message);
        let prefix = attributes.bytes(PREFIX).unwrap_or_default();
        let prefix = prefix.split(|byte| *byte == 0).next().unwrap_or_default();
        Self {
            prefix: String::from_utf8_lossy(prefix),
            input: attributes.number(INPUT),
            output: attributes.number(OUTPUT),
            payload: attributes.bytes(PAYLOAD).unwrap_or_default(),
        }
    }

    /// Its IP header and its ports; `None` if the IP header is invalid or cut off.
    pub fn headers(&self) -> Option<PacketHeaders> {
        PacketHeaders::parse(self.payload)
    }
}

#[cfg(test)]
mod tests;
