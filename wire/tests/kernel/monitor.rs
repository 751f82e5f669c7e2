//! Change events of links, addresses and routes, against the kernel.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wire::netlink::{
    Address, LinkChange, NetlinkEvent, NetlinkMonitor, NetlinkRequest, NetlinkSocket, Route,
    RouteKind, Topics,
};
use wire::netns::Netns;

use crate::support::{ConnectedNetns, bring_up, ip, joined, netns, netns_with_loopback};

fn monitor(namespace: &Netns, topics: Topics) -> NetlinkMonitor {
    namespace
        .run(|| NetlinkMonitor::open(topics))
        .unwrap()
        .unwrap()
}

fn readable(monitor: &NetlinkMonitor) -> bool {
    let mut descriptors = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PollTimeout::ZERO).unwrap() > 0
}

fn events(monitor: &mut NetlinkMonitor) -> Vec<NetlinkEvent> {
    let mut events = Vec::new();
    monitor.drain(|event| events.push(event)).unwrap();
    events
}

fn route(third: u8) -> Route {
    let dst = format!("10.1.{third}.0/24").parse().unwrap();
    Route::new(dst, RouteKind::Unreachable)
}

fn add(socket: &mut NetlinkSocket, third: u8) {
    socket
        .apply_all(&[NetlinkRequest::AddRoute(route(third))])
        .unwrap();
}

#[test]
fn drain_without_changes_returns_at_once() {
    let mut monitor = monitor(&netns(), Topics::ALL);

    assert!(!readable(&monitor));
    assert_eq!(events(&mut monitor), []);
}

#[test]
fn each_change_is_one_event() {
    let (namespace, mut socket) = netns_with_loopback();
    let mut monitor = monitor(&namespace, Topics::ALL);

    add(&mut socket, 1);
    assert!(readable(&monitor));
    assert_eq!(events(&mut monitor), [NetlinkEvent::RouteAdded(route(1))]);
    assert_eq!(events(&mut monitor), []);
    let moved = Route {
        kind: RouteKind::Unicast,
        dev: Some(1),
        ..route(1)
    };
    for (request, expected) in [
        (
            NetlinkRequest::ReplaceRoute(moved.clone()),
            NetlinkEvent::RouteReplaced(moved.clone()),
        ),
        (
            NetlinkRequest::DelRoute(moved.clone()),
            NetlinkEvent::RouteRemoved(moved),
        ),
    ] {
        socket.apply_all(&[request]).unwrap();
        assert_eq!(events(&mut monitor), [expected]);
    }

    let address = Address::new(1, "10.9.0.1/32".parse().unwrap());
    socket
        .apply_all(&[NetlinkRequest::AddAddress(address)])
        .unwrap();
    let (link, address) = (1, "10.9.0.1".parse().unwrap());
    assert_eq!(
        events(&mut monitor),
        [NetlinkEvent::Address { link, address }]
    );
}

#[test]
fn route_of_other_table_is_no_event() {
    let (namespace, mut socket) = netns_with_loopback();
    let mut monitor = monitor(&namespace, Topics::ALL);

    let route = route(1);
    let request = NetlinkRequest::AddRouteIn { table: 7001, route };
    socket.apply_all(&[request]).unwrap();

    assert!(readable(&monitor));
    assert_eq!(events(&mut monitor), []);
}

#[test]
fn changes_of_ignored_socket_are_skipped() {
    let (namespace, mut socket) = netns_with_loopback();
    let mut monitor = monitor(&namespace, Topics::ALL);

    // A socket that was never used has no port yet, and must not be taken for the kernel (port 0).
    monitor.ignore(&namespace.socket().unwrap());
    add(&mut socket, 1);
    assert_eq!(events(&mut monitor).len(), 1);

    monitor.ignore(&socket);
    let replaced = Route {
        metric: Some(7),
        ..Route::new("fd00::/64".parse().unwrap(), RouteKind::Unreachable)
    };
    for request in [
        NetlinkRequest::AddRoute(replaced.clone()),
        NetlinkRequest::ReplaceRoute(replaced.clone()),
        NetlinkRequest::DelRoute(replaced),
    ] {
        socket.apply_all(&[request]).unwrap();
    }
    add(&mut socket, 2);
    assert_eq!(events(&mut monitor), []);

    add(&mut namespace.socket().unwrap(), 3);
    assert_eq!(events(&mut monitor), [NetlinkEvent::RouteAdded(route(3))]);
}

#[test]
fn link_up_and_down_are_events() {
    let namespace = netns();
    let mut monitor = monitor(&namespace, Topics::ALL);

    bring_up(&mut namespace.socket().unwrap(), 1);

    assert!(events(&mut monitor).contains(&NetlinkEvent::Link { index: 1, up: true }));

    let down = NetlinkRequest::ChangeLink {
        index: 1,
        change: LinkChange {
            up: Some(false),
            ..LinkChange::default()
        },
    };
    namespace.socket().unwrap().apply_all(&[down]).unwrap();

    let found = events(&mut monitor);
    assert_eq!(
        found.first(),
        Some(&NetlinkEvent::Link {
            index: 1,
            up: false
        })
    );
}

#[test]
fn topics_without_subscription_are_no_events() {
    let namespace = netns();
    let topics = Topics {
        links: true,
        ..Topics::default()
    };
    let mut monitor = monitor(&namespace, topics);

    add(&mut namespace.socket().unwrap(), 1);

    assert!(!readable(&monitor));
    assert_eq!(events(&mut monitor), []);
}

#[test]
fn lost_event_comes_after_received_ones() {
    let namespace = netns();
    let mut monitor = monitor(&namespace, Topics::ALL);
    let mut socket = namespace.socket().unwrap();
    let route = |number: u32| {
        let [_, high, low, _] = (number << 8).to_be_bytes();
        let dst = format!("10.{high}.{low}.0/24").parse().unwrap();
        NetlinkRequest::AddRoute(Route::new(dst, RouteKind::Unreachable))
    };
    let all: Vec<NetlinkRequest> = (0..30_000).map(route).collect();

    assert!(socket.apply(&all).unwrap().is_empty());

    assert_eq!(events(&mut monitor).last(), Some(&NetlinkEvent::Lost));
    assert_eq!(events(&mut monitor), []);
}

#[test]
fn neighbour_that_is_asked_answers_or_fails() {
    let mut joined = joined();
    let ConnectedNetns {
        host,
        host_socket,
        host_end,
        pod,
        ..
    } = &mut joined;
    ip(host, "address add 192.168.1.10/24 dev host0");
    ip(host, "address add fd00:1::10/64 dev host0 nodad");
    ip(pod, "address add 192.168.1.20/24 dev eth0");
    ip(pod, "address add fd00:1::20/64 dev eth0 nodad");
    let topics = Topics {
        neighbours: true,
        ..Topics::default()
    };
    let mut monitor = monitor(host, topics);
    let link = host_end.index;
    for (address, answers) in [
        ("192.168.1.20", true),
        ("fd00:1::20", true),
        ("192.168.1.99", false),
        ("fd00:1::99", false),
    ] {
        let address = address.parse().unwrap();
        let probe = NetlinkRequest::ProbeNeighbour { link, address };
        host_socket.apply_all(&[probe]).unwrap();
        let expected = NetlinkEvent::Neighbour {
            link,
            address,
            answers,
        };
        // The kernel asks three times, once a second.
        let deadline = Instant::now() + Duration::from_secs(20);
        while !events(&mut monitor).contains(&expected) {
            assert!(Instant::now() < deadline, "no event of {address}");
            let mut descriptors = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
            poll(&mut descriptors, PollTimeout::from(1_000_u16)).unwrap();
        }
        // That a program deletes an entry is no failure.
        ip(host, "neighbour flush dev host0 nud all");
        assert_eq!(events(&mut monitor), []);
    }
}
