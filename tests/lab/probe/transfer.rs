//! A transfer of so many bytes, to measure how fast a way is.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use super::LISTENING;
use crate::error::Doing;
use crate::{Error, Result};

/// How long either side waits for the other to move.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which way the bytes go, as seen by who asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Up => "up",
        })
    }
}

impl FromStr for Direction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Down, Self::Up]
            .into_iter()
            .find(|direction| direction.to_string() == text)
            .ok_or_else(|| Error::new(format!("bytes go down or up, not {text:?}")))
    }
}

/// Gives and takes what each client asks for, on TCP port `port`, until killed. Says [`LISTENING`]
/// as soon as it would.
pub fn serve_transfers(port: u16) -> Result {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).doing("listening")?;
    writeln!(io::stdout(), "{LISTENING}").doing("saying that it listens")?;
    for stream in listener.incoming().flatten() {
        // A client that goes away is its own business.
        thread::spawn(move || take_part(stream));
    }
    Ok(())
}

/// Transfers `bytes` and says how long it took, from the connection to the last byte's arrival.
pub fn transfer(to: SocketAddr, direction: Direction, bytes: u64) -> Result<Duration> {
    let start = Instant::now();
    let all = || -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        be_patient(&stream)?;
        stream.write_all(&[u8::from(direction == Direction::Up)])?;
        stream.write_all(&bytes.to_be_bytes())?;
        match direction {
            Direction::Down => take(&mut stream, bytes),
            Direction::Up => {
                give(&mut stream, bytes)?;
                // Who sent the last byte has not seen it arrive.
                stream.read_exact(&mut [0])
            }
        }
    };
    all().doing(format!("{bytes} bytes {direction}, {to}"))?;
    Ok(start.elapsed())
}

/// The server's part.
fn take_part(mut stream: TcpStream) -> io::Result<()> {
    be_patient(&stream)?;
    let (mut up, mut bytes) = ([0], [0; 8]);
    stream.read_exact(&mut up)?;
    stream.read_exact(&mut bytes)?;
    let bytes = u64::from_be_bytes(bytes);
    if up == [0] {
        return give(&mut stream, bytes);
    }
    take(&mut stream, bytes)?;
    stream.write_all(&[0])
}

fn be_patient(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

fn give(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::repeat(0).take(bytes), stream).map(drop)
}

fn take(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    let taken = io::copy(&mut stream.take(bytes), &mut io::sink())?;
    if taken == bytes {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
