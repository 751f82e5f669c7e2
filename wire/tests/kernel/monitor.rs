//! Hearing of changes.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wire::netlink::{Address, Monitor, Request, Route, RouteKind, Socket, Topics};
use wire::netns::Netns;

use crate::support::{bring_up, netns, netns_with_loopback};

fn monitor(namespace: &Netns, topics: Topics) -> Monitor {
    namespace.run(|| Monitor::open(topics)).unwrap().unwrap()
}

fn readable(monitor: &Monitor) -> bool {
    let mut descriptors = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PollTimeout::ZERO).unwrap() > 0
}

fn add(socket: &mut Socket, third: u8) {
    let dst = format!("10.1.{third}.0/24").parse().unwrap();
    socket
        .apply_all(&[Request::AddRoute(Route::new(dst, RouteKind::Unreachable))])
        .unwrap();
}

#[test]
fn nothing_changed_is_told_without_waiting() {
    let mut monitor = monitor(&netns(), Topics::ALL);

    assert!(!readable(&monitor));
    assert!(!monitor.drain().unwrap().any());
}

#[test]
fn each_change_is_told_once_under_its_topic() {
    let (namespace, mut socket) = netns_with_loopback();
    let mut monitor = monitor(&namespace, Topics::ALL);

    add(&mut socket, 1);
    assert!(readable(&monitor));
    let expected = Topics {
        routes: true,
        ..Topics::default()
    };
    assert_eq!(monitor.drain().unwrap(), expected);
    assert_eq!(monitor.drain().unwrap(), Topics::default());

    let address = Address::new(1, "10.9.0.1/32".parse().unwrap());
    socket.apply_all(&[Request::AddAddress(address)]).unwrap();
    let changed = monitor.drain().unwrap();
    assert!(changed.addresses && !changed.links, "{changed:?}");
}

#[test]
fn what_an_ignored_socket_changes_is_not_told_and_what_others_do_is() {
    let (namespace, mut socket) = netns_with_loopback();
    let mut monitor = monitor(&namespace, Topics::ALL);

    // A socket that was never used has no number yet, and must not be taken for the kernel.
    monitor.ignore(&namespace.socket().unwrap());
    add(&mut socket, 1);
    assert!(monitor.drain().unwrap().routes);

    monitor.ignore(&socket);
    let replaced = Route {
        metric: Some(7),
        ..Route::new("fd00::/64".parse().unwrap(), RouteKind::Unreachable)
    };
    for request in [
        Request::AddRoute(replaced.clone()),
        Request::ReplaceRoute(replaced.clone()),
        Request::DelRoute(replaced),
    ] {
        socket.apply_all(&[request]).unwrap();
    }
    add(&mut socket, 2);
    assert_eq!(monitor.drain().unwrap(), Topics::default());

    add(&mut namespace.socket().unwrap(), 3);
    assert!(monitor.drain().unwrap().routes);
}

#[test]
fn a_link_that_comes_up_is_told() {
    let namespace = netns();
    let mut monitor = monitor(&namespace, Topics::ALL);

    bring_up(&mut namespace.socket().unwrap(), 1);

    assert!(monitor.drain().unwrap().links);
}

#[test]
fn other_topics_are_not_told() {
    let namespace = netns();
    let topics = Topics {
        links: true,
        ..Topics::default()
    };
    let mut monitor = monitor(&namespace, topics);

    add(&mut namespace.socket().unwrap(), 1);

    assert!(!readable(&monitor));
    assert_eq!(monitor.drain().unwrap(), Topics::default());
}

#[test]
fn lost_events_count_as_a_change_of_everything() {
    let namespace = netns();
    let mut monitor = monitor(&namespace, Topics::ALL);
    let mut socket = namespace.socket().unwrap();
    let route = |number: u32| {
        let [_, high, low, _] = (number << 8).to_be_bytes();
        let dst = format!("10.{high}.{low}.0/24").parse().unwrap();
        Request::AddRoute(Route::new(dst, RouteKind::Unreachable))
    };
    let all: Vec<Request> = (0..30_000).map(route).collect();

    assert!(socket.apply(&all).unwrap().is_empty());

    assert_eq!(monitor.drain().unwrap(), Topics::ALL);
    assert_eq!(monitor.drain().unwrap(), Topics::default());
}
