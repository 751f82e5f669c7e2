//! Tests against the real kernel, each in its own network namespace.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::thread;

use ipnet::IpNet;
use nix::sched::{CloneFlags, unshare};
use wire::netlink::{Address, LinkChange, Mac, NetlinkRequest, RouteKind, VethPair};

use super::*;
use crate::kernel::{Netlink, NodeLink};
use crate::rib::path::{Desired, RoutePath, UpdateScope};

/// Runs a test in a network namespace that ends with it.
fn in_namespace(test: impl FnOnce(&mut Netlink) + Send) {
    let inside = || {
        unshare(CloneFlags::CLONE_NEWNET)
            .expect("this test makes a network namespace: run it as root, or under `unshare -Urn`");
        test(&mut Netlink::default());
    };
    thread::scope(|scope| scope.spawn(inside).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// A link with a carrier and these addresses, by its index.
fn make_link(kernel: &mut Netlink, name: &str, addresses: &[&str]) -> u32 {
    let namespace = File::open("/proc/thread-self/ns/net").unwrap();
    let pair = VethPair {
        name: name.to_owned(),
        mac: Mac([2, 0, 0, 0, 0, 1]),
        mtu: 1500,
        group: 0,
        peer_name: format!("{name}-peer"),
        peer_mac: Mac([2, 0, 0, 0, 0, 2]),
        peer_netns: namespace.as_raw_fd(),
    };
    kernel
        .with(|socket| {
            let (index, peer) = socket.add_veth(&pair)?;
            for index in [index, peer] {
                let change = LinkChange {
                    up: Some(true),
                    ..LinkChange::default()
                };
                socket.apply_all(&[NetlinkRequest::ChangeLink { index, change }])?;
            }
            for address in addresses {
                let address = Address {
                    no_dad: address.contains(':'),
                    ..Address::new(index, address.parse().unwrap())
                };
                socket.apply_all(&[NetlinkRequest::AddAddress(address)])?;
            }
            Ok(index)
        })
        .unwrap()
}

fn set_up(kernel: &mut Netlink, index: u32, up: bool) {
    let change = LinkChange {
        up: Some(up),
        ..LinkChange::default()
    };
    kernel
        .with(|socket| socket.apply_all(&[NetlinkRequest::ChangeLink { index, change }]))
        .unwrap();
}

fn apply_request(kernel: &mut Netlink, request: NetlinkRequest) {
    kernel.with(|socket| socket.apply_all(&[request])).unwrap();
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn via(gateway: &str, dev: u32) -> RoutePath {
    RoutePath::Via {
        gateway: gateway.parse().unwrap(),
        dev,
    }
}

/// One pass over all routes.
fn pass(kernel: &mut Netlink, desired: &Desired) -> Applied {
    let actual = list_own(kernel).unwrap().ours;
    apply(kernel, plan::diff(desired, &actual, &UpdateScope::All)).unwrap()
}

fn is_in_sync(kernel: &mut Netlink, desired: &Desired) -> bool {
    plan::diff(desired, &list_own(kernel).unwrap().ours, &UpdateScope::All).is_empty()
}

#[test]
fn routes_of_both_families_are_added_moved_and_removed() {
    in_namespace(|kernel| {
        let eth0 = make_link(kernel, "eth0", &["192.168.1.1/24", "fd00:1::1/64"]);
        let mut desired = Desired::from([
            (net("10.244.1.0/24"), RoutePath::Unreachable),
            (net("10.244.2.0/24"), via("192.168.1.2", eth0)),
            (net("fd00:10:244:0:1::/80"), RoutePath::Unreachable),
            (net("fd00:10:244:0:2::/80"), via("fd00:1::2", eth0)),
        ]);
        let applied = pass(kernel, &desired);
        assert_eq!(
            (applied.done.len(), applied.failed.len()),
            (4, 0),
            "{:?}",
            applied.failed
        );
        assert!(is_in_sync(kernel, &desired));
        assert!(pass(kernel, &desired).done.is_empty());

        desired.insert(net("10.244.2.0/24"), via("192.168.1.3", eth0));
        desired.insert(net("fd00:10:244:0:2::/80"), via("fd00:1::3", eth0));
        let moved = pass(kernel, &desired);
        let is_replace = |step: &PlanStep| matches!(step.change, RouteChange::Replace { .. });
        assert!(
            moved.done.len() == 2 && moved.done.iter().all(is_replace),
            "{moved:?}"
        );
        assert!(is_in_sync(kernel, &desired));

        // A subnet that this node takes over from a peer.
        desired.insert(net("10.244.2.0/24"), RoutePath::Unreachable);
        desired.insert(net("fd00:10:244:0:2::/80"), RoutePath::Unreachable);
        assert!(pass(kernel, &desired).failed.is_empty());
        assert!(is_in_sync(kernel, &desired));

        assert_eq!(pass(kernel, &Desired::new()).done.len(), 4);
        assert!(list_own(kernel).unwrap().ours.is_empty());
    });
}

#[test]
fn pod_and_foreign_routes_survive_passes() {
    in_namespace(|kernel| {
        let eth0 = make_link(kernel, "eth0", &["192.168.1.1/24", "fd00:1::1/64"]);
        let pod = |dst: &str| Route {
            dev: Some(eth0),
            ..Route::new(net(dst), RouteKind::Unicast)
        };
        let foreign = |dst: &str, gateway: &str| Route {
            protocol: 4,
            ..plan::route(net(dst), via(gateway, eth0))
        };
        let others = [
            pod("10.244.1.5/32"),
            pod("fd00:10:244:0:1::5/128"),
            foreign("10.99.0.0/16", "192.168.1.9"),
            foreign("fd00:99::/64", "fd00:1::9"),
        ];
        for route in &others {
            apply_request(kernel, NetlinkRequest::AddRoute(route.clone()));
        }
        let desired = Desired::from([(net("10.244.2.0/24"), via("192.168.1.2", eth0))]);
        pass(kernel, &desired);
        pass(kernel, &Desired::new());
        let left = kernel.routes(None).unwrap();
        for route in others {
            assert!(left.contains(&route), "{route} is gone");
        }
    });
}

#[test]
fn conflicting_foreign_route_is_reported_and_kept() {
    in_namespace(|kernel| {
        let eth0 = make_link(kernel, "eth0", &["192.168.1.1/24", "fd00:1::1/64"]);
        for (dst, foreign, wanted) in [
            ("10.244.2.0/24", "192.168.1.9", "192.168.1.2"),
            ("fd00:10:244:0:2::/80", "fd00:1::9", "fd00:1::2"),
        ] {
            let dst = net(dst);
            let foreign = Route {
                protocol: 4,
                ..plan::route(dst, via(foreign, eth0))
            };
            apply_request(kernel, NetlinkRequest::AddRoute(foreign.clone()));
            let desired = Desired::from([(dst, via(wanted, eth0))]);
            let applied = pass(kernel, &desired);
            assert!(applied.done.is_empty());
            assert_eq!(applied.failed[0].1, ApplyError::Conflict(foreign.clone()));
            assert!(kernel.routes(None).unwrap().contains(&foreign));

            // Without the foreign route, ours can be added.
            apply_request(kernel, NetlinkRequest::DelRoute(foreign));
            assert!(pass(kernel, &desired).failed.is_empty());
            assert!(is_in_sync(kernel, &desired));
            pass(kernel, &Desired::new());
        }
    });
}

#[test]
fn refused_route_does_not_stop_others() {
    in_namespace(|kernel| {
        let eth0 = make_link(kernel, "eth0", &["192.168.1.1/24"]);
        let mut desired: Desired = (0..200u8)
            .map(|n| (net(&format!("10.244.{n}.0/24")), via("192.168.1.2", eth0)))
            .collect();
        // This next hop is on no link.
        desired.insert(net("10.244.77.0/24"), via("172.31.0.1", eth0));
        let applied = pass(kernel, &desired);
        assert_eq!((applied.done.len(), applied.failed.len()), (199, 1));
        assert_eq!(applied.failed[0].0.dst, net("10.244.77.0/24"));
        let ApplyError::Refused(text) = &applied.failed[0].1 else {
            panic!("{applied:?}")
        };
        assert!(text.contains("10.244.77.0/24"), "{text}");
    });
}

#[test]
fn routes_of_flapped_link_are_added_again() {
    in_namespace(|kernel| {
        let eth0 = make_link(kernel, "eth0", &["192.168.1.1/24"]);
        let desired = Desired::from([(net("10.244.2.0/24"), via("192.168.1.2", eth0))]);
        pass(kernel, &desired);
        set_up(kernel, eth0, false);
        assert!(list_own(kernel).unwrap().ours.is_empty());
        set_up(kernel, eth0, true);
        assert!(pass(kernel, &desired).failed.is_empty());
        assert!(is_in_sync(kernel, &desired));
    });
}

#[test]
fn links_with_addresses_are_listed_with_state() {
    in_namespace(|kernel| {
        let eth0 = make_link(kernel, "eth0", &["192.168.1.1/24", "fd00:1::1/64"]);
        make_link(kernel, "pod0", &[]);
        let find = |kernel: &mut Netlink| -> NodeLink {
            let links = kernel.links().unwrap();
            assert!(links.iter().all(|link| link.name != "pod0"), "{links:?}");
            links.into_iter().find(|link| link.index == eth0).unwrap()
        };
        let link = find(kernel);
        assert!(link.up && link.name == "eth0");
        assert!(link.addresses.contains(&"fd00:1::1/64".parse().unwrap()));
        set_up(kernel, eth0, false);
        let link = find(kernel);
        assert!(!link.up);
        assert!(link.addresses.contains(&"192.168.1.1/24".parse().unwrap()));
    });
}

#[test]
fn foreign_ipv6_next_hop_survives_changes_of_ours() {
    in_namespace(|kernel| {
        let eth0 = make_link(kernel, "eth0", &["fd00:1::1/64"]);
        let dst = net("fd00:10:244:0:2::/80");
        let foreign = Route {
            protocol: 4,
            ..plan::route(dst, via("fd00:1::9", eth0))
        };
        let survives = |kernel: &mut Netlink| {
            let routes = kernel.routes(None).unwrap();
            routes
                .iter()
                .any(|it| it.dst == dst && it.via == foreign.via && it.protocol == 4)
        };
        let desired = Desired::from([(dst, via("fd00:1::2", eth0))]);
        pass(kernel, &desired);
        // The kernel merges both next hops into one route, and lists it under the first one's
        // protocol.
        ip(&format!(
            "-6 route append {dst} via fd00:1::9 dev eth0 proto static"
        ));

        let moved = Desired::from([(dst, via("fd00:1::3", eth0))]);
        let applied = pass(kernel, &moved);
        assert!(survives(kernel), "{:?}", kernel.routes(None));
        assert!(
            matches!(applied.failed[0].1, ApplyError::Conflict(_)),
            "{applied:?}"
        );
        pass(kernel, &Desired::new());
        assert!(survives(kernel), "{:?}", kernel.routes(None));

        apply_request(kernel, NetlinkRequest::DelRoute(foreign.clone()));
        assert!(pass(kernel, &moved).failed.is_empty());
        assert!(is_in_sync(kernel, &moved));
    });
}

#[test]
fn foreign_ipv4_route_survives_moved_next_hop_of_ours() {
    in_namespace(|kernel| {
        let eth0 = make_link(kernel, "eth0", &["192.168.1.1/24", "fd00:1::1/64"]);
        let dst = net("10.244.2.0/24");
        pass(kernel, &[(dst, via("192.168.1.2", eth0))].into());
        ip(&format!(
            "route append {dst} via 192.168.1.9 dev eth0 proto static"
        ));
        for gateway in ["192.168.1.3", "fd00:1::3", "192.168.1.4"] {
            let desired = Desired::from([(dst, via(gateway, eth0))]);
            let applied = pass(kernel, &desired);
            assert!(applied.failed.is_empty(), "{applied:?}");
            assert!(is_in_sync(kernel, &desired));
            let routes = kernel.routes(None).unwrap();
            let foreign = routes.iter().filter(|it| it.dst == dst && it.protocol == 4);
            assert_eq!(foreign.count(), 1, "{routes:?}");
        }
    });
}

/// Runs `ip` in the namespace of the test.
fn ip(arguments: &str) {
    let words = arguments.split(' ');
    let status = std::process::Command::new("ip").args(words).status();
    assert!(status.unwrap().success(), "ip {arguments}");
}
