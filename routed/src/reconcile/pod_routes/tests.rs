use super::*;

fn pods(routes: &[(&str, Option<&str>)]) -> PodRoutes {
    let route = |(dst, src): &(&str, Option<&str>)| Route {
        dev: Some(7),
        src: src.map(|src| src.parse().unwrap()),
        ..Route::new(dst.parse().unwrap(), RouteKind::Unicast)
    };
    let routes = routes.iter().map(route);
    routes.map(|route| (route.dst, route)).collect()
}

fn link(index: u32, up: bool, address: &str) -> NodeLink {
    let address: ipnetwork::IpNetwork = address.parse().unwrap();
    NodeLink {
        index,
        name: format!("eth{index}"),
        up,
        running: up,
        addresses: vec![address],
        lasting: vec![address.ip()],
    }
}

#[test]
fn lost_pod_route_gets_a_valid_source_address() {
    let before = pods(&[
        ("10.244.1.2/32", Some("192.168.1.11")),
        ("10.244.1.3/32", Some("192.168.1.12")),
        ("10.244.1.4/32", None),
        ("10.244.1.5/32", Some("192.168.1.11")),
        ("fd00:10:244:1::2/128", None),
    ]);
    let now = pods(&[("10.244.1.5/32", Some("192.168.1.11"))]);
    let links = [
        link(2, false, "172.16.0.1/24"),
        link(3, true, "192.168.1.12/24"),
    ];
    let expected = pods(&[
        ("10.244.1.2/32", Some("192.168.1.12")),
        ("10.244.1.3/32", Some("192.168.1.12")),
        ("10.244.1.4/32", None),
        ("fd00:10:244:1::2/128", None),
    ]);
    let expected: Vec<_> = expected.into_values().collect();
    assert_eq!(lost(&before, &now, &links), expected);
    let without_source = lost(&before, &now, &[]);
    assert!(without_source.iter().all(|route| route.src.is_none()));
    assert_eq!(without_source.len(), 4);
}

#[test]
fn route_without_source_gets_one_when_an_address_comes() {
    let known = pods(&[
        ("10.244.1.2/32", None),
        ("10.244.1.3/32", Some("192.168.1.12")),
        ("fd00:10:244:1::2/128", None),
    ]);
    let down = link(2, false, "172.16.0.1/24");
    assert_eq!(completed(&known, &[down]), []);
    let up = link(3, true, "192.168.1.12/24");
    let expected = pods(&[("10.244.1.2/32", Some("192.168.1.12"))]);
    let expected: Vec<_> = expected.into_values().collect();
    assert_eq!(completed(&known, &[up]), expected);
}
