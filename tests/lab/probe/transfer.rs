//! A transfer of a number of bytes, to measure throughput.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use super::LISTENING;
use crate::error::Doing;
use crate::{Error, Result};

/// How long either side waits for the other to send or receive.
const IO_TIMEOUT: Duration = Duration::from_secs(20);

/// The direction of the bytes, as seen by the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferDirection {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

impl fmt::Display for TransferDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Up => "up",
        })
    }
}

impl FromStr for TransferDirection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Down, Self::Up]
            .into_iter()
            .find(|direction| direction.to_string() == text)
            .ok_or_else(|| Error::new(format!("bytes go down or up, not {text:?}")))
    }
}

/// Sends or receives what each client requests, on TCP port `port`, until killed. Prints
/// [`LISTENING`] when it listens.
pub fn serve_transfers(port: u16) -> Result {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).doing("listening")?;
    writeln!(io::stdout(), "{LISTENING}").doing("printing that it listens")?;
    for stream in listener.incoming().flatten() {
        // A client may go away at any time.
        thread::spawn(move || serve_client(stream));
    }
    Ok(())
}

/// Transfers `bytes` and returns the time from the connection to the arrival of the last byte.
pub fn transfer(to: SocketAddr, direction: TransferDirection, bytes: u64) -> Result<Duration> {
    let start = Instant::now();
    let all = || -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&to, IO_TIMEOUT)?;
        set_timeouts(&stream)?;
        stream.write_all(&[u8::from(direction == TransferDirection::Up)])?;
        stream.write_all(&bytes.to_be_bytes())?;
        match direction {
            TransferDirection::Down => receive_bytes(&mut stream, bytes),
            TransferDirection::Up => {
                send_bytes(&mut stream, bytes)?;
                // A client that sent the bytes waits for a confirmation that the last one arrived.
                stream.read_exact(&mut [0])
            }
        }
    };
    all().doing(format!("{bytes} bytes {direction}, {to}"))?;
    Ok(start.elapsed())
}

/// The server's side.
fn serve_client(mut stream: TcpStream) -> io::Result<()> {
    set_timeouts(&stream)?;
    let (mut up, mut bytes) = ([0], [0; 8]);
    stream.read_exact(&mut up)?;
    stream.read_exact(&mut bytes)?;
    let bytes = u64::from_be_bytes(bytes);
    if up == [0] {
        return send_bytes(&mut stream, bytes);
    }
    receive_bytes(&mut stream, bytes)?;
    stream.write_all(&[0])
}

fn set_timeouts(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(IO_TIMEOUT))?;
    stream.set_write_timeout(Some(IO_TIMEOUT))
}

fn send_bytes(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::repeat(0).take(bytes), stream).map(drop)
}

fn receive_bytes(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    let taken = io::copy(&mut stream.take(bytes), &mut io::sink())?;
    if taken == bytes {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
