//! Datagrams to and from the kernel: sequence numbers, acknowledgements, errors.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::MSG_TRUNC;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;
use rtnetlink::packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLM_F_REQUEST,
    NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NlasIterator, parse_i32, parse_string, parse_u32,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{self, protocols::NETLINK_ROUTE};

use super::Error;

/// The kernel sends listings in datagrams of up to 32 KiB (`netlink_recvmsg`), and a single
/// message is longer than that only where a link has hundreds of names.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Room for a full batch of routes.
const SEND_BUFFER: usize = 8 * 1024;

/// How long the kernel may take for an answer. It has answered by the time `send` returns; only a
/// lost answer takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// `NLMSGERR_ATTR_MSG` of `linux/netlink.h`.
const EXPLANATION: u16 = 1;

/// One of the kernel's messages in answer to a request.
pub(super) struct Answer<'a> {
    /// Position of the message it answers, in its exchange.
    pub(super) index: usize,
    /// The tables changed while they were being listed (`NLM_F_DUMP_INTR`).
    pub(super) interrupted: bool,
    /// What it says.
    pub(super) body: Body<'a>,
}

/// What an answer says.
pub(super) enum Body<'a> {
    /// The request was carried out, or the listing is complete.
    Done,
    /// The request was refused.
    Refused {
        errno: Errno,
        message: Option<String>,
    },
    /// What was asked for.
    Payload(&'a [u8]),
}

/// A blocking rtnetlink socket that belongs to the network namespace it was opened in.
#[derive(Debug)]
pub(super) struct Transport {
    socket: sys::Socket,
    /// Sequence numbers of the exchange under way: its first, and the one after its last.
    first: u32,
    next: u32,
    outgoing: Vec<u8>,
    /// Where the last message of `outgoing` starts.
    last: usize,
    incoming: Vec<u8>,
}

impl Transport {
    /// Neither bound nor connected: the kernel binds a netlink socket with its first datagram, and
    /// where that goes unless told otherwise is the kernel.
    pub(super) fn open() -> Result<Self, Error> {
        let socket = sys::Socket::new(NETLINK_ROUTE).map_err(failed("open"))?;
        socket
            .set_ext_ack(true)
            .map_err(failed("ask for explained errors"))?;
        socket
            .set_cap_ack(true)
            .map_err(failed("ask for short errors"))?;
        socket
            .set_netlink_get_strict_chk(true)
            .map_err(failed("ask for strict checks"))?;
        let patience = TimeVal::new(PATIENCE.as_secs().cast_signed(), 0);
        setsockopt(&socket, sockopt::ReceiveTimeout, &patience)
            .map_err(|errno| failed("set a timeout")(errno.into()))?;
        Ok(Self {
            socket,
            first: 1,
            next: 1,
            outgoing: Vec::with_capacity(SEND_BUFFER),
            last: 0,
            incoming: Vec::with_capacity(RECEIVE_BUFFER),
        })
    }

    /// Starts a new exchange: from here on answers to earlier ones are stale.
    pub(super) fn begin(&mut self) {
        self.outgoing.clear();
        self.first = self.next;
    }

    /// Adds a message to the datagram that [`Transport::exchange`] sends.
    pub(super) fn queue(&mut self, message: RouteNetlinkMessage, flags: u16) {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.next;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        self.last = self.outgoing.len();
        self.outgoing.resize(self.last + packet.buffer_len(), 0);
        packet.serialize(&mut self.outgoing[self.last..]);
        self.next = self.next.wrapping_add(1);
    }

    /// Asks the kernel to confirm the message that was queued last.
    pub(super) fn acknowledge(&mut self) {
        let mut message = NetlinkBuffer::new(&mut self.outgoing[self.last..]);
        message.set_flags(message.flags() | NLM_F_ACK);
    }

    /// Sends what was queued and hands every answer to `on_answer` until that says it was the
    /// last. Answers to earlier exchanges and messages of other programs are passed over.
    pub(super) fn exchange(
        &mut self,
        mut on_answer: impl FnMut(Answer<'_>) -> Result<ControlFlow<()>, DecodeError>,
    ) -> Result<(), Failure> {
        self.send()?;
        loop {
            if !self.receive()? {
                continue;
            }
            for message in Messages(&self.incoming) {
                let message = message?;
                let Some(answer) = self.answer(&message)? else {
                    continue;
                };
                if on_answer(answer)?.is_break() {
                    return Ok(());
                }
            }
        }
    }

    fn send(&self) -> Result<(), Error> {
        let sent = retry(|| self.socket.send(&self.outgoing, 0)).map_err(failed("send"))?;
        if sent == self.outgoing.len() {
            Ok(())
        } else {
            Err(failed("send")(io::ErrorKind::WriteZero.into()))
        }
    }

    /// Whether a datagram of the kernel was received; what others send is dropped.
    fn receive(&mut self) -> Result<bool, Failure> {
        let (length, sender) = retry(|| {
            self.incoming.clear();
            self.socket.recv_from(&mut self.incoming, MSG_TRUNC)
        })
        .map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => failed("get an answer in time")(error),
            _ => failed("receive")(error),
        })?;
        if length > self.incoming.len() {
            let capacity = self.incoming.capacity();
            return Err(DecodeError::from(format!("{length} bytes, more than {capacity}")).into());
        }
        Ok(sender.port_number() == 0)
    }

    /// The message as an answer of this exchange; `None` where it belongs to an earlier one.
    fn answer<'a>(
        &self,
        message: &NetlinkBuffer<&'a [u8]>,
    ) -> Result<Option<Answer<'a>>, DecodeError> {
        let index = message.sequence_number().wrapping_sub(self.first);
        if index >= self.next.wrapping_sub(self.first) {
            return Ok(None);
        }
        let payload = message.payload();
        let body = match message.message_type() {
            NLMSG_ERROR | NLMSG_DONE => verdict(message)?,
            _ => Body::Payload(payload),
        };
        let interrupted = message.flags() & NLM_F_DUMP_INTR != 0;
        Ok(Some(Answer {
            index: index as usize,
            interrupted,
            body,
        }))
    }
}

/// Why an exchange failed as a whole.
pub(super) enum Failure {
    /// The socket failed.
    Socket(Error),
    /// An answer could not be read.
    Malformed(DecodeError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Socket(error)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl Failure {
    /// The failure, as one of `request`.
    pub(super) fn of(self, request: &impl ToString) -> Error {
        match self {
            Self::Socket(error) => error,
            Self::Malformed(why) => Error::malformed(request, &why),
        }
    }
}

/// The messages of a datagram.
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

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

/// Reads an `NLMSG_ERROR` (of which 0 is a success) or an `NLMSG_DONE`.
fn verdict<'a>(message: &NetlinkBuffer<&[u8]>) -> Result<Body<'a>, DecodeError> {
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
        errno: Errno::from_raw(-status),
        message,
    })
}

/// The kernel's own words, which follow the status and, in an error, the refused request's header
/// and, unless capped, its body.
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

pub(super) fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Socket { doing, source }
}

/// Repeats a system call that a signal interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
