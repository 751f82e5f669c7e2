//! The witness.

use std::io::{self, Write};
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{LinkAddr, recvfrom};

use super::{PORT, frame, packet_socket};
use crate::Result;
use crate::error::Doing;
use crate::probe::LISTENING;

/// Longer than the frames of which anybody wants to hear.
const LONGEST: usize = 2048;

/// Prints a line for each frame of `interface` that carries a word ([`super::say`]), with the
/// address it comes from, until killed. Says [`LISTENING`] as soon as it would.
pub fn hear(interface: &str) -> Result {
    let index = if_nametoindex(interface).doing(interface)?;
    let socket = packet_socket().doing("opening a packet socket")?;
    let mut out = io::stdout();
    writeln!(out, "{LISTENING}").doing("saying that it listens")?;
    let mut frame = [0; LONGEST];
    loop {
        let (length, from) =
            recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut frame).doing("hearing")?;
        let is_here =
            from.is_some_and(|from| from.ifindex() == usize::try_from(index).unwrap_or(0));
        if let Some((source, word)) = frame::word(&frame[..length]).filter(|_| is_here) {
            writeln!(out, "{source} {word}").doing("telling what was heard")?;
        }
    }
}

/// As [`hear`], for what a process gets to hear, through whatever interface.
pub fn listen() -> Result {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT)).doing("listening")?;
    let mut out = io::stdout();
    writeln!(out, "{LISTENING}").doing("saying that it listens")?;
    let mut word = [0; LONGEST];
    loop {
        let (length, from) = socket.recv_from(&mut word).doing("hearing")?;
        let (source, word) = (
            from.ip().to_canonical(),
            String::from_utf8_lossy(&word[..length]),
        );
        writeln!(out, "{source} {word}").doing("telling what was heard")?;
    }
}
