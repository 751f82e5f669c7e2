//! Address spoofing by a pod: handmade frames that bypass the pod's network stack, and a receiver
//! that prints what arrives.

mod advertise;
mod capture;
mod frame;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::str::FromStr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, sendto, socket,
};
use wire::netlink::Mac;

pub use advertise::advertise;
pub use capture::{capture, receive};

use crate::error::Doing;
use crate::{Error, Result};

/// The UDP destination port.
pub const PORT: u16 = 7071;

/// A datagram that is sent from one address to another. Its text form is `FROM,TARGET,TEXT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// The source address, which may belong to another host.
    pub from: IpAddr,
    /// The destination address, of the same family.
    pub target: IpAddr,
    /// The text.
    pub text: String,
}

impl FromStr for Datagram {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.splitn(3, ',').collect();
        let [from, target, text] = parts[..] else {
            return Err(Error::new(format!("{text:?} is not FROM,TARGET,TEXT")));
        };
        Ok(Self {
            from: from.parse().doing(from)?,
            target: target.parse().doing(target)?,
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.from, self.target, self.text)
    }
}

/// Sends the datagrams over UDP in frames of `interface` to the MAC `to`.
pub fn send(interface: &str, to: Mac, datagrams: &[Datagram]) -> Result {
    let link = RawSocket::find(interface)?;
    let mut datagrams = datagrams.iter();
    datagrams.try_for_each(|datagram| send_datagram(&link, to, datagram))
}

fn send_datagram(link: &RawSocket, to: Mac, datagram: &Datagram) -> Result {
    let packet = frame::udp(datagram.from, datagram.target, &datagram.text)
        .ok_or_else(|| Error::new(format!("{datagram}: the addresses are not of one family")))?;
    link.send(&frame::ethernet(
        link.mac,
        to,
        datagram.from.is_ipv6(),
        &packet,
    ))
}

/// Announces `addresses` to all neighbours on `interface`, by every message that could make them
/// believe it.
pub fn announce(interface: &str, addresses: &[IpAddr]) -> Result {
    let link = RawSocket::find(interface)?;
    let addresses = addresses.iter();
    let mut all = addresses.flat_map(|address| frame::announcements(link.mac, *address));
    all.try_for_each(|frame| link.send(&frame))
}

/// An interface to send frames on.
struct RawSocket {
    socket: OwnedFd,
    address: LinkAddr,
    mac: Mac,
}

impl RawSocket {
    fn find(name: &str) -> Result<Self> {
        let all = getifaddrs().doing("listing interfaces")?;
        let found = all
            .filter(|it| it.interface_name == name)
            .find_map(|it| it.address?.as_link_addr().copied());
        let address = found.ok_or_else(|| Error::new(format!("there is no interface {name}")))?;
        let mac = address.addr().map(Mac);
        Ok(Self {
            socket: packet_socket().doing("opening a packet socket")?,
            address,
            mac: mac.ok_or_else(|| Error::new(format!("{name} has no hardware address")))?,
        })
    }

    fn send(&self, frame: &[u8]) -> Result {
        let sent = sendto(
            self.socket.as_raw_fd(),
            frame,
            &self.address,
            MsgFlags::empty(),
        );
        sent.map(drop).doing("sending a frame")
    }
}

/// A packet socket, which sends and receives whole frames.
fn packet_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let all = SockProtocol::EthAll;
    Ok(socket(AddressFamily::Packet, SockType::Raw, flags, all)?)
}
