//! Connection tracking, against the kernel and real connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use wire::IpProtocol;
use wire::conntrack::{ConntrackEntry, ConntrackSocket};
use wire::netns::Netns;
use wire::nft::{TableFamily, TableId};

use crate::nft::{nft, socket};
use crate::support::{ip, netns, netns_with_loopback, wait_until_local};

/// Lets established connections pass, as a policy does.
const TRACKING: &str = "table inet tracked { chain in { type filter hook input priority filter; \
                        ct state established,related accept; }; }";

/// Both ends of a connection.
struct TcpConnection {
    client: TcpStream,
    server: TcpStream,
}

impl TcpConnection {
    /// Connects to a server at `local`, by another address if a rule translates that.
    fn open(namespace: &Netns, local: &str, by: Option<&str>) -> Self {
        let open = || {
            let listener = TcpListener::bind(local).unwrap();
            let address = listener.local_addr().unwrap();
            let by = by.map_or(address, |by| by.parse().unwrap());
            let client = TcpStream::connect(by).unwrap();
            let (server, _) = listener.accept().unwrap();
            Self { client, server }
        };
        namespace.run(open).unwrap()
    }

    fn client_address(&self) -> SocketAddr {
        self.client.local_addr().unwrap()
    }

    /// Sends a letter there and back.
    fn check(&mut self) {
        for stream in [&self.client, &self.server] {
            let timeout = Duration::from_secs(10);
            stream.set_read_timeout(Some(timeout)).unwrap();
        }
        let mut letter = [0];
        self.client.write_all(b"x").unwrap();
        self.server.read_exact(&mut letter).unwrap();
        self.server.write_all(&letter).unwrap();
        self.client.read_exact(&mut letter).unwrap();
        assert_eq!(&letter, b"x");
    }

    fn is_of(&self, entry: &ConntrackEntry) -> bool {
        let address = self.client_address();
        entry.original.source == address.ip()
            && entry.original.ports.map(|(from, _)| from) == Some(address.port())
    }
}

fn tracking(namespace: &Netns) -> ConntrackSocket {
    namespace.run(ConntrackSocket::open).unwrap().unwrap()
}

fn entries(socket: &mut ConntrackSocket) -> Vec<ConntrackEntry> {
    let mut all = Vec::new();
    socket.dump(|entry| all.push(entry)).unwrap();
    all
}

#[test]
fn entries_exist_once_a_rule_uses_tracking() {
    let (namespace, mut links) = netns_with_loopback();
    wait_until_local(&mut links, "::1");
    let mut conntrack = tracking(&namespace);
    let mut untracked = TcpConnection::open(&namespace, "127.0.0.1:0", None);
    untracked.check();
    assert_eq!(entries(&mut conntrack), []);

    nft(&namespace, TRACKING);
    let connections = ["127.0.0.1:0", "[::1]:0"].map(|local| {
        let mut connection = TcpConnection::open(&namespace, local, None);
        connection.check();
        connection
    });

    let all = entries(&mut conntrack);
    for connection in &connections {
        let found = all.iter().find(|entry| connection.is_of(entry)).unwrap();
        let server = connection.server.local_addr().unwrap();
        let (client, port) = (connection.client_address(), server.port());
        assert_eq!(found.original.destination, server.ip());
        assert_eq!(found.original.ports, Some((client.port(), port)));
        assert_eq!(found.original.protocol, IpProtocol::TCP);
        assert_eq!(found.reply.source, server.ip());
        assert_eq!(found.reply.ports, Some((port, client.port())));
    }
}

#[test]
fn only_the_deleted_connection_is_cut() {
    let (namespace, mut links) = netns_with_loopback();
    wait_until_local(&mut links, "::1");
    nft(&namespace, TRACKING);
    let mut connections = ["127.0.0.1:0", "127.0.0.1:0", "[::1]:0", "[::1]:0"]
        .map(|local| TcpConnection::open(&namespace, local, None));
    // From now on only what is established passes.
    nft(
        &namespace,
        "add rule inet tracked in tcp dport 1-65535 counter drop",
    );
    connections.iter_mut().for_each(TcpConnection::check);
    let mut conntrack = tracking(&namespace);
    let is_chosen = |index: usize| [0, 2].contains(&index);
    let chosen = |connections: &[TcpConnection], entry: &ConntrackEntry| {
        let mut all = connections.iter().enumerate();
        all.any(|(index, connection)| is_chosen(index) && connection.is_of(entry))
    };
    let mut found = entries(&mut conntrack);
    found.retain(|entry| chosen(&connections, entry));

    assert_eq!(conntrack.delete(&found).unwrap(), 2);
    assert_eq!(conntrack.delete(&found).unwrap(), 0, "they are gone");

    let left = entries(&mut conntrack);
    assert!(!left.iter().any(|entry| chosen(&connections, entry)));
    for (index, connection) in connections.iter_mut().enumerate() {
        if !is_chosen(index) {
            connection.check();
        }
    }
    let mut counters = socket(&namespace);
    let table = TableId::new(TableFamily::Inet, "tracked");
    let deadline = Instant::now() + Duration::from_secs(10);
    for index in [0, 2] {
        let before = counters.counters(&table).unwrap()[0].packets;
        connections[index].client.write_all(b"x").unwrap();
        while counters.counters(&table).unwrap()[0].packets == before {
            assert!(Instant::now() < deadline, "nothing was dropped");
            thread::yield_now();
        }
        let server = &mut connections[index].server;
        server.set_nonblocking(true).unwrap();
        let received = server.read(&mut [0]).unwrap_err();
        assert_eq!(received.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn entry_of_a_service_has_the_pod_in_its_reply_tuple() {
    let (namespace, _) = netns_with_loopback();
    ip(&namespace, "address add 10.0.0.1/32 dev lo");
    ip(&namespace, "route add 10.96.0.1/32 dev lo src 10.0.0.1");
    nft(
        &namespace,
        "table ip nat { chain out { type nat hook output priority -100; \
         ip daddr 10.96.0.1 tcp dport 80 dnat to 10.0.0.1:8080; }; }",
    );
    let mut connection = TcpConnection::open(&namespace, "10.0.0.1:8080", Some("10.96.0.1:80"));
    connection.check();
    let mut conntrack = tracking(&namespace);

    let all = entries(&mut conntrack);

    let found = all.iter().find(|entry| connection.is_of(entry)).unwrap();
    let port = connection.client_address().port();
    assert_eq!(
        [found.original, found.reply].map(|tuple| tuple.to_string()),
        [
            format!("tcp src=10.0.0.1 dst=10.96.0.1 sport={port} dport=80"),
            format!("tcp src=10.0.0.1 dst=10.0.0.1 sport=8080 dport={port}"),
        ]
    );
}

#[test]
fn entries_of_all_protocols_are_deleted() {
    let (namespace, _) = netns_with_loopback();
    nft(&namespace, TRACKING);
    let ping = || {
        let words = ["-c1", "-W5", "127.0.0.1"];
        Command::new("ping").args(words).output()
    };
    let output = namespace.run(ping).unwrap().expect("ping is installed");
    assert!(output.status.success(), "{output:?}");
    let mut connection = TcpConnection::open(&namespace, "127.0.0.1:0", None);
    connection.check();
    let mut conntrack = tracking(&namespace);
    let all = entries(&mut conntrack);
    let icmp = |entry: &&ConntrackEntry| entry.original.protocol == IpProtocol::ICMP;
    assert_eq!(all.iter().filter(icmp).count(), 1, "{all:?}");

    assert_eq!(conntrack.delete(&all).unwrap(), all.len());
    assert_eq!(entries(&mut conntrack), []);
    assert_eq!(entries(&mut tracking(&netns())), []);
}
