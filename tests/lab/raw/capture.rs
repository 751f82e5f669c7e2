//! The receiver of datagrams that [`super::send`] sends.

use std::io::{self, Write};
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{LinkAddr, recvfrom};

use super::{PORT, frame, packet_socket};
use crate::Result;
use crate::error::Doing;
use crate::probe::LISTENING;

/// Larger than any frame that is looked for.
const MAX_FRAME: usize = 2048;

/// Prints a line for each frame on `interface` that carries a datagram of [`super::send`], with its
/// source address, until killed. Prints [`LISTENING`] when it listens.
pub fn capture(interface: &str) -> Result {
    let index = if_nametoindex(interface).doing(interface)?;
    let socket = packet_socket().doing("opening a packet socket")?;
    let mut out = io::stdout();
    writeln!(out, "{LISTENING}").doing("printing that it listens")?;
    let mut frame = [0; MAX_FRAME];
    loop {
        let (length, from) =
            recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut frame).doing("receiving")?;
        let is_here =
            from.is_some_and(|from| from.ifindex() == usize::try_from(index).unwrap_or(0));
        if let Some((source, text)) = frame::text(&frame[..length]).filter(|_| is_here) {
            writeln!(out, "{source} {text}").doing("printing a datagram")?;
        }
    }
}

/// As [`capture`], for datagrams that a UDP socket receives on any interface.
pub fn receive() -> Result {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT)).doing("listening")?;
    let mut out = io::stdout();
    writeln!(out, "{LISTENING}").doing("printing that it listens")?;
    let mut text = [0; MAX_FRAME];
    loop {
        let (length, from) = socket.recv_from(&mut text).doing("receiving")?;
        let (source, text) = (
            from.ip().to_canonical(),
            String::from_utf8_lossy(&text[..length]),
        );
        writeln!(out, "{source} {text}").doing("printing a datagram")?;
    }
}
