use super::*;

const POD_CIDRS: [&str; 2] = ["10.244.0.0/16", "fd00:10:244::/56"];

/// A static route, as in `10.0.0.0/8 192.168.1.1 2`.
fn route(text: &str) -> Route {
    let words: Vec<_> = text.split(' ').collect();
    Route {
        via: words[1].parse().ok(),
        dev: words[2].parse().ok(),
        protocol: 4,
        ..Route::new(words[0].parse().unwrap(), RouteKind::Unicast)
    }
}

fn cross_subnet(routes: Vec<Route>) -> CrossSubnetRoutes {
    CrossSubnetRoutes::new(routes, &POD_CIDRS.map(|cidr| cidr.parse().unwrap()))
}

/// Links 2 and 3; `down` has no carrier.
fn links(down: Option<u32>) -> Vec<NodeLink> {
    let link = |index| NodeLink {
        index,
        name: format!("eth{index}"),
        up: true,
        running: down != Some(index),
        addresses: Vec::new(),
        lasting: Vec::new(),
    };
    vec![link(2), link(3)]
}

fn via(gateway: &str, dev: u32) -> Option<RoutePath> {
    let gateway = gateway.parse().ok()?;
    Some(RoutePath::Via { gateway, dev })
}

#[test]
fn route_choice_is_longest_prefix_then_smallest_metric() {
    let worse = Route {
        metric: Some(100),
        ..route("172.16.0.0/12 192.168.1.3 2")
    };
    let all = cross_subnet(vec![
        route("0.0.0.0/0 192.168.1.1 2"),
        worse,
        route("172.16.0.0/12 192.168.1.2 2"),
        route("172.16.9.0/24 - 3"),
        route("::/0 fe80::1 2"),
    ]);
    for (address, expected) in [
        ("8.8.8.8", via("192.168.1.1", 2)),
        ("172.16.1.1", via("192.168.1.2", 2)),
        ("172.16.9.9", via("172.16.9.9", 3)),
        ("fd00:2::1", via("fe80::1", 2)),
    ] {
        assert_eq!(
            all.path_to(address.parse().unwrap(), &links(None)),
            expected,
            "{address}"
        );
    }
}

#[test]
fn onlink_gateway_stays_onlink() {
    let onlink = Route {
        onlink: true,
        ..route("0.0.0.0/0 172.31.1.1 2")
    };
    let gateway = "172.31.1.1".parse().unwrap();
    let expected = Some(RoutePath::Onlink { gateway, dev: 2 });
    assert_eq!(
        cross_subnet(vec![onlink]).path_to("8.8.8.8".parse().unwrap(), &links(None)),
        expected
    );
}

#[test]
fn unreachable_or_recursive_route_is_no_path() {
    let unreachable = Route {
        kind: RouteKind::Unreachable,
        ..route("172.16.0.0/12 - -")
    };
    let ours = Route {
        protocol: ROUTE_PROTOCOL,
        ..route("172.17.0.0/16 192.168.1.9 2")
    };
    let all = cross_subnet(vec![
        unreachable,
        ours,
        route("172.20.0.0/16 10.244.3.1 2"),
        route("172.21.0.0/16 fd00:10:244::1 2"),
        route("10.244.3.0/24 192.168.1.7 2"),
        route("10.0.0.0/8 192.168.1.1 2"),
    ]);
    for address in [
        "172.16.1.1",
        "172.17.0.1",
        "172.20.0.1",
        "172.21.0.1",
        "8.8.8.8",
    ] {
        assert_eq!(
            all.path_to(address.parse().unwrap(), &links(None)),
            None,
            "{address}"
        );
    }
    let beyond = "10.244.3.9".parse().unwrap();
    assert_eq!(all.path_to(beyond, &links(None)), via("192.168.1.1", 2));
}

#[test]
fn next_hop_without_carrier_or_link_is_passed_over() {
    let hop = |via: &str, dev, alive| NextHop {
        via: via.parse().ok(),
        dev,
        onlink: false,
        alive,
    };
    let multipath = |hops: Vec<NextHop>| Route {
        hops,
        kind: RouteKind::Multipath,
        ..route("172.16.0.0/12 192.168.1.1 2")
    };
    let (a, b) = ("192.168.1.1", "192.168.2.1");
    let both = || vec![hop(a, 2, true), hop(b, 3, true)];
    let default = || route("0.0.0.0/0 192.168.2.9 3");
    let worse = || Route {
        metric: Some(20),
        ..route("172.16.0.0/12 192.168.2.5 3")
    };
    for (routes, down, expected) in [
        (vec![multipath(both())], None, via(a, 2)),
        (vec![multipath(both())], Some(3), via(a, 2)),
        (vec![multipath(both())], Some(2), via(b, 3)),
        (
            vec![multipath(vec![hop(a, 2, false), hop(b, 3, true)])],
            None,
            via(b, 3),
        ),
        (
            vec![multipath(vec![hop(a, 9, true), hop(b, 3, true)])],
            None,
            via(b, 3),
        ),
        (
            vec![multipath(vec![hop("10.244.3.1", 2, true), hop(b, 3, true)])],
            None,
            via(b, 3),
        ),
        // The next route, by metric and then by length.
        (
            vec![route("172.16.0.0/12 192.168.1.1 2"), worse()],
            Some(2),
            via("192.168.2.5", 3),
        ),
        (
            vec![multipath(vec![hop(a, 2, true)]), default()],
            Some(2),
            via("192.168.2.9", 3),
        ),
        // None works: the first.
        (vec![multipath(vec![hop(a, 2, true)])], Some(2), via(a, 2)),
        (
            vec![route("172.16.0.0/12 192.168.1.1 2")],
            Some(2),
            via(a, 2),
        ),
    ] {
        let all = cross_subnet(routes.clone());
        let found = all.path_to("172.16.9.9".parse().unwrap(), &links(down));
        assert_eq!(found, expected, "{routes:?} without {down:?}");
    }
}
