use super::*;

fn link(role: Role) -> LinkFacts {
    LinkFacts {
        index: 2,
        name: "eth0".to_owned(),
        role,
        ..LinkFacts::default()
    }
}

#[test]
fn links_on_the_way_of_pods_forward_ipv4() {
    for (role, v4, expected) in [
        (Role::Uplink, true, true),
        (Role::HostEnd, true, true),
        (Role::Hardware, true, false),
        (Role::Other, true, false),
        (Role::Uplink, false, false),
    ] {
        let facts = LinkFacts {
            forwards_not: true,
            ..link(role)
        };
        let found = decide(&[facts, link(role)], v4, true, false);
        let link = "eth0".to_owned();
        let drift = expected.then_some(Drift::Forwarding { link });
        assert_eq!(found, Vec::from_iter(drift), "{role:?} {v4}");
    }
}

#[test]
fn links_that_may_learn_from_routers_listen() {
    for (role, is_static, own_default, expected) in [
        (Role::Uplink, false, false, true),
        // Another link has the default route, or an administrator gave the node one.
        (Role::Uplink, false, true, true),
        (Role::Hardware, false, true, true),
        // The default route is the one that it has learned, or had.
        (Role::Uplink, true, false, true),
        (Role::Uplink, true, true, false),
        (Role::Hardware, true, true, false),
        (Role::HostEnd, false, false, false),
        (Role::Other, false, false, false),
    ] {
        let facts = LinkFacts {
            ignores_advertisements: true,
            is_static,
            ..link(role)
        };
        let found = decide(std::slice::from_ref(&facts), true, true, own_default);
        assert_eq!(!found.is_empty(), expected, "{facts:?} {own_default}");
        assert_eq!(decide(&[facts], true, false, own_default), [], "IPv4 only");
    }
}
