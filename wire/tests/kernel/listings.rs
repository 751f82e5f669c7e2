//! Long listings, and listings of tables that change meanwhile, against the kernel.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wire::netlink::{
    LinkChange, NetlinkRequest, PolicyRule, Route, RouteKind, SourceRule, VethPair,
};

use crate::support::{ConnectedNetns, ip, joined, netns, netns_with_loopback, pair};

fn unreachable(number: u16, protocol: u8) -> Route {
    let [high, low] = number.to_be_bytes();
    let dst = format!("10.{high}.{low}.0/24").parse().unwrap();
    Route {
        protocol,
        ..Route::new(dst, RouteKind::Unreachable)
    }
}

#[test]
fn only_our_routes_are_listed_among_thousands() {
    const STATIC: u8 = 4;
    let mut joined = joined();
    let ConnectedNetns { host_socket, .. } = &mut joined;
    let ours: Vec<Route> = (0..10).map(|number| unreachable(number, 70)).collect();
    let foreign = (1000..6000).map(|number| unreachable(number, STATIC));
    let all: Vec<NetlinkRequest> = ours
        .iter()
        .cloned()
        .chain(foreign)
        .map(NetlinkRequest::AddRoute)
        .collect();
    assert!(host_socket.apply(&all).unwrap().is_empty());

    assert_eq!(host_socket.routes(Some(70)).unwrap(), ours);
    let of_static = host_socket.routes(Some(STATIC)).unwrap();
    assert_eq!(of_static.len(), 5000);
}

#[test]
fn link_listing_during_changes_is_complete() {
    let (host, pod) = (netns(), netns());
    let mut socket = host.socket().unwrap();
    let stable = 100;
    for number in 0..stable {
        let (name, peer_name) = (format!("stable{number}"), format!("eth{number}"));
        socket
            .add_veth(&VethPair {
                name,
                peer_name,
                ..pair(&pod)
            })
            .unwrap();
    }
    let done = AtomicBool::new(false);

    thread::scope(|scope| {
        scope.spawn(|| {
            let mut socket = host.socket().unwrap();
            let (index, _) = socket
                .add_veth(&VethPair {
                    peer_name: "x0".into(),
                    ..pair(&pod)
                })
                .unwrap();
            let mut round = 0;
            while !done.load(Ordering::Relaxed) {
                let name = Some(format!("moving{round}"));
                let change = LinkChange {
                    name,
                    ..LinkChange::default()
                };
                socket
                    .apply_all(&[NetlinkRequest::ChangeLink { index, change }])
                    .unwrap();
                round += 1;
            }
        });
        for _ in 0..50 {
            let links = socket.links().unwrap();
            let seen = links
                .iter()
                .filter(|link| link.name.starts_with("stable"))
                .count();
            assert_eq!(seen, stable);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn link_listing_ends_while_links_come_and_go() {
    const ATTEMPTS: u32 = 4;
    let (host, pod) = (netns(), netns());
    let mut socket = host.socket().unwrap();
    let stable = 60;
    for number in 0..stable {
        let (name, peer_name) = (format!("stable{number}"), format!("eth{number}"));
        let idle = VethPair {
            name,
            peer_name,
            ..pair(&pod)
        };
        socket.add_veth(&idle).unwrap();
    }
    let done = AtomicBool::new(false);

    let attempts = thread::scope(|scope| {
        for number in 0..2 {
            let (host, pod, done) = (&host, &pod, &done);
            scope.spawn(move || {
                let mut socket = host.socket().unwrap();
                while !done.load(Ordering::Relaxed) {
                    let passing = VethPair {
                        name: format!("passing{number}"),
                        peer_name: format!("passing{number}"),
                        ..pair(pod)
                    };
                    let (index, _) = socket.add_veth(&passing).unwrap();
                    socket
                        .apply_all(&[NetlinkRequest::DelLink { index }])
                        .unwrap();
                }
            });
        }
        let mut attempts = Vec::new();
        for _ in 0..20 {
            let listing = socket.links_within(ATTEMPTS).unwrap();
            assert!(listing.attempts <= ATTEMPTS);
            let names = listing.entries.iter().map(|link| link.name.as_str());
            let seen: BTreeSet<&str> = names.filter(|name| name.starts_with("stable")).collect();
            assert_eq!(seen.len(), stable, "{} attempts", listing.attempts);
            attempts.push(listing.attempts + u32::from(listing.changed));
        }
        done.store(true, Ordering::Relaxed);
        attempts
    });
    // More than the greatest number: the table changed during each attempt.
    println!("attempts per listing: {attempts:?}");
}

#[test]
fn links_with_names_of_any_bytes_are_listed() {
    let host = netns();
    let mut socket = host.socket().unwrap();
    let script = "ip link add \"$(printf 'b\\344d')\" type bridge; \
                  ip link add \"$(printf '\\033[2J')\" type bridge; \
                  ip link set \"$(printf 'b\\344d')\" alias \"$(printf '\\377x')\"";
    let made = host
        .run(|| Command::new("sh").args(["-ec", script]).status())
        .unwrap();
    assert!(made.unwrap().success());

    let links = socket.links().unwrap();

    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["lo", "b\u{fffd}d", "\\u{1b}[2J"]);
    assert_eq!(links[1].alias.as_deref(), Some("\u{fffd}x"));
    assert_eq!(links[1].kind.as_deref(), Some("bridge"));
}

#[test]
fn link_with_hundreds_of_alternative_names_is_listed() {
    let host = netns();
    let mut socket = host.socket().unwrap();
    ip(&host, "link add bridge0 type bridge");
    for number in 0..200 {
        let name = format!("another-name-of-this-link-of-more-than-fifteen-bytes-{number:03}");
        ip(
            &host,
            &format!("link property add dev bridge0 altname {name}"),
        );
    }

    let links = socket.links().unwrap();

    assert_eq!(links[1].name, "bridge0");
    assert_eq!(links[1].kind.as_deref(), Some("bridge"));
    assert_eq!(
        socket.link_by_name("bridge0").unwrap().as_ref(),
        Some(&links[1])
    );
}

#[test]
fn other_table_and_its_rules_are_listed() {
    let (namespace, mut socket) = netns_with_loopback();
    let rule = |from: &str, table| SourceRule {
        from: from.parse().unwrap(),
        table,
        priority: 7000,
    };
    for (table, rules) in [
        (100, [rule("10.1.0.1", 100), rule("fd00::1", 100)]),
        (7001, [rule("10.1.0.2", 7001), rule("fd00::2", 7001)]),
    ] {
        assert_eq!(socket.routes_of(table).unwrap(), []);
        let routes = ["10.2.0.0/16", "fd00:2::/32"]
            .map(|dst| Route::new(dst.parse().unwrap(), RouteKind::Unreachable));
        for route in routes.clone() {
            let request = NetlinkRequest::AddRouteIn { table, route };
            socket.apply_all(&[request]).unwrap();
        }
        socket
            .apply_all(&rules.map(NetlinkRequest::AddRule))
            .unwrap();
        assert_eq!(socket.routes_of(table).unwrap(), routes);
        for rule in rules {
            let listed = socket.policy_rules().unwrap();
            let mut of_sources = listed.iter().filter_map(PolicyRule::source_and_table);
            assert!(of_sources.any(|it| it == (rule.from, table)), "{rule}");
        }
    }
    assert_eq!(socket.routes(None).unwrap(), []);
    // Rules that match anything but a source address are left out.
    ip(&namespace, "rule add from 10.3.0.0/16 lookup 100");
    ip(&namespace, "rule add from 10.3.0.1 iif lo lookup 100");
    ip(&namespace, "rule add from 10.3.0.1 unreachable");
    ip(&namespace, "rule add fwmark 7 lookup 100");
    let listed = socket.policy_rules().unwrap();
    let of_sources = listed.iter().filter_map(PolicyRule::source_and_table);
    assert_eq!(of_sources.count(), 4);
}
