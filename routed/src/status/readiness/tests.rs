use super::*;

const READY: Readiness<'_> = Readiness {
    registry_seen: true,
    registry_failure: None,
    has_joined: true,
    join_failure: None,
    owns_subnet: true,
    has_address: true,
    forwards: true,
    firewall_ready: true,
    routes_missing: 0,
    seen_since_boot: true,
    overlap: None,
    conflist_missing: None,
};

#[test]
fn missing_conditions_are_listed_as_sentences() {
    let not_installed = Readiness {
        conflist_missing: Some("the conflist is not installed yet"),
        ..READY
    };
    for (readiness, expected) in [
        (READY, &[][..]),
        (
            Readiness {
                registry_seen: false,
                registry_failure: Some("refused"),
                has_joined: false,
                ..not_installed
            },
            &[
                "the registry has not been read yet: refused",
                "the conflist is not installed yet",
            ],
        ),
        (
            Readiness {
                has_joined: false,
                join_failure: Some("name taken"),
                owns_subnet: false,
                forwards: false,
                ..not_installed
            },
            &[
                "this node has not joined the network yet: name taken",
                "this node owns no subnet",
                "the conflist is not installed yet",
            ],
        ),
        (
            Readiness {
                has_address: false,
                forwards: false,
                firewall_ready: false,
                ..not_installed
            },
            &[
                "this node has no address by which peers reach it",
                "this node does not forward packets",
                "pods are not masqueraded yet",
                "the conflist is not installed yet",
            ],
        ),
        (
            Readiness {
                routes_missing: 2,
                ..not_installed
            },
            &[
                "routes not in the kernel yet: 2",
                "the conflist is not installed yet",
            ],
        ),
    ] {
        assert_eq!(readiness.missing(), expected);
    }
}

#[test]
fn ready_node_stays_ready_without_etcd_or_a_peer_route() {
    let later = Readiness {
        registry_failure: Some("refused"),
        routes_missing: 1,
        ..READY
    };
    assert!(later.missing().is_empty());
}

#[test]
fn daemon_started_without_etcd_says_what_is_there() {
    let restarted = Readiness {
        registry_seen: false,
        registry_failure: Some("refused"),
        has_joined: false,
        overlap: Some("overlaps"),
        ..READY
    };
    assert_eq!(restarted.missing(), [""; 0]);
    let rebooted = Readiness {
        seen_since_boot: false,
        overlap: None,
        ..restarted
    };
    let expected = ["the registry has not been read yet: refused"];
    assert_eq!(rebooted.missing(), expected);
    let new = Readiness {
        overlap: Some("overlaps"),
        conflist_missing: Some("not installed"),
        ..restarted
    };
    let expected = [
        "overlaps",
        "the registry has not been read yet: refused",
        "not installed",
    ];
    assert_eq!(new.missing(), expected);
    // Another machine has the name.
    let refused = Readiness {
        registry_seen: true,
        registry_failure: None,
        join_failure: Some("name taken"),
        overlap: None,
        ..restarted
    };
    let expected = ["this node has not joined the network yet: name taken"];
    assert_eq!(refused.missing(), expected);
    // etcd goes away before the node has joined.
    let cut_off = Readiness {
        registry_failure: Some("refused"),
        ..refused
    };
    assert_eq!(cut_off.missing(), [""; 0]);
}
