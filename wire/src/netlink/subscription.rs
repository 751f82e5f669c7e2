//! Netlink messages that are not replies: a socket that receives the events of some groups, or what
//! it has subscribed to by a request.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::packet_core::NetlinkBuffer;
use rtnetlink::sys::{self, SocketAddr};

use super::Error;
use super::transport::{Transport, failed, retry_interrupted};
use crate::netlink::reply::Messages;

/// In bytes: room for the events of some ten thousand routes that another program changes at once.
/// The kernel allocates it only as it is used.
const KERNEL_BUFFER: usize = 8 * 1024 * 1024;

/// A non-blocking subscription to messages of a netlink family.
#[derive(Debug)]
pub(crate) struct Subscription {
    socket: sys::Socket,
    /// The port of the socket whose changes are skipped.
    ignored: Option<u32>,
    incoming: Vec<u8>,
}

impl Subscription {
    /// Subscribes in the network namespace of the calling thread to the groups whose bits are set.
    /// `buffer` is the longest datagram in bytes; one may hold several messages.
    pub(crate) fn open(family: isize, groups: u32, buffer: usize) -> Result<Self, Error> {
        let mut socket = sys::Socket::new(family).map_err(failed("open"))?;
        Self::prepare(&socket)?;
        socket
            .bind(&SocketAddr::new(0, groups))
            .map_err(failed("subscribe"))?;
        Ok(Self::of(socket, buffer))
    }

    /// To what a request through `transport` made the kernel send to it.
    pub(crate) fn after_request(transport: Transport, buffer: usize) -> Result<Self, Error> {
        let socket = transport.into_socket();
        Self::prepare(&socket)?;
        Ok(Self::of(socket, buffer))
    }

    fn prepare(socket: &sys::Socket) -> Result<(), Error> {
        socket
            .set_non_blocking(true)
            .map_err(failed("make non-blocking"))?;
        // Beyond net.core.rmem_max only root of the initial user namespace may go.
        setsockopt(socket, sockopt::RcvBufForce, &KERNEL_BUFFER)
            .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &KERNEL_BUFFER))
            .map_err(|errno| failed("enlarge the receive buffer")(errno.into()))
    }

    fn of(socket: sys::Socket, buffer: usize) -> Self {
        Self {
            socket,
            ignored: None,
            incoming: Vec::with_capacity(buffer),
        }
    }

    /// Skips changes made through the socket with that port, and only that one.
    pub(crate) fn ignore(&mut self, port: Option<u32>) {
        self.ignored = port;
    }

    /// Passes all pending messages to `on_message` without waiting. Returns whether messages were
    /// lost.
    pub(crate) fn drain(
        &mut self,
        mut on_message: impl FnMut(&NetlinkBuffer<&[u8]>),
    ) -> Result<bool, Error> {
        let mut lost = false;
        loop {
            let received = retry_interrupted(|| {
                self.incoming.clear();
                self.socket.recv(&mut self.incoming, 0)
            });
            match received {
                Ok(_) => {
                    for message in Messages(&self.incoming) {
                        match message {
                            Ok(message) if self.ignored == Some(message.port_number()) => {}
                            Ok(message) => on_message(&message),
                            Err(_) => lost = true,
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(lost),
                Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => lost = true,
                Err(error) => return Err(failed("receive")(error)),
            }
        }
    }
}

impl AsFd for Subscription {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Subscription {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
