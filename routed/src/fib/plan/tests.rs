use proptest::prelude::*;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn via(last: u8, dev: u32) -> RoutePath {
    RoutePath::Via {
        gateway: [192, 168, 1, last].into(),
        dev,
    }
}

fn actual(routes: &[Route]) -> Actual {
    let mut actual = Actual::new();
    for route in routes.iter().filter(|route| is_ours(route)) {
        actual.entry(route.dst).or_default().push(route.clone());
    }
    actual
}

/// Applies steps as the kernel does: one route per prefix and metric, with `EXCL` and `REPLACE`.
fn apply(steps: &[PlanStep], table: &mut Vec<Route>) {
    for step in steps {
        match &step.request() {
            NetlinkRequest::AddRoute(new) => {
                if !table.iter().any(|route| same_key(route, new)) {
                    table.push(new.clone());
                }
            }
            NetlinkRequest::ReplaceRoute(new) => {
                table.retain(|route| !same_key(route, new));
                table.push(new.clone());
            }
            NetlinkRequest::DelRoute(old) => table.retain(|route| route != old),
            other => panic!("{other} is no request about a route"),
        }
    }
}

#[test]
fn plan_of_equal_tables_is_empty() {
    let dst = net("10.244.7.0/24");
    let own = net("10.244.1.0/24");
    let desired = Desired::from([(dst, via(2, 4)), (own, RoutePath::Unreachable)]);
    let table = [route(dst, via(2, 4)), route(own, RoutePath::Unreachable)];
    assert_eq!(diff(&desired, &actual(&table), &UpdateScope::All), []);
}

#[test]
fn moved_next_hop_is_one_replace() {
    let dst = net("10.244.7.0/24");
    let old = route(dst, via(2, 4));
    let new = route(dst, via(3, 4));
    let steps = diff(
        &[(dst, via(3, 4))].into(),
        &actual(std::slice::from_ref(&old)),
        &UpdateScope::All,
    );
    assert_eq!(
        steps[0].request(),
        NetlinkRequest::ReplaceRoute(new.clone())
    );
    let change = RouteChange::Replace { old, new };
    assert_eq!(steps, [PlanStep { dst, change }]);
}

#[test]
fn plan_orders_own_subnets_first_and_removals_last() {
    let (stale, peer, own) = (
        net("10.244.1.0/24"),
        net("10.244.2.0/24"),
        net("10.244.3.0/24"),
    );
    let desired = Desired::from([(peer, via(2, 4)), (own, RoutePath::Unreachable)]);
    let steps = diff(
        &desired,
        &actual(&[route(stale, via(3, 4))]),
        &UpdateScope::All,
    );
    let order: Vec<_> = steps.iter().map(|step| step.dst).collect();
    assert_eq!(order, [own, peer, stale]);
}

#[test]
fn second_route_with_another_metric_is_removed() {
    let dst = net("10.244.7.0/24");
    let right = route(dst, via(2, 4));
    let wrong = Route {
        metric: Some(50),
        ..right.clone()
    };
    let steps = diff(
        &[(dst, via(2, 4))].into(),
        &actual(&[wrong.clone(), right]),
        &UpdateScope::All,
    );
    assert_eq!(steps, [remove(&wrong)]);
}

#[test]
fn changed_source_address_is_replaced() {
    let dst = net("10.244.7.0/24");
    let right = route(dst, via(2, 4));
    let wrong = Route {
        src: Some([10, 0, 0, 1].into()),
        ..right.clone()
    };
    let steps = diff(
        &[(dst, via(2, 4))].into(),
        &actual(std::slice::from_ref(&wrong)),
        &UpdateScope::All,
    );
    assert_eq!(steps, [replace(&wrong, right)]);
}

#[test]
fn plan_within_scope_touches_nothing_else() {
    let (a, b) = (net("10.244.1.0/24"), net("10.244.2.0/24"));
    let desired = Desired::from([(a, via(2, 4)), (b, via(3, 4))]);
    let steps = diff(&desired, &Actual::new(), &UpdateScope::Only([b].into()));
    assert_eq!(steps, [add(route(b, via(3, 4)))]);
}

#[test]
fn route_with_gateway_or_unreachable_is_ours() {
    let host = |kind| Route {
        dev: Some(9),
        ..Route::new(net("10.244.1.5/32"), kind)
    };
    let peer = route(net("10.244.7.0/24"), via(2, 4));
    for (candidate, expected) in [
        (peer.clone(), true),
        (route(net("10.244.1.0/24"), RoutePath::Unreachable), true),
        (route(net("10.244.1.5/32"), via(2, 4)), true),
        (host(RouteKind::Unreachable), true),
        // A pod's host route, for both families.
        (host(RouteKind::Unicast), false),
        (
            Route {
                dst: net("fd00::5/128"),
                ..host(RouteKind::Unicast)
            },
            false,
        ),
        (
            Route {
                protocol: 4,
                ..peer.clone()
            },
            false,
        ),
        (
            Route {
                protocol: 2,
                ..peer
            },
            false,
        ),
    ] {
        assert_eq!(is_ours(&candidate), expected, "{candidate}");
    }
}

fn any_subnet() -> impl Strategy<Value = IpNet> {
    prop_oneof![
        (0u8..6).prop_map(|n| IpNet::new([10, 244, n, 0].into(), 24).unwrap()),
        (0u16..6).prop_map(|n| IpNet::new([0xfd00, 0, 0, 0, n, 0, 0, 0].into(), 80).unwrap()),
    ]
}

fn any_path(dst: IpNet) -> impl Strategy<Value = (IpNet, RoutePath)> {
    let gateway = move |n: u8| match dst {
        IpNet::V4(_) => [192, 168, 1, n].into(),
        IpNet::V6(_) => [0xfd00, 1, 0, 0, 0, 0, 0, u16::from(n)].into(),
    };
    prop_oneof![
        1 => Just((dst, RoutePath::Unreachable)),
        4 => (1u8..4, 2u32..4).prop_map(move |(n, dev)| {
            (dst, RoutePath::Via { gateway: gateway(n), dev })
        }),
    ]
}

fn any_desired() -> impl Strategy<Value = Desired> {
    prop::collection::vec(any_subnet().prop_flat_map(any_path), 0..12)
        .prop_map(|routes| routes.into_iter().collect())
}

/// Routes of ours, of pods and of other programs, one per prefix and metric.
fn any_table() -> impl Strategy<Value = Vec<Route>> {
    let protocol = prop_oneof![3 => Just(ROUTE_PROTOCOL), 1 => Just(4u8), 1 => Just(2u8)];
    let metric = prop_oneof![3 => Just(None), 1 => Just(Some(50u32))];
    let subnet = (any_subnet().prop_flat_map(any_path), protocol, metric).prop_map(
        |((dst, path), protocol, metric)| Route {
            protocol,
            metric,
            ..route(dst, path)
        },
    );
    let pod = any_subnet().prop_map(|subnet| {
        let host = IpNet::new(subnet.addr(), subnet.max_prefix_len()).unwrap();
        Route {
            dev: Some(9),
            ..Route::new(host, RouteKind::Unicast)
        }
    });
    prop::collection::vec(prop_oneof![4 => subnet, 1 => pod], 0..16).prop_map(|routes| {
        let mut table: Vec<Route> = Vec::new();
        for route in routes {
            if !table.iter().any(|other| same_key(other, &route)) {
                table.push(route);
            }
        }
        table
    })
}

proptest! {
    #[test]
    fn applied_plan_makes_ours_desired_and_keeps_others(
        desired in any_desired(),
        before in any_table(),
    ) {
        let mut after = before.clone();
        apply(&diff(&desired, &actual(&before), &UpdateScope::All), &mut after);

        let foreign = |table: &[Route]| -> Vec<Route> {
            table.iter().filter(|route| !is_ours(route)).cloned().collect()
        };
        prop_assert_eq!(foreign(&before), foreign(&after));

        // There is no route of ours where a foreign one has the same key.
        let others = foreign(&before);
        let wanted = desired.iter().map(|(dst, path)| route(*dst, *path));
        let mut expected: Vec<_> =
            wanted.filter(|route| !others.iter().any(|other| same_key(other, route))).collect();
        let mut ours: Vec<_> = after.into_iter().filter(is_ours).collect();
        expected.sort_by_key(|route| route.dst);
        ours.sort_by_key(|route| route.dst);
        prop_assert_eq!(ours, expected);
    }

    #[test]
    fn applied_plan_leaves_nothing_to_do(desired in any_desired(), before in any_table()) {
        let mut table: Vec<_> = before.into_iter().filter(is_ours).collect();
        apply(&diff(&desired, &actual(&table), &UpdateScope::All), &mut table);
        prop_assert_eq!(diff(&desired, &actual(&table), &UpdateScope::All), []);
    }

    #[test]
    fn desired_destination_always_has_a_route(
        before in any_desired(),
        desired in any_desired(),
    ) {
        let mut table: Vec<_> = before.iter().map(|(dst, path)| route(*dst, *path)).collect();
        for step in diff(&desired, &actual(&table), &UpdateScope::All) {
            apply(&[step], &mut table);
            for dst in before.keys().filter(|dst| desired.contains_key(dst)) {
                prop_assert!(table.iter().any(|route| route.dst == *dst));
            }
        }
    }
}
