//! The reader of a group of logged packets.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::packet::LoggedPacket;
use crate::netfilter::attributes::Attributes;
use crate::netfilter::message::{self, NfnetlinkMessage};
use crate::netlink::Error;
use crate::netlink::subscription::Subscription;
use crate::netlink::transport::Transport;

/// `NFNL_SUBSYS_ULOG`; `NFULNL_MSG_PACKET`, `NFULNL_MSG_CONFIG`.
const SUBSYSTEM: u16 = 4;
const PACKET: u16 = 0;
const CONFIGURE: u16 = 1;

/// `NFULA_CFG_CMD`, and `NFULNL_CFG_CMD_BIND`.
const COMMAND: u16 = 1;
const BIND: u8 = 1;

/// `NFULA_CFG_MODE`, and `NFULNL_COPY_PACKET`.
const MODE: u16 = 2;
const COPY_PACKET: u8 = 2;

/// `NFULA_CFG_TIMEOUT`, in 1/100 s: after this time the kernel sends what it has collected.
const TIMEOUT: u16 = 4;
const FLUSH_AFTER: u32 = 10;

/// How much of each packet, in bytes: an IPv6 header, 200 bytes of extension headers, and the ports.
const SNAP_LENGTH: u32 = 256;

/// In bytes. The kernel collects packets up to a page; a packet with its attributes is shorter.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// A non-blocking reader of the packets that rules log to one group.
///
/// Its descriptor becomes readable with the next packets, for `poll` or tokio's `AsyncFd`; that is up
/// to a tenth of a second after them, because the kernel collects up to 100.
#[derive(Debug)]
pub struct PacketLog {
    subscription: Subscription,
}

impl PacketLog {
    /// Begins to read a group in the network namespace of the calling thread. A group has one
    /// reader, until its descriptor is closed.
    ///
    /// # Errors
    /// `EPERM` if the group has a reader, or if this process lacks `CAP_NET_ADMIN`.
    pub fn bind(group: u16) -> Result<Self, Error> {
        let [a, b, c, d] = SNAP_LENGTH.to_be_bytes();
        let attributes = Attributes::default()
            .byte(COMMAND, BIND)
            .bytes(MODE, &[a, b, c, d, COPY_PACKET, 0])
            .number(TIMEOUT, FLUSH_AFTER);
        let configure = NfnetlinkMessage::new(SUBSYSTEM, CONFIGURE, 0, attributes).about(group);
        let mut transport = Transport::open(NETLINK_NETFILTER)?;
        transport
            .apply(&configure, &format_args!("nflog: bind group {group}"))
            .map_err(explained)?;
        let subscription = Subscription::after_request(transport, RECEIVE_BUFFER)?;
        Ok(Self { subscription })
    }

    /// Passes all pending packets to `on_packet` without waiting. Returns whether packets were lost,
    /// because they came faster than they were read.
    pub fn drain(&mut self, mut on_packet: impl FnMut(LoggedPacket<'_>)) -> Result<bool, Error> {
        self.subscription.drain(|received| {
            if message::kind_of(SUBSYSTEM, received.message_type()) == Some(PACKET) {
                on_packet(LoggedPacket::parse(received.payload()));
            }
        })
    }
}

/// The kernel gives no explanation of its own (`nfulnl_recv_config`).
fn explained(error: Error) -> Error {
    match error {
        Error::Refused {
            index,
            request,
            errno: errno @ (Errno::EPERM | Errno::EBUSY),
            message: None,
        } => Error::Refused {
            index,
            request,
            errno,
            message: Some(
                "another program reads this group, or CAP_NET_ADMIN is missing".to_owned(),
            ),
        },
        other => other,
    }
}

impl AsFd for PacketLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.subscription.as_fd()
    }
}

impl AsRawFd for PacketLog {
    fn as_raw_fd(&self) -> RawFd {
        self.subscription.as_raw_fd()
    }
}
