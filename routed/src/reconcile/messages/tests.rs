use super::*;

#[test]
fn conflict_message_names_both_routes() {
    let links = [NodeLink {
        index: 4,
        name: "eth0".into(),
        up: true,
        running: true,
        addresses: vec![],
        lasting: vec![],
    }];
    let dst = "10.244.7.0/24".parse().unwrap();
    let mut wanted = Route::new(dst, RouteKind::Unicast);
    (wanted.via, wanted.dev) = (Some("192.168.1.2".parse().unwrap()), Some(4));
    let mut foreign = wanted.clone();
    (foreign.via, foreign.protocol) = (Some("192.168.1.254".parse().unwrap()), 4);
    let peer = NodeName::new("n2").unwrap();
    assert_eq!(
        failure_line(&wanted, Some(&peer), &ApplyError::Conflict(foreign), &links),
        "route to 10.244.7.0/24 (n2) via 192.168.1.2 dev eth0: conflict with a route of \
             another program: 10.244.7.0/24 via 192.168.1.254 dev eth0 proto static; it is \
             kept, remove it to let this one in"
    );
}
