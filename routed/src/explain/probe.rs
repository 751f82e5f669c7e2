//! Probes a next hop: does it answer ARP or neighbour discovery, and a packet?

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Instant;

use wire::netlink::Error;

use super::facts::ProbeResult;
use crate::kernel::Netlink;
use crate::timeouts::{NEXT_HOP_POLL_INTERVAL, NEXT_HOP_PROBE_TIMEOUT};

/// The discard service (RFC 863). A host without it answers with an ICMP error, which is an answer
/// as well.
const DISCARD_PORT: u16 = 9;

/// Sends packets over the link `dev` until an answer arrives or the time is up.
pub(super) fn probe(kernel: &mut Netlink, address: IpAddr, dev: u32) -> Result<ProbeResult, Error> {
    let deadline = Instant::now() + NEXT_HOP_PROBE_TIMEOUT;
    let socket = probe_socket(address);
    loop {
        if let Ok(socket) = &socket {
            let sent = socket.send(b"\0").map(drop);
            let received = sent.and_then(|()| socket.recv(&mut [0; 64]).map(drop));
            let answered = received.map_or_else(
                |error| error.kind() == io::ErrorKind::ConnectionRefused,
                |()| true,
            );
            if answered {
                return Ok(ProbeResult::Answered);
            }
        }
        let neighbours = kernel.with(|socket| socket.neighbours(dev))?;
        let is_known = neighbours.iter().any(|it| it.address == address);
        if Instant::now() > deadline {
            return Ok(if is_known {
                ProbeResult::Silent
            } else {
                ProbeResult::Unresolved
            });
        }
        thread::sleep(NEXT_HOP_POLL_INTERVAL);
    }
}

fn probe_socket(address: IpAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if address.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect((address, DISCARD_PORT))?;
    socket.set_read_timeout(Some(NEXT_HOP_POLL_INTERVAL))?;
    Ok(socket)
}
