use ipnet::IpNet;
use wire::netlink::{Route, RouteKind};

use super::*;
use crate::fib::plan::Actual;
use crate::kernel::NodeLink;
use crate::status::{RouteObstacle, RouteRow, RouteTarget};

fn links() -> Vec<NodeLink> {
    vec![NodeLink {
        index: 4,
        name: "eth0".into(),
        up: true,
        running: true,
        lasting: Vec::new(),
        addresses: vec![],
    }]
}

fn subnet(number: u8) -> IpNet {
    format!("10.244.{number}.0/24").parse().unwrap()
}

fn via(number: u8, last: u8) -> Route {
    Route {
        via: Some(format!("192.168.1.{last}").parse().unwrap()),
        dev: Some(4),
        ..Route::new(subnet(number), RouteKind::Unicast)
    }
}

fn row(number: u8, desired: Option<u8>) -> RouteRow {
    let gateway = |last: u8| format!("192.168.1.{last}").parse().unwrap();
    RouteRow {
        subnet: subnet(number),
        node: NodeName::new(&format!("n{number}")).ok(),
        desired: desired.map(|last| RouteTarget::Via {
            gateway: gateway(last),
            dev: "eth0".into(),
        }),
        held: false,
        obstacle: None,
        why: None,
    }
}

#[test]
fn each_difference_has_its_state() {
    let held = RouteRow {
        held: true,
        ..row(2, Some(2))
    };
    let conflict = RouteRow {
        obstacle: Some(RouteObstacle::Conflict),
        ..row(5, Some(5))
    };
    let refused = RouteRow {
        obstacle: Some(RouteObstacle::Refused),
        ..row(6, Some(6))
    };
    let desired = vec![
        row(1, Some(1)),
        held,
        row(3, Some(3)),
        row(4, Some(4)),
        conflict,
        refused,
        row(7, None),
        row(8, None),
    ];
    let routes = [via(1, 1), via(2, 2), via(4, 9), via(8, 8), via(9, 9)];
    let actual: Actual = routes.iter().map(|it| (it.dst, vec![it.clone()])).collect();
    let states: Vec<_> = compare(desired, &actual, &links(), true)
        .into_iter()
        .map(|route| route.state)
        .collect();
    assert_eq!(
        states,
        [
            RouteState::Ok,
            RouteState::Held,
            RouteState::Missing,
            RouteState::Wrong,
            RouteState::Conflict,
            RouteState::Refused,
            RouteState::None,
            RouteState::Stale,
            RouteState::Stale,
        ]
    );
    let offline = compare(Vec::new(), &actual, &links(), false);
    assert!(
        offline
            .iter()
            .all(|route| route.state == RouteState::Unknown)
    );
}

#[test]
fn table_shows_an_equal_route_once() {
    let desired = vec![row(1, Some(1)), row(4, Some(4))];
    let actual = [(subnet(1), vec![via(1, 1)])].into();
    let text = table(&compare(desired, &actual, &links(), true), Terminal::PIPE);
    let expected = "\
SUBNET         NODE  DESIRED                   ACTUAL  STATE
10.244.1.0/24  n1    via 192.168.1.1 dev eth0  same    ok
10.244.4.0/24  n4    via 192.168.1.4 dev eth0  none    missing";
    assert_eq!(text, expected);
}
