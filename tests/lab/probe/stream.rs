//! Traffic that goes on: a TCP connection that is used all the time, and datagrams that are sent from
//! the first moment at which there is an address to send from.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use super::LISTENING;
use crate::Result;
use crate::error::Doing;

/// How long an answer on a connection is waited for before it counts as cut: retransmissions on a busy
/// machine take less.
const CUT_AFTER: Duration = Duration::from_secs(2);

/// The time between two messages on a connection.
const MESSAGE_INTERVAL: Duration = Duration::from_millis(20);

/// The time after which an address to send from is looked for again.
const ADDRESS_INTERVAL: Duration = Duration::from_micros(200);

/// [`hold`] prints this when the connection answers, and when it no longer does.
pub const HOLDS: &str = "answered";
/// See [`HOLDS`].
pub const CUT: &str = "cut";

/// Sends back what each TCP client sends, until killed. Prints [`LISTENING`] when it listens.
pub fn echo(port: u16) -> Result {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).doing("listening")?;
    say(LISTENING)?;
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let mut back = stream.try_clone()?;
            io::copy(&mut &stream, &mut back)
        });
    }
    Ok(())
}

/// Connects to [`echo`] and exchanges messages until no answer comes.
pub fn hold(target: SocketAddr) -> Result {
    let mut stream = TcpStream::connect_timeout(&target, crate::DEADLINE).doing("connecting")?;
    stream
        .set_read_timeout(Some(CUT_AFTER))
        .doing("time limit")?;
    let mut is_first = true;
    while stream
        .write_all(b"x")
        .and_then(|()| stream.read_exact(&mut [0]))
        .is_ok()
    {
        if is_first {
            say(HOLDS)?;
            is_first = false;
        }
        thread::sleep(MESSAGE_INTERVAL);
    }
    say(CUT)
}

/// Sends datagrams to a target as soon as there is an address to send from, and for this long.
pub fn flood(target: SocketAddr, duration: Duration) -> Result {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let deadline = Instant::now() + crate::DEADLINE;
    let socket = loop {
        let socket = UdpSocket::bind((any, 0)).doing("a socket")?;
        let sent = socket.connect(target).and_then(|()| socket.send(b"leak"));
        match sent {
            Ok(_) => break socket,
            Err(error) if Instant::now() > deadline => return Err(error).doing("sending"),
            Err(_) => thread::sleep(ADDRESS_INTERVAL),
        }
    };
    let end = Instant::now() + duration;
    while Instant::now() < end {
        // The queue of the interface may be full.
        let _ = socket.send(b"leak");
        thread::sleep(ADDRESS_INTERVAL);
    }
    Ok(())
}

fn say(what: &str) -> Result {
    writeln!(io::stdout(), "{what}").doing("printing")
}
