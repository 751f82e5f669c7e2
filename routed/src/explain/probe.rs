//! Whether the next hop answers.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use wire::netlink::Error;

use crate::explain::ProbeResult;
use crate::kernel::Netlink;

/// How long the next hop has to answer. The kernel asks for a hardware address three times, a
/// second apart.
const PATIENCE: Duration = Duration::from_secs(4);

/// Between looks at what became of that.
const PACE: Duration = Duration::from_millis(50);

/// The discard service (RFC 863): who has none of it answers with an ICMP error, which is an
/// answer as well.
const DISCARD: u16 = 9;

/// Sends something and sees whether it is answered.
pub(super) fn probe(kernel: &mut Netlink, address: IpAddr, dev: u32) -> Result<ProbeResult, Error> {
    let deadline = Instant::now() + PATIENCE;
    let socket = probe_socket(address);
    loop {
        if let Ok(socket) = &socket {
            let sent = socket.send(b"\0").map(drop);
            let heard = sent.and_then(|()| socket.recv(&mut [0; 64]).map(drop));
            let answered = heard.map_or_else(
                |error| error.kind() == io::ErrorKind::ConnectionRefused,
                |()| true,
            );
            if answered {
                return Ok(ProbeResult::Alive);
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
        thread::sleep(PACE);
    }
}

fn probe_socket(address: IpAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if address.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect((address, DISCARD))?;
    socket.set_read_timeout(Some(PACE))?;
    Ok(socket)
}
