//! Netlink datagrams: sends requests and matches replies by sequence number.

use std::io;
use std::ops::ControlFlow;

use nix::errno::Errno;
use nix::libc::{MSG_DONTWAIT, MSG_TRUNC};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;
use rtnetlink::packet_core::{
    DecodeError, Emitable, NLM_F_ACK, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader,
    NetlinkSerializable,
};
use rtnetlink::sys;

use super::Error;
use crate::netlink::reply::{Messages, Reply};
use crate::timeouts::NETLINK_REPLY_TIMEOUT;

/// In bytes. The kernel sends listings in datagrams of up to 32 KiB (`netlink_recvmsg`); a single
/// message is longer only if a link has hundreds of alternative names.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// In bytes: room for a full batch of routes.
const SEND_BUFFER: usize = 8 * 1024;

/// A blocking netlink socket. It belongs to the network namespace it was opened in.
#[derive(Debug)]
pub(crate) struct Transport {
    socket: sys::Socket,
    /// Sequence numbers of the current exchange: the first, and the one after the last.
    first: u32,
    next: u32,
    outgoing: Vec<u8>,
    /// Where the last message of `outgoing` starts.
    last: usize,
    incoming: Vec<u8>,
}

impl Transport {
    /// Opens a socket of a netlink family such as `NETLINK_ROUTE`. It needs no bind or connect: the
    /// kernel binds it with the first datagram, whose default destination is the kernel.
    pub(crate) fn open(family: isize) -> Result<Self, Error> {
        let socket = sys::Socket::new(family).map_err(failed("open"))?;
        socket
            .set_ext_ack(true)
            .map_err(failed("enable extended acknowledgements"))?;
        socket
            .set_cap_ack(true)
            .map_err(failed("enable short acknowledgements"))?;
        // Kernels before 4.20 have no strict checks. Their listings are longer, not wrong: the
        // filters are applied here as well.
        let _ = socket.set_netlink_get_strict_chk(true);
        let timeout = TimeVal::new(NETLINK_REPLY_TIMEOUT.as_secs().cast_signed(), 0);
        setsockopt(&socket, sockopt::ReceiveTimeout, &timeout)
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

    /// Makes room for all queued messages in one datagram, as far as this process may.
    pub(crate) fn enlarge_send_buffer(&self) {
        let bytes = self.outgoing.len().max(SEND_BUFFER);
        // Beyond net.core.wmem_max, which is mostly enough, only root of the initial user namespace
        // may go.
        let _ = setsockopt(&self.socket, sockopt::SndBufForce, &bytes)
            .or_else(|_| setsockopt(&self.socket, sockopt::SndBuf, &bytes));
    }

    /// The socket, for what it receives without being asked.
    pub(crate) fn into_socket(self) -> sys::Socket {
        self.socket
    }

    /// Its port (`nlmsg_pid`); `None` before it is bound.
    pub(crate) fn port(&self) -> Option<u32> {
        let mut address = sys::SocketAddr::new(0, 0);
        self.socket.get_address(&mut address).ok()?;
        Some(address.port_number()).filter(|port| *port != 0)
    }

    /// Starts a new exchange: replies to earlier ones are ignored from now on.
    pub(crate) fn begin(&mut self) {
        self.outgoing.clear();
        self.first = self.next;
    }

    /// Adds a message to the datagram that [`Transport::exchange`] sends. It takes a reference
    /// because the code that clones rtnetlink's messages would be a twentieth of the plugin's size.
    pub(crate) fn queue(&mut self, message: &impl NetlinkSerializable, flags: u16) {
        let payload = self.frame(message.message_type(), flags, message.buffer_len());
        message.serialize(payload);
    }

    /// Appends a message header and space for `content` bytes.
    fn frame(&mut self, message_type: u16, flags: u16, content: usize) -> &mut [u8] {
        let mut header = NetlinkHeader::default();
        let length = header.buffer_len() + content;
        header.length = u32::try_from(length).expect("a message is shorter than 4 GiB");
        header.message_type = message_type;
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.next;
        self.last = self.outgoing.len();
        self.outgoing.resize(self.last + length, 0);
        self.next = self.next.wrapping_add(1);
        let message = &mut self.outgoing[self.last..];
        header.emit(message);
        &mut message[header.buffer_len()..]
    }

    /// Requests an acknowledgement for the message that was queued last.
    pub(crate) fn acknowledge(&mut self) {
        let mut message = NetlinkBuffer::new(&mut self.outgoing[self.last..]);
        message.set_flags(message.flags() | NLM_F_ACK);
    }

    /// Sends the queued messages and passes every reply to `on_answer` until that returns `Break`.
    /// Replies to earlier exchanges and messages of other programs are ignored.
    pub(crate) fn exchange(
        &mut self,
        mut on_answer: impl FnMut(Reply<'_>) -> Result<ControlFlow<()>, DecodeError>,
    ) -> Result<(), ExchangeError> {
        match self.exchange_dyn(&mut on_answer)? {
            None => Ok(()),
            Some(overrun) => Err(overrun.into()),
        }
    }

    /// As [`Transport::exchange`], for requests that may have more replies than the receive buffer
    /// holds: `on_answer` gets those that it holds, which are the first. Returns whether that was
    /// so.
    pub(crate) fn exchange_with_losses(
        &mut self,
        mut on_answer: impl FnMut(Reply<'_>) -> Result<ControlFlow<()>, DecodeError>,
    ) -> Result<Option<Error>, ExchangeError> {
        self.exchange_dyn(&mut on_answer)
    }

    /// Returns the overrun of the receive buffer, if there was one and `on_answer` did not return
    /// `Break`. Not generic: that would compile a copy for each kind of request.
    fn exchange_dyn(
        &mut self,
        on_answer: &mut dyn FnMut(Reply<'_>) -> Result<ControlFlow<()>, DecodeError>,
    ) -> Result<Option<Error>, ExchangeError> {
        self.send()?;
        let mut overrun = None;
        loop {
            let flags = if overrun.is_some() { MSG_DONTWAIT } else { 0 };
            match self.receive(flags) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(ExchangeError::Socket(error)) if error.errno() == Some(Errno::ENOBUFS) => {
                    overrun = Some(error);
                    continue;
                }
                // The kernel had processed everything when `send` returned: nothing follows.
                Err(ExchangeError::Socket(error))
                    if overrun.is_some() && error.errno() == Some(Errno::EAGAIN) =>
                {
                    return Ok(overrun);
                }
                Err(error) => return Err(error),
            }
            for message in Messages(&self.incoming) {
                let message = message?;
                let Some(answer) = Reply::read(&message, self.first, self.next)? else {
                    continue;
                };
                if on_answer(answer)?.is_break() {
                    return Ok(None);
                }
            }
        }
    }

    fn send(&self) -> Result<(), Error> {
        let sent =
            retry_interrupted(|| self.socket.send(&self.outgoing, 0)).map_err(failed("send"))?;
        if sent == self.outgoing.len() {
            Ok(())
        } else {
            Err(failed("send")(io::ErrorKind::WriteZero.into()))
        }
    }

    /// Whether the received datagram is from the kernel; those of other senders are dropped.
    fn receive(&mut self, flags: i32) -> Result<bool, ExchangeError> {
        let (length, sender) = retry_interrupted(|| {
            self.incoming.clear();
            self.socket.recv_from(&mut self.incoming, MSG_TRUNC | flags)
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
}

/// Why an exchange failed as a whole.
pub(crate) enum ExchangeError {
    /// The socket failed.
    Socket(Error),
    /// A reply could not be parsed.
    Malformed(DecodeError),
}

impl From<Error> for ExchangeError {
    fn from(error: Error) -> Self {
        Self::Socket(error)
    }
}

impl From<DecodeError> for ExchangeError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl ExchangeError {
    /// The error for `request`.
    pub(crate) fn into_error(self, request: &impl ToString) -> Error {
        match self {
            Self::Socket(error) => error,
            Self::Malformed(why) => Error::malformed(request, &why),
        }
    }
}

pub(crate) fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Socket { doing, source }
}

/// Repeats a system call that a signal interrupted.
pub(crate) fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests;
