//! The probe client: queries many targets, each by TCP, UDP and ping.

use std::io::{self, ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::str;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::{ProbeAnswer, ProbeRequest, icmp};

/// The interval after which a lost datagram is sent again.
const RESEND_INTERVAL: Duration = Duration::from_millis(250);

/// Queries every target and waits for the answers, at most three times the limit if pings are
/// answered quickly.
///
/// All targets are queried by TCP and UDP in parallel. Then those that answered are pinged one
/// after the other, so that the times measure the network and not a busy processor, until one does
/// not answer. The others are pinged in parallel, as that may take long.
pub fn query(request: &ProbeRequest) -> Vec<ProbeAnswer> {
    let ProbeRequest { port, targets, .. } = request;
    let limit = request.limit();
    thread::scope(|scope| {
        let spawn = |&target: &IpAddr| {
            let to = SocketAddr::new(target, *port);
            (
                target,
                scope.spawn(move || tcp(to, limit)),
                scope.spawn(move || udp(to, limit)),
            )
        };
        let queried: Vec<_> = targets.iter().map(spawn).collect();
        let answered = queried.into_iter().map(|(target, tcp, udp)| ProbeAnswer {
            target,
            ping: Err("not queried".to_owned()),
            tcp: joined(tcp),
            udp: joined(udp),
        });
        let mut answers: Vec<ProbeAnswer> = answered.collect();
        if !request.ping {
            return answers;
        }
        let (alive, mut rest): (Vec<_>, Vec<_>) = answers
            .iter_mut()
            .enumerate()
            .partition(|(_, answer)| answer.is_answered());
        let mut alive = alive.into_iter();
        for (number, answer) in alive.by_ref() {
            let ping = icmp::ping(answer.target, number, limit);
            let silent = ping.as_ref().is_err_and(is_timeout);
            answer.ping = ping.map_err(|e| words(&e));
            if silent {
                break;
            }
        }
        rest.extend(alive);
        let late = rest.into_iter().map(|(number, answer)| {
            let target = answer.target;
            (
                answer,
                scope.spawn(move || icmp::ping(target, number, limit)),
            )
        });
        for (answer, ping) in late.collect::<Vec<_>>() {
            answer.ping = joined(ping);
        }
        answers
    })
}

fn joined<T>(querying: ScopedJoinHandle<'_, io::Result<T>>) -> Result<T, String> {
    let outcome = querying.join();
    outcome
        .unwrap_or_else(|_| Err(io::Error::other("the probe panicked")))
        .map_err(|e| words(&e))
}

fn words(error: &io::Error) -> String {
    if is_timeout(error) {
        "no answer".to_owned()
    } else {
        error.to_string()
    }
}

fn tcp(to: SocketAddr, limit: Duration) -> io::Result<IpAddr> {
    let deadline = Instant::now() + limit;
    let mut stream = TcpStream::connect_timeout(&to, limit)?;
    let mut seen = Vec::new();
    let mut piece = [0; 64];
    // Another server on the port may send a little at a time, or never stop.
    while seen.len() < piece.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => break,
            length => seen.extend_from_slice(&piece[..length]),
        }
    }
    address(&seen)
}

fn udp(to: SocketAddr, limit: Duration) -> io::Result<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(RESEND_INTERVAL))?;
    let deadline = Instant::now() + limit;
    let mut reply = [0; 64];
    loop {
        match socket
            .send(b"who am i")
            .and_then(|_| socket.recv(&mut reply))
        {
            Ok(length) => return address(&reply[..length]),
            Err(error) if !is_timeout(&error) || Instant::now() >= deadline => return Err(error),
            Err(_) => {}
        }
    }
}

fn address(reply: &[u8]) -> io::Result<IpAddr> {
    let text = str::from_utf8(reply).map_err(io::Error::other)?;
    text.trim().parse().map_err(io::Error::other)
}

/// Whether a socket's time limit ran out, as opposed to another error.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
