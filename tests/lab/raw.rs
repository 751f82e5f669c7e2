//! What an attacker in a pod does: frames made by hand, past the pod's own network stack; and a
//! witness of what arrives.

mod advertise;
mod frame;
mod hear;

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
pub use hear::{hear, listen};

use crate::error::Doing;
use crate::{Error, Result};

/// The UDP port that words go to.
pub const PORT: u16 = 7071;

/// A word that is sent from one address to another. It is written `FROM,TARGET,WORD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The address it pretends to come from.
    pub from: IpAddr,
    /// Where it goes, of the same family.
    pub target: IpAddr,
    /// The word.
    pub word: String,
}

impl FromStr for Word {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.splitn(3, ',').collect();
        let [from, target, word] = parts[..] else {
            return Err(Error::new(format!("{text:?} is not FROM,TARGET,WORD")));
        };
        Ok(Self {
            from: from.parse().doing(from)?,
            target: target.parse().doing(target)?,
            word: word.to_owned(),
        })
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.from, self.target, self.word)
    }
}

/// Sends a word by UDP in a frame of `interface` to the hardware address `to`.
pub fn say(interface: &str, to: Mac, word: &Word) -> Result {
    let link = Link::find(interface)?;
    let packet = frame::udp(word.from, word.target, &word.word)
        .ok_or_else(|| Error::new(format!("{word}: not of one family")))?;
    link.send(&frame::ethernet(link.mac, to, word.from.is_ipv6(), &packet))
}

/// Says that `address` is behind `interface`, to everybody there, in every way there is.
pub fn claim(interface: &str, address: IpAddr) -> Result {
    let link = Link::find(interface)?;
    let all = frame::claims(link.mac, address);
    all.iter().try_for_each(|frame| link.send(frame))
}

/// An interface that frames go out of.
struct Link {
    socket: OwnedFd,
    address: LinkAddr,
    mac: Mac,
}

impl Link {
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

/// A socket that sends and receives whole frames.
fn packet_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let all = SockProtocol::EthAll;
    Ok(socket(AddressFamily::Packet, SockType::Raw, flags, all)?)
}
