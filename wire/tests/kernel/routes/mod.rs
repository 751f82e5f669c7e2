//! Routes, against the kernel.

mod replace;

use std::net::IpAddr;
use std::slice;

use nix::errno::Errno;
use wire::netlink::{Address, NetlinkRequest, NetlinkSocket, Route, RouteKind};
use wire::{ROUTE_PROTOCOL, sysctl};

use crate::support::{ConnectedNetns, ip, joined};

/// A host with the addresses `192.168.1.10/24` and `fd00:1::10/64` on its host end.
fn host() -> (ConnectedNetns, u32) {
    let mut joined = joined();
    let link = joined.host_end.index;
    let v4 = Address::new(link, "192.168.1.10/24".parse().unwrap());
    let v6 = Address {
        no_dad: true,
        ..Address::new(link, "fd00:1::10/64".parse().unwrap())
    };
    joined
        .host_socket
        .apply_all(&[
            NetlinkRequest::AddAddress(v4),
            NetlinkRequest::AddAddress(v6),
        ])
        .unwrap();
    (joined, link)
}

fn unicast(dst: &str, via: Option<&str>, dev: u32) -> Route {
    Route {
        via: via.map(addr),
        dev: Some(dev),
        ..Route::new(dst.parse().unwrap(), RouteKind::Unicast)
    }
}

fn unreachable(dst: &str) -> Route {
    Route::new(dst.parse().unwrap(), RouteKind::Unreachable)
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ours(socket: &mut NetlinkSocket) -> Vec<Route> {
    socket.routes(Some(ROUTE_PROTOCOL)).unwrap()
}

#[test]
fn added_route_is_listed_unchanged_and_removed() {
    let (mut joined, link) = host();
    let ConnectedNetns { host_socket, .. } = &mut joined;
    let routes = [
        unicast("10.1.20.0/24", Some("192.168.1.20"), link),
        unicast("10.1.20.7/32", None, link),
        Route {
            src: Some(addr("192.168.1.10")),
            ..unicast("10.1.20.7/32", None, link)
        },
        Route {
            metric: Some(5),
            ..unicast("10.1.20.0/24", Some("192.168.1.20"), link)
        },
        Route {
            onlink: true,
            ..unicast("10.1.20.0/24", Some("172.31.0.1"), link)
        },
        Route {
            protocol: 71,
            ..unicast("0.0.0.0/0", Some("192.168.1.1"), link)
        },
        unicast("10.1.20.0/24", Some("fd00:1::20"), link),
        unicast("fd00:20::/80", Some("fd00:1::20"), link),
        unicast("fd00:20::/80", Some("fe80::20"), link),
        unicast("fd00:20::7/128", None, link),
        Route {
            src: Some(addr("fd00:1::10")),
            ..unicast("fd00:20::7/128", None, link)
        },
        Route {
            metric: Some(5),
            ..unicast("fd00:20::/80", Some("fd00:1::20"), link)
        },
        Route {
            onlink: true,
            ..unicast("fd00:20::/80", Some("fe80::99"), link)
        },
        Route {
            protocol: 71,
            ..unicast("::/0", Some("fd00:1::1"), link)
        },
        unreachable("10.1.10.0/24"),
        unreachable("fd00:10::/80"),
        Route {
            metric: Some(9),
            ..unreachable("10.1.10.0/24")
        },
        Route {
            metric: Some(9),
            ..unreachable("fd00:10::/80")
        },
    ];

    for route in routes {
        let filter = Some(route.protocol);
        host_socket
            .apply_all(&[NetlinkRequest::AddRoute(route.clone())])
            .unwrap();
        assert_eq!(host_socket.routes(filter).unwrap(), slice::from_ref(&route));

        host_socket
            .apply_all(&[NetlinkRequest::ReplaceRoute(route.clone())])
            .unwrap();
        assert_eq!(host_socket.routes(filter).unwrap(), slice::from_ref(&route));

        host_socket
            .apply_all(&[NetlinkRequest::DelRoute(route)])
            .unwrap();
        assert_eq!(host_socket.routes(filter).unwrap(), []);
    }
}

#[test]
fn routes_of_other_types_are_listed_and_can_be_deleted() {
    let (mut joined, _) = host();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    for foreign in [
        "blackhole 10.1.20.0/24",
        "prohibit fd00:20::/80",
        "10.1.20.0/24 dev host0 scope global",
        "throw 10.1.20.0/24 metric 7",
    ] {
        ip(host, &format!("route add {foreign} proto 70"));

        let listed = ours(host_socket);

        assert_eq!(listed.len(), 1, "{foreign}");
        assert_eq!(listed[0].kind, RouteKind::Other, "{foreign}");
        host_socket
            .apply_all(&[NetlinkRequest::DelRoute(listed[0].clone())])
            .unwrap();
        assert_eq!(ours(host_socket), [], "{foreign}");
    }
}

#[test]
fn routes_of_other_tables_and_protocols_are_left_out() {
    let (mut joined, link) = host();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    ip(
        host,
        "route add 10.5.0.0/16 via 192.168.1.20 proto 70 table 100",
    );
    ip(
        host,
        "route add 10.5.0.0/16 via 192.168.1.20 proto 70 table 1000",
    );
    ip(host, "route add 10.6.0.0/16 via 192.168.1.20 proto static");
    let own = unicast("10.1.20.0/24", Some("192.168.1.20"), link);
    host_socket
        .apply_all(&[NetlinkRequest::AddRoute(own.clone())])
        .unwrap();

    assert_eq!(ours(host_socket), slice::from_ref(&own));
    let all = host_socket.routes(None).unwrap();
    let of_static = all.iter().filter(|route| route.protocol == 4).count();
    assert_eq!((of_static, all.contains(&own)), (1, true), "{all:?}");
    assert!(
        all.iter()
            .all(|route| route.dst.to_string() != "10.5.0.0/16"),
        "{all:?}"
    );
}

#[test]
fn namespace_without_routes_lists_none() {
    let mut socket = crate::support::netns().socket().unwrap();

    assert_eq!(socket.routes(None).unwrap(), []);
    assert_eq!(ours(&mut socket), []);
}

#[test]
fn lookup_returns_link_next_hop_and_source() {
    let (mut joined, link) = host();
    let ConnectedNetns { host_socket, .. } = &mut joined;
    let routes = [
        unicast("10.1.20.0/24", Some("192.168.1.20"), link),
        unicast("fd00:20::/80", Some("fd00:1::20"), link),
    ];
    host_socket
        .apply_all(&routes.map(NetlinkRequest::AddRoute))
        .unwrap();

    for (dst, via, src) in [
        ("10.1.20.9", Some("192.168.1.20"), "192.168.1.10"),
        ("192.168.1.77", None, "192.168.1.10"),
        ("fd00:20::9", Some("fd00:1::20"), "fd00:1::10"),
        ("fd00:1::77", None, "fd00:1::10"),
    ] {
        let found = host_socket.route_to(addr(dst)).unwrap();
        assert_eq!(
            (found.kind, found.dev),
            (RouteKind::Unicast, Some(link)),
            "{dst}"
        );
        assert_eq!(
            (found.via, found.src),
            (via.map(addr), Some(addr(src))),
            "{dst}"
        );
    }
}

#[test]
fn lookup_without_a_route_is_refused() {
    let (mut joined, _) = host();
    let ConnectedNetns { host_socket, .. } = &mut joined;

    let error = host_socket.route_to(addr("8.8.8.8")).unwrap_err();

    assert_eq!(error.errno(), Some(Errno::ENETUNREACH));
    assert_eq!(
        error.to_string(),
        "ip route get 8.8.8.8: Network is unreachable"
    );
}

#[test]
fn refusal_has_the_extended_acknowledgement() {
    let (mut joined, link) = host();
    let ConnectedNetns { host_socket, .. } = &mut joined;
    let route = unicast("10.1.20.0/24", Some("172.31.0.1"), link);

    let error = host_socket
        .apply_all(&[NetlinkRequest::ReplaceRoute(route)])
        .unwrap_err();

    let text = error.to_string();
    assert_eq!(
        text,
        "ip route replace 10.1.20.0/24 via 172.31.0.1 dev if2 proto 70: Network is unreachable: \
         Nexthop has invalid gateway"
    );
}

#[test]
fn link_down_removes_its_routes() {
    let (mut joined, link) = host();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    let kept = unreachable("10.1.10.0/24");
    let lost = unicast("10.1.20.0/24", Some("192.168.1.20"), link);
    host_socket
        .apply_all(&[
            NetlinkRequest::AddRoute(kept.clone()),
            NetlinkRequest::AddRoute(lost),
        ])
        .unwrap();

    ip(host, "link set host0 down");

    assert_eq!(ours(host_socket), [kept]);
    let forwarding = host
        .run(|| sysctl::read("net/ipv4/ip_forward"))
        .unwrap()
        .unwrap();
    assert_eq!(forwarding, "0", "a fresh namespace does not forward");
}

#[test]
fn multicast_route_is_removed_and_again_without_error() {
    let (mut joined, _) = host();
    // On a link to which the kernel adds none by itself.
    let route = "ff00::/8 dev lo table local";
    ip(&joined.host, &format!("-6 route add multicast {route}"));
    let request = NetlinkRequest::DelMulticastRoute { link: 1 };
    for _ in 0..2 {
        joined
            .host_socket
            .apply_all(slice::from_ref(&request))
            .unwrap();
        assert_eq!(ip(&joined.host, &format!("-6 route show {route}")), "");
    }
}
