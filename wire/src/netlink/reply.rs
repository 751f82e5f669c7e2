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
mod tests {
    use super::*;

    const ECHO_OF_REQUEST: u32 = 40;

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes.resize(align(bytes.len()), 0);
        bytes
    }

    /// The kernel's extended acknowledgement: an offset, which is skipped, and the text.
    fn extended_text(text: &str) -> Vec<u8> {
        let mut bytes = [8u16.to_ne_bytes(), 2u16.to_ne_bytes(), [0; 2], [0; 2]].concat();
        let length = u16::try_from(4 + text.len() + 1).unwrap();
        bytes.extend(length.to_ne_bytes());
        bytes.extend(EXPLANATION.to_ne_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes
    }

    /// A status and the refused request: its header and, unless capped, its body.
    fn status(status: i32, request_body: usize) -> Vec<u8> {
        let mut bytes = status.to_ne_bytes().to_vec();
        bytes.extend(ECHO_OF_REQUEST.to_ne_bytes());
        bytes.resize(4 + HEADER + request_body, 0);
        bytes
    }

    /// Reads a message as a reply to the requests 10 to 12.
    fn read(bytes: &[u8]) -> String {
        let message = Messages(bytes).next().unwrap().unwrap();
        match Reply::read(&message, 10, 13).unwrap() {
            None => "none".to_owned(),
            Some(Reply {
                index,
                interrupted,
                body,
            }) => {
                let body = match body {
                    Body::Done => "done".to_owned(),
                    Body::Refused { errno, message } => format!("{errno:?} {message:?}"),
                    Body::Payload(payload) => format!("{payload:?}"),
                };
                format!("{index}{} {body}", if interrupted { "!" } else { "" })
            }
        }
    }

    #[test]
    fn replies_are_parsed() {
        const CAPPED: u16 = NLM_F_CAPPED | NLM_F_ACK_TLVS;
        let body = ECHO_OF_REQUEST as usize - HEADER;
        let capped = [status(-17, 0), extended_text("No.")].concat();
        let whole = [status(-17, body), extended_text("No.")].concat();
        let done = [(-2i32).to_ne_bytes().to_vec(), extended_text("Gone.")].concat();
        for (bytes, expected) in [
            (
                message(NLMSG_ERROR, NLM_F_CAPPED, 10, &status(0, 0)),
                "0 done",
            ),
            (
                message(NLMSG_ERROR, NLM_F_CAPPED, 12, &status(-17, 0)),
                "2 EEXIST None",
            ),
            (
                message(NLMSG_ERROR, NLM_F_CAPPED, 10, &status(i32::MIN, 0)),
                "0 UnknownErrno None",
            ),
            (
                message(NLMSG_DONE, 0, 10, &i32::MIN.to_ne_bytes()),
                "0 UnknownErrno None",
            ),
            (
                message(NLMSG_ERROR, NLM_F_CAPPED, 10, &status(17, 0)),
                "0 UnknownErrno None",
            ),
            (
                message(NLMSG_ERROR, CAPPED, 11, &capped),
                r#"1 EEXIST Some("No.")"#,
            ),
            (
                message(NLMSG_ERROR, NLM_F_ACK_TLVS, 11, &whole),
                r#"1 EEXIST Some("No.")"#,
            ),
            (
                message(NLMSG_ERROR, CAPPED, 11, &status(-17, 0)),
                "1 EEXIST None",
            ),
            (message(NLMSG_DONE, 0, 10, &[]), "0 done"),
            (message(NLMSG_DONE, 0, 10, &[0; 4]), "0 done"),
            (
                message(NLMSG_DONE, NLM_F_ACK_TLVS, 10, &done),
                r#"0 ENOENT Some("Gone.")"#,
            ),
            (message(NLMSG_DONE, NLM_F_DUMP_INTR, 10, &[0; 4]), "0! done"),
            (message(24, NLM_F_DUMP_INTR, 10, &[7; 4]), "0! [7, 7, 7, 7]"),
            (message(24, 0, 9, &[7; 4]), "none"),
            (message(24, 0, 13, &[7; 4]), "none"),
            (message(24, 0, 0, &[7; 4]), "none"),
        ] {
            assert_eq!(read(&bytes), expected);
        }
    }

    #[test]
    fn reply_is_matched_when_sequence_numbers_wrap() {
        let bytes = message(NLMSG_DONE, 0, 1, &[]);
        let message = Messages(&bytes).next().unwrap().unwrap();

        let answer = Reply::read(&message, u32::MAX - 1, 2).unwrap().unwrap();

        assert_eq!(answer.index, 3);
    }

    #[test]
    fn datagram_is_split_into_messages() {
        let datagram = [message(24, 0, 1, &[1; 5]), message(24, 0, 2, &[]), vec![]].concat();

        let numbers: Vec<u32> = Messages(&datagram)
            .map(|message| message.unwrap().sequence_number())
            .collect();

        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn invalid_message_ends_the_datagram_with_an_error() {
        let whole = message(24, 0, 1, &[1; 8]);
        for broken in [&whole[..20], &whole[..3], &[0; 16]] {
            let datagram = [&whole, broken].concat();
            let read: Vec<bool> = Messages(&datagram).map(|message| message.is_ok()).collect();
            assert_eq!(read, [true, false]);
        }
    }
}
