//! Replies of the kernel: acknowledgements, errors with their extended text, and payload.

use nix::errno::Errno;
use rtnetlink::packet_core::{
    DecodeError, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR,
    NetlinkBuffer, NlasIterator, parse_i32, parse_string, parse_u32,
};

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// `NLMSGERR_ATTR_MSG` of `linux/netlink.h`.
const EXPLANATION: u16 = 1;

/// A message in which the kernel replies to a request.
pub(crate) struct Reply<'a> {
    /// The position of the request in its exchange.
    pub(crate) index: usize,
    /// The table changed while it was being listed (`NLM_F_DUMP_INTR`).
    pub(crate) interrupted: bool,
    /// The content.
    pub(crate) body: Body<'a>,
}

/// The content of a reply.
pub(crate) enum Body<'a> {
    /// The request was applied, or the listing is complete.
    Done,
    /// The request was refused.
    Refused {
        errno: Errno,
        message: Option<String>,
    },
    /// What was requested.
    Payload(&'a [u8]),
}

impl<'a> Reply<'a> {
    /// Reads a message as the reply to a request with a sequence number from `first` up to, but not
    /// including, `next`; `None` if it belongs to none of them.
    pub(crate) fn read(
        message: &NetlinkBuffer<&'a [u8]>,
        first: u32,
        next: u32,
    ) -> Result<Option<Self>, DecodeError> {
        let index = message.sequence_number().wrapping_sub(first);
        if index >= next.wrapping_sub(first) {
            return Ok(None);
        }
        let body = match message.message_type() {
            NLMSG_ERROR | NLMSG_DONE => parse_status(message)?,
            _ => Body::Payload(message.payload()),
        };
        let interrupted = message.flags() & NLM_F_DUMP_INTR != 0;
        Ok(Some(Self {
            index: index as usize,
            interrupted,
            body,
        }))
    }
}

/// The messages of a datagram.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<NetlinkBuffer<&'a [u8]>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let message = NetlinkBuffer::new_checked(self.0);
        let length = message
            .as_ref()
            .map_or(self.0.len(), |message| message.length() as usize);
        self.0 = self.0.get(align(length)..).unwrap_or_default();
        Some(message)
    }
}

/// Reads an `NLMSG_ERROR` (in which 0 is success) or an `NLMSG_DONE`.
fn parse_status<'a>(message: &NetlinkBuffer<&[u8]>) -> Result<Body<'a>, DecodeError> {
    let payload = message.payload();
    // The kernel allows an NLMSG_DONE without a status.
    let Some(status) = payload.get(..4) else {
        return Ok(Body::Done);
    };
    let status = parse_i32(status)?;
    if status == 0 {
        return Ok(Body::Done);
    }
    let message = (message.flags() & NLM_F_ACK_TLVS != 0)
        .then(|| explanation(message))
        .flatten();
    Ok(Body::Refused {
        // Wraps for a status that no kernel gives: it is an unknown error then, too.
        errno: Errno::from_raw(status.wrapping_neg()),
        message,
    })
}

/// The text of the extended acknowledgement. It follows the status and, in an error, the header of
/// the refused request and, unless capped, its body.
fn explanation(message: &NetlinkBuffer<&[u8]>) -> Option<String> {
    let payload = message.payload();
    let start = match message.message_type() {
        NLMSG_DONE => 4,
        _ if message.flags() & NLM_F_CAPPED != 0 => 4 + HEADER,
        _ => 4 + align(parse_u32(payload.get(4..8)?).ok()? as usize),
    };
    NlasIterator::new(payload.get(start..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == EXPLANATION)
        .and_then(|attribute| parse_string(attribute.value()).ok())
}

/// Netlink aligns messages and attributes to four bytes.
fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests;
