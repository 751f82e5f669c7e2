//! A TCP proxy that delays every answer of a server by a fixed time, however many answers are under
//! way. Requests are passed on at once.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::error::Doing;
use crate::probe::LISTENING;

/// Passes connections to `listen` on to `to` and the answers back `delay` later, until killed.
/// Prints [`LISTENING`] when it accepts connections.
pub fn delay(listen: SocketAddr, to: SocketAddr, delay: Duration) -> Result {
    let listener = TcpListener::bind(listen).doing(listen)?;
    writeln!(io::stdout(), "{LISTENING}").doing("printing that it listens")?;
    loop {
        let (client, _) = listener.accept().doing(listen)?;
        let Ok(server) = TcpStream::connect(to) else {
            // Dropping the client's connection closes it.
            continue;
        };
        for (from, to, delay) in [
            (client.try_clone(), server.try_clone(), Duration::ZERO),
            (Ok(server), Ok(client), delay),
        ] {
            let (from, to) = (from.doing(listen)?, to.doing(listen)?);
            thread::spawn(move || pass(from, to, delay));
        }
    }
}

/// Copies one direction of a connection until its end.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (read, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (at, bytes) in due {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // Close the other direction too: gRPC cannot use half a connection.
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let passed = (Instant::now() + delay, buffer[..length].to_vec());
        if read.send(passed).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
}
