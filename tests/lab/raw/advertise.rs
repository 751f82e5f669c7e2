//! A router that advertises.

use std::io::{self, Write};
use std::net::Ipv6Addr;
use std::os::fd::AsRawFd;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{LinkAddr, recvfrom};

use super::{RawSocket, frame};
use crate::Result;
use crate::error::Doing;
use crate::probe::LISTENING;

/// Longer than any router solicitation.
const LONGEST: usize = 2048;

/// Advertises on `interface` at once, and again for each router solicitation there, until killed: a
/// router for `default` seconds, and a prefix whose addresses are valid for `valid` seconds. Prints a
/// line for each solicitation.
pub fn advertise(interface: &str, default: u16, prefix: Ipv6Addr, valid: u32) -> Result {
    let link = RawSocket::find(interface)?;
    let index = if_nametoindex(interface).doing(interface)?;
    let advertisement = frame::advertisement(link.mac, default, prefix, valid);
    link.send(&advertisement)?;
    let mut out = io::stdout();
    writeln!(out, "{LISTENING}").doing("saying that it listens")?;
    let mut frame = [0; LONGEST];
    loop {
        let (length, from) =
            recvfrom::<LinkAddr>(link.socket.as_raw_fd(), &mut frame).doing("receiving")?;
        let is_here =
            from.is_some_and(|from| from.ifindex() == usize::try_from(index).unwrap_or(0));
        if is_here && frame::is_solicitation(&frame[..length]) {
            writeln!(out, "solicited").doing("saying so")?;
            link.send(&advertisement)?;
        }
    }
}
