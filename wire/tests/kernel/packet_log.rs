//! Logged packets, against the kernel.

use std::net::UdpSocket;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wire::IpProtocol;
use wire::netlink::Error;
use wire::netns::Netns;
use wire::nft::{Hook, NftChain, NftRule, NftTable, TableFamily, TableId, Term};
use wire::packet_log::PacketLog;

use crate::nft::socket;
use crate::support::{netns, netns_with_loopback, wait_until_local};

const GROUP: u16 = 70;

fn bind(namespace: &Netns) -> Result<PacketLog, Error> {
    namespace.run(|| PacketLog::bind(GROUP)).unwrap()
}

/// Logs incoming UDP packets to port 4000.
fn log_udp(namespace: &Netns) {
    let log = Term::Log {
        group: GROUP,
        prefix: "denied np a/web".to_owned(),
        snap_length: 256,
    };
    let protocol = IpProtocol::UDP;
    let ports = 4000..=4000;
    let table = NftTable {
        id: TableId::new(TableFamily::Inet, "logging"),
        sets: vec![],
        chains: vec![NftChain {
            name: "in".to_owned(),
            hook: Some(Hook::new("filter", 1, Hook::FILTER)),
            rules: vec![NftRule::new([Term::Ports { protocol, ports }, log])],
        }],
    };
    let mut socket = socket(namespace);
    socket.apply(&table.replace_commands(), None).unwrap();
}

fn send(namespace: &Netns, from: &str, to: &str, count: usize) {
    let send = || {
        let sender = UdpSocket::bind(from).unwrap();
        for _ in 0..count {
            sender.send_to(&[7; 400], to).unwrap();
        }
    };
    namespace.run(send).unwrap();
}

fn wait_until_readable(log: &PacketLog) {
    let mut descriptors = [PollFd::new(log.as_fd(), PollFlags::POLLIN)];
    let readable = poll(&mut descriptors, PollTimeout::from(10_000u16)).unwrap();
    assert_eq!(readable, 1, "nothing was logged");
}

/// Waits for that many packets.
fn received(log: &mut PacketLog, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        wait_until_readable(log);
        let lost = log.drain(|packet| {
            let headers = packet.headers().unwrap();
            let length = packet.payload.len();
            assert_eq!((packet.input, packet.output), (Some(1), None));
            all.push(format!(
                "{}: {} {} -> {} {:?} {length}",
                packet.prefix,
                headers.protocol,
                headers.source,
                headers.destination,
                headers.ports.unwrap()
            ));
        });
        assert!(!lost.unwrap());
    }
    all
}

#[test]
fn logged_packets_have_prefix_link_and_headers() {
    let (namespace, mut links) = netns_with_loopback();
    wait_until_local(&mut links, "::1");
    log_udp(&namespace);
    let mut log = bind(&namespace).unwrap();
    assert!(!log.drain(|packet| panic!("{packet:?}")).unwrap());

    send(&namespace, "127.0.0.1:4001", "127.0.0.1:4000", 1);
    send(&namespace, "[::1]:4001", "[::1]:4000", 1);
    send(&namespace, "127.0.0.1:4001", "127.0.0.1:4002", 1);

    assert_eq!(
        received(&mut log, 2),
        [
            "denied np a/web: udp 127.0.0.1 -> 127.0.0.1 (4001, 4000) 256",
            "denied np a/web: udp ::1 -> ::1 (4001, 4000) 256",
        ]
    );
}

#[test]
fn group_has_one_reader_until_it_is_closed() {
    let namespace = netns();
    let first = bind(&namespace).unwrap();

    let error = bind(&namespace).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EPERM));
    assert_eq!(
        error.to_string(),
        "nflog: bind group 70: Operation not permitted: another program reads this group, or \
         CAP_NET_ADMIN is missing"
    );
    // A group belongs to a network namespace.
    bind(&netns()).unwrap();

    drop(first);
    bind(&namespace).unwrap();
}

#[test]
fn lost_packets_are_reported_and_later_ones_arrive() {
    let (namespace, _) = netns_with_loopback();
    log_udp(&namespace);
    let mut log = bind(&namespace).unwrap();

    send(&namespace, "127.0.0.1:0", "127.0.0.1:4000", 100_000);

    let mut count = 0;
    assert!(log.drain(|_| count += 1).unwrap());
    assert!(count > 0 && count < 100_000, "{count}");
    send(&namespace, "127.0.0.1:4001", "127.0.0.1:4000", 1);
    let last = |log: &mut PacketLog| received(log, 1).pop();
    let expected = "denied np a/web: udp 127.0.0.1 -> 127.0.0.1 (4001, 4000) 256";
    while last(&mut log).as_deref() != Some(expected) {}
}
