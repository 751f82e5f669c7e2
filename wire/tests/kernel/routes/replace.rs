//! Replacing routes, and multipath routes.

use wire::netlink::NextHop;

use super::*;

#[test]
fn adding_a_route_twice_is_refused() {
    let (mut joined, link) = host();
    let ConnectedNetns { host_socket, .. } = &mut joined;

    for route in [
        unicast("10.1.20.0/24", Some("192.168.1.20"), link),
        unicast("fd00:20::/80", Some("fd00:1::20"), link),
    ] {
        let add = NetlinkRequest::AddRoute(route);
        let failures = host_socket.apply(&[add.clone(), add]).unwrap();
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].errno(), Some(Errno::EEXIST));
    }
}

#[test]
fn replaced_route_is_gone() {
    let (mut joined, link) = host();
    let ConnectedNetns { host_socket, .. } = &mut joined;

    for (old, new) in [
        (
            unicast("10.1.20.0/24", Some("192.168.1.20"), link),
            unicast("10.1.20.0/24", Some("192.168.1.21"), link),
        ),
        (
            unicast("10.1.20.0/24", Some("192.168.1.20"), link),
            unreachable("10.1.20.0/24"),
        ),
        (
            unreachable("10.1.20.0/24"),
            unicast("10.1.20.0/24", Some("fd00:1::20"), link),
        ),
        (
            unicast("fd00:20::/80", Some("fd00:1::20"), link),
            unicast("fd00:20::/80", Some("fd00:1::21"), link),
        ),
        (
            unicast("fd00:20::/80", Some("fd00:1::20"), link),
            unreachable("fd00:20::/80"),
        ),
        (
            unreachable("fd00:20::/80"),
            unicast("fd00:20::/80", Some("fd00:1::20"), link),
        ),
    ] {
        host_socket
            .apply_all(&[NetlinkRequest::ReplaceRoute(old.clone())])
            .unwrap();
        host_socket
            .apply_all(&[NetlinkRequest::ReplaceRoute(new.clone())])
            .unwrap();
        assert_eq!(
            ours(host_socket),
            slice::from_ref(&new),
            "in place of {old}"
        );
        host_socket
            .apply_all(&[NetlinkRequest::DelRoute(new)])
            .unwrap();
    }
}

#[test]
fn replacing_with_other_metric_keeps_the_old_route() {
    let (mut joined, link) = host();
    let ConnectedNetns { host_socket, .. } = &mut joined;

    for (dst, via) in [
        ("10.1.20.0/24", "192.168.1.20"),
        ("fd00:20::/80", "fd00:1::20"),
    ] {
        let old = Route {
            metric: Some(5),
            ..unicast(dst, Some(via), link)
        };
        let new = Route {
            metric: Some(6),
            ..old.clone()
        };
        host_socket
            .apply_all(&[
                NetlinkRequest::ReplaceRoute(old.clone()),
                NetlinkRequest::ReplaceRoute(new.clone()),
            ])
            .unwrap();
        assert_eq!(ours(host_socket), [old.clone(), new.clone()]);
        host_socket
            .apply_all(&[NetlinkRequest::DelRoute(old), NetlinkRequest::DelRoute(new)])
            .unwrap();
    }
}

#[test]
fn multipath_route_is_distinct_and_can_be_deleted() {
    let (mut joined, link) = host();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    for (dst, first, second) in [
        ("10.1.20.0/24", "192.168.1.20", "192.168.1.21"),
        ("fd00:20::/80", "fd00:1::20", "fd00:1::21"),
    ] {
        ip(
            host,
            &format!(
                "route add {dst} proto 70 nexthop via {first} dev host0 nexthop via {second} dev host0"
            ),
        );

        let listed = ours(host_socket);

        let hop = |via: &str| NextHop {
            via: via.parse().ok(),
            dev: link,
            onlink: false,
            alive: true,
        };
        let seen = Route {
            kind: RouteKind::Multipath,
            hops: vec![hop(first), hop(second)],
            ..unicast(dst, Some(first), link)
        };
        assert_eq!(listed, slice::from_ref(&seen));
        host_socket
            .apply_all(&[NetlinkRequest::DelRoute(seen)])
            .unwrap();
        assert_eq!(ours(host_socket), []);
    }
}

#[test]
fn multipath_route_can_be_replaced() {
    let (mut joined, link) = host();
    let ConnectedNetns {
        host, host_socket, ..
    } = &mut joined;
    for (dst, first, second) in [
        ("10.1.20.0/24", "192.168.1.20", "192.168.1.21"),
        ("fd00:20::/80", "fd00:1::20", "fd00:1::21"),
    ] {
        ip(
            host,
            &format!(
                "route add {dst} proto 70 nexthop via {first} dev host0 nexthop via {second} dev host0"
            ),
        );
        let desired = unicast(dst, Some(first), link);

        host_socket
            .apply_all(&[NetlinkRequest::ReplaceRoute(desired.clone())])
            .unwrap();

        assert_eq!(ours(host_socket), slice::from_ref(&desired));
        host_socket
            .apply_all(&[NetlinkRequest::DelRoute(desired)])
            .unwrap();
    }
}
