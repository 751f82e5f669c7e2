//! Helpers: new network namespaces for tests. The caller's namespace is not changed.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use wire::netlink::{Fate, Link, LinkChange, Mac, NetlinkRequest, NetlinkSocket, Packet, VethPair};
use wire::netns::Netns;

/// A new network namespace, which is deleted with the value.
pub(crate) fn netns() -> Netns {
    let made = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("tests need root, or `unshare -Urn` around them");
        Netns::open(Path::new("/proc/thread-self/ns/net")).unwrap()
    });
    made.join().unwrap()
}

/// A new network namespace with loopback up.
pub(crate) fn netns_with_loopback() -> (Netns, NetlinkSocket) {
    let namespace = netns();
    let mut socket = namespace.socket().unwrap();
    bring_up(&mut socket, 1);
    (namespace, socket)
}

pub(crate) fn bring_up(socket: &mut NetlinkSocket, index: u32) {
    let change = LinkChange {
        up: Some(true),
        ..LinkChange::default()
    };
    socket
        .apply_all(&[NetlinkRequest::ChangeLink { index, change }])
        .unwrap();
}

/// A pair `host0` and, in the namespace `peer`, `eth0`.
pub(crate) fn pair(peer: &Netns) -> VethPair {
    VethPair {
        name: "host0".to_owned(),
        mac: Mac([0x02, 0, 0, 0, 0, 0x01]),
        mtu: 1450,
        group: 0,
        peer_name: "eth0".to_owned(),
        peer_mac: Mac([0x02, 0, 0, 0, 0, 0x02]),
        peer_netns: std::os::fd::AsRawFd::as_raw_fd(peer),
    }
}

/// Two namespaces connected by a [`pair`] that is up.
pub(crate) struct ConnectedNetns {
    pub(crate) host: Netns,
    pub(crate) host_socket: NetlinkSocket,
    pub(crate) host_end: Link,
    pub(crate) pod: Netns,
    pub(crate) pod_socket: NetlinkSocket,
    pub(crate) pod_end: Link,
}

pub(crate) fn joined() -> ConnectedNetns {
    let (host, mut host_socket) = netns_with_loopback();
    let (pod, mut pod_socket) = netns_with_loopback();
    let (host_index, pod_index) = host_socket.add_veth(&pair(&pod)).unwrap();
    bring_up(&mut host_socket, host_index);
    bring_up(&mut pod_socket, pod_index);
    let host_end = host_socket.link_by_index(host_index).unwrap().unwrap();
    let pod_end = pod_socket.link_by_index(pod_index).unwrap().unwrap();
    ConnectedNetns {
        host,
        host_socket,
        host_end,
        pod,
        pod_socket,
        pod_end,
    }
}

/// Runs iproute2 in a namespace, for what `wire` does not do, and returns its output.
pub(crate) fn ip(namespace: &Netns, arguments: &str) -> String {
    let output = namespace
        .run(|| {
            Command::new("ip")
                .args(arguments.split_whitespace())
                .output()
        })
        .unwrap()
        .unwrap();
    let (stdout, stderr) = (output.stdout, output.stderr);
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap()
}

/// Waits until the kernel delivers packets to an IPv6 address of this host: it makes the address's
/// local route a moment after the address (`addrconf_dad_work` in net/ipv6/addrconf.c).
pub(crate) fn wait_until_local(socket: &mut NetlinkSocket, address: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while socket
        .fate_of(Packet::to(address.parse().unwrap()))
        .unwrap()
        != Fate::Local
    {
        assert!(Instant::now() < deadline, "{address} is not local");
        thread::yield_now();
    }
}
