//! ICMP echo over raw sockets: every process in a lab is root, and `ping_group_range` of a new
//! namespace is empty.

use std::io::{self, ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::process;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::query::is_timeout;

/// The interval after which an echo request is sent again.
const RESEND_INTERVAL: Duration = Duration::from_millis(250);

/// The number of timed round trips. The first one includes neighbour discovery.
const ROUND_TRIPS: usize = 3;

/// The shortest round-trip time to `target` in microseconds. `number` distinguishes the caller's
/// targets.
pub(super) fn ping(target: IpAddr, number: usize, limit: Duration) -> io::Result<u64> {
    let kind = if target.is_ipv4() {
        Protocol::ICMPV4
    } else {
        Protocol::ICMPV6
    };
    let socket = Socket::new(
        Domain::for_address((target, 0).into()),
        Type::RAW,
        Some(kind),
    )?;
    // A connected socket receives packets of this target only.
    socket.connect(&SocketAddr::new(target, 0).into())?;
    socket.set_read_timeout(Some(RESEND_INTERVAL))?;
    let echo = Echo {
        v4: target.is_ipv4(),
        identifier: identifier(number),
    };
    let deadline = Instant::now() + limit;
    let mut times = Vec::new();
    for sequence in 0.. {
        let sent = Instant::now();
        match echo.round_trip(&socket, sequence) {
            Ok(()) => times.push(sent.elapsed()),
            Err(error) if !is_timeout(&error) => return Err(error),
            Err(_) => {}
        }
        if times.len() == ROUND_TRIPS || Instant::now() >= deadline {
            break;
        }
    }
    let best = times.into_iter().min().ok_or(ErrorKind::TimedOut)?;
    u64::try_from(best.as_micros()).map_err(io::Error::other)
}

/// An identifier that is unique among the pings of this process, and most likely among those of
/// others.
fn identifier(number: usize) -> u16 {
    let process = process::id().to_be_bytes();
    let number = number.to_be_bytes();
    u16::from_be_bytes([process[2] ^ number[7], process[3] ^ number[6]])
}

/// A sequence of echo requests.
struct Echo {
    v4: bool,
    identifier: u16,
}

impl Echo {
    fn round_trip(&self, socket: &Socket, sequence: u16) -> io::Result<()> {
        socket.send(&self.request(sequence))?;
        let until = Instant::now() + RESEND_INTERVAL;
        let mut packet = [0; 256];
        loop {
            let length = (&mut &*socket).read(&mut packet)?;
            if self.is_reply(&packet[..length], sequence) {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    /// An echo request (RFC 792, RFC 4443). The kernel fills in the checksum for IPv6.
    fn request(&self, sequence: u16) -> [u8; 8] {
        let [id_high, id_low] = self.identifier.to_be_bytes();
        let [seq_high, seq_low] = sequence.to_be_bytes();
        let kind = if self.v4 { 8 } else { 128 };
        let words = [u16::from(kind) << 8, self.identifier, sequence];
        let [sum_high, sum_low] = if self.v4 { checksum(words) } else { 0 }.to_be_bytes();
        [
            kind, 0, sum_high, sum_low, id_high, id_low, seq_high, seq_low,
        ]
    }

    /// Whether `packet` answers request `sequence`. A raw IPv4 socket gets the IP header too.
    fn is_reply(&self, packet: &[u8], sequence: u16) -> bool {
        let header = match packet.first() {
            Some(first) if self.v4 => usize::from(first & 0x0f) * 4,
            _ => 0,
        };
        let expected = if self.v4 { 0 } else { 129 };
        matches!(packet.get(header..header + 8), Some([kind, 0, _, _, a, b, c, d])
            if *kind == expected
                && [*a, *b] == self.identifier.to_be_bytes()
                && [*c, *d] == sequence.to_be_bytes())
    }
}

/// The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum.
fn checksum(words: [u16; 3]) -> u16 {
    !words.into_iter().fold(0_u16, |sum, word| {
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}

#[cfg(test)]
mod tests;
