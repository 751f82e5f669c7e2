//! An echo server, and a client that measures round trips and connections.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::figures::Samples;

/// The port of the server.
const PORT: u16 = 7171;

/// The client's measurements.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answers {
    /// One byte there and back, on one connection.
    pub(crate) round_trips: Samples,
    /// Connections a second: opened, used for one byte each way, and closed, one after the other.
    pub(crate) connections_per_second: f64,
}

/// Echoes everything until killed.
pub(crate) fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, PORT))?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || echo(stream));
    }
    Ok(())
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut byte = [0; 1];
    while stream.read(&mut byte)? > 0 {
        stream.write_all(&byte)?;
    }
    Ok(())
}

/// Measures the server at `server`: round trips for `time`, then connections for `time`.
pub(crate) fn query(server: IpAddr, time: Duration) -> io::Result<Answers> {
    let server = SocketAddr::new(server, PORT);
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let (start, mut round_trips) = (Instant::now(), Vec::new());
    while start.elapsed() < time {
        let sent = Instant::now();
        round_trip(&mut stream)?;
        round_trips.push(sent.elapsed());
    }
    let (start, mut connections) = (Instant::now(), 0);
    while start.elapsed() < time {
        round_trip(&mut TcpStream::connect(server)?)?;
        connections += 1;
    }
    Ok(Answers {
        round_trips: round_trips.into_iter().collect(),
        connections_per_second: f64::from(connections) / start.elapsed().as_secs_f64(),
    })
}

fn round_trip(stream: &mut TcpStream) -> io::Result<()> {
    let mut byte = [7; 1];
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)
}
