//! The probe server: answers each client with the client's source address.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::{io, thread};

use socket2::{Domain, Protocol, Socket, Type};

use super::LISTENING;
use crate::Result;
use crate::error::Doing;

/// Answers on these TCP and UDP ports until killed. Prints [`LISTENING`] when it listens.
pub fn serve(ports: &[u16]) -> Result {
    let listening = Listening::on(ports)?;
    writeln!(io::stdout(), "{LISTENING}").doing("printing that it listens")?;
    listening.answer();
    Ok(())
}

/// The sockets of each family that the kernel supports.
pub(super) struct Listening {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

impl Listening {
    /// Binds TCP and UDP, IPv4 and IPv6.
    pub(super) fn on(ports: &[u16]) -> Result<Self> {
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        for port in ports {
            let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port));
            tcp.push(TcpListener::from(bind(v4, Type::STREAM, Protocol::TCP)?));
            udp.push(UdpSocket::from(bind(v4, Type::DGRAM, Protocol::UDP)?));
            let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, *port));
            // A kernel without IPv6 has no such sockets, and no client uses it.
            if let Ok(socket) = bind(v6, Type::STREAM, Protocol::TCP) {
                tcp.push(socket.into());
                udp.push(bind(v6, Type::DGRAM, Protocol::UDP)?.into());
            }
        }
        Ok(Self { tcp, udp })
    }

    /// Answers all clients, with one thread for each socket.
    pub(super) fn answer(self) {
        thread::scope(|scope| {
            for listener in self.tcp {
                scope.spawn(move || {
                    for mut stream in listener.incoming().flatten() {
                        if let Ok(peer) = stream.peer_addr() {
                            let _ = writeln!(stream, "{}", peer.ip());
                        }
                    }
                });
            }
            for socket in self.udp {
                scope.spawn(move || {
                    loop {
                        if let Ok((_, peer)) = socket.recv_from(&mut [0; 64]) {
                            let _ = socket.send_to(peer.ip().to_string().as_bytes(), peer);
                        }
                    }
                });
            }
        });
    }
}

fn bind(address: SocketAddr, kind: Type, protocol: Protocol) -> Result<Socket> {
    let bound = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if kind == Type::STREAM {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;
        if kind == Type::STREAM {
            socket.listen(128)?;
        }
        Ok(socket)
    };
    bound().doing(format_args!("listening on {address}"))
}
