use registry::{Claim, NodeRecord};
use wire::conf::CrossSubnet;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// Cluster 7 at revision 100, with the claims `(node, subnet)`.
fn registry(claims: &[(&str, &str)]) -> Snapshot {
    let claims = claims
        .iter()
        .map(|(name, subnet)| (net(subnet), Claim { node: node(name) }));
    Snapshot {
        revision: 100,
        cluster: 7,
        network: Some(Network {
            pod_cidrs: vec![net("10.244.0.0/16")],
            subnet_lengths: vec![24],
        }),
        subnets: claims.collect(),
        ..Snapshot::default()
    }
}

const SEEN: LastSeen = LastSeen {
    cluster: Some(7),
    revision: 90,
};
const OWN: (&str, &str) = ("n1", "10.244.1.0/24");
const PEER: (&str, &str) = ("n2", "10.244.2.0/24");

fn verdict(seen: LastSeen, owned: &[&str], view: &Snapshot) -> Result<(), Distrust> {
    withdrawals_allowed(seen, &local(owned), view, &ClaimIndex::new(view))
}

/// The node n1 with these subnets.
fn local(owned: &[&str]) -> LocalNode {
    let network = registry(&[]).network.unwrap();
    let mut local = LocalNode::new(node("n1"), network, CrossSubnet::Report);
    local.owned = owned.iter().map(|subnet| net(subnet)).collect();
    local
}

#[test]
fn node_without_subnets_knows_kubernetes_by_its_machine() {
    let of_machine = |machine: &str| {
        let mut view = registry(&[PEER]);
        let record = NodeRecord {
            addresses: Vec::new(),
            machine_id: machine.to_owned(),
            session: None,
        };
        view.nodes.insert(node("n1"), record);
        view
    };
    let other_cluster = Distrust::OtherCluster { before: 8, now: 7 };
    let seen_other = LastSeen {
        cluster: Some(8),
        revision: 0,
    };
    for (ours, seen, view, expected) in [
        (Some("ABC"), SEEN, of_machine("abc"), Ok(())),
        (Some("ABC"), LastSeen::default(), of_machine("abc"), Ok(())),
        (Some("abc"), SEEN, of_machine("d"), Err(Distrust::NotJoined)),
        (Some("abc"), SEEN, of_machine(""), Err(Distrust::NotJoined)),
        (Some(""), SEEN, of_machine(""), Err(Distrust::NotJoined)),
        (
            Some("abc"),
            SEEN,
            registry(&[PEER]),
            Err(Distrust::NotJoined),
        ),
        (
            Some("abc"),
            seen_other,
            of_machine("abc"),
            Err(other_cluster),
        ),
        // In an etcd, the node writes its record itself, also after the data was lost.
        (None, SEEN, of_machine("abc"), Err(Distrust::NotJoined)),
    ] {
        let mut local = local(&[]);
        local.registered_machine = ours.map(str::to_owned);
        let found = withdrawals_allowed(seen, &local, &view, &ClaimIndex::new(&view));
        assert_eq!(found, expected, "{ours:?} {seen:?}");
    }
    // Subnets of which the registry lacks the claims say more than the machine.
    let mut local = local(&["10.244.1.0/24"]);
    local.registered_machine = Some("abc".to_owned());
    let view = of_machine("abc");
    let found = withdrawals_allowed(SEEN, &local, &view, &ClaimIndex::new(&view));
    let missing = Distrust::OwnClaimsMissing(vec![net("10.244.1.0/24")]);
    assert_eq!(found, Err(missing));
}

#[test]
fn known_registry_is_trusted() {
    for (seen, owned, view) in [
        (SEEN, &["10.244.1.0/24"][..], registry(&[OWN, PEER])),
        (SEEN, &["10.244.1.0/24"], registry(&[OWN])),
        // The first start after an upgrade: no state file, but the owned claims are there.
        (
            LastSeen::default(),
            &["10.244.1.0/24"],
            registry(&[OWN, PEER]),
        ),
        // The list of owned subnets was lost, but the registry has them.
        (LastSeen::default(), &[], registry(&[OWN, PEER])),
        (
            LastSeen {
                cluster: Some(7),
                revision: 100,
            },
            &["10.244.1.0/24"],
            registry(&[OWN]),
        ),
    ] {
        assert_eq!(verdict(seen, owned, &view), Ok(()), "{seen:?} {owned:?}");
    }
}

#[test]
fn foreign_older_or_emptied_registry_is_not_trusted() {
    let own = &["10.244.1.0/24"][..];
    let missing = || Distrust::OwnClaimsMissing(vec![net("10.244.1.0/24")]);
    let without_config = Snapshot {
        network: None,
        ..registry(&[OWN, PEER])
    };
    for (seen, owned, view, expected) in [
        (SEEN, own, registry(&[]), missing()),
        (SEEN, own, registry(&[PEER]), missing()),
        // Another node has what this node owns.
        (SEEN, own, registry(&[("n2", "10.244.1.0/24")]), missing()),
        (SEEN, own, without_config, Distrust::NoConfig),
        (
            SEEN,
            own,
            Snapshot::default(),
            Distrust::OtherCluster { before: 7, now: 0 },
        ),
        (
            LastSeen {
                cluster: Some(8),
                revision: 0,
            },
            own,
            registry(&[OWN, PEER]),
            Distrust::OtherCluster { before: 8, now: 7 },
        ),
        (
            LastSeen {
                cluster: Some(7),
                revision: 101,
            },
            own,
            registry(&[OWN, PEER]),
            Distrust::Older {
                before: 101,
                now: 100,
            },
        ),
        (
            LastSeen::default(),
            &[],
            registry(&[PEER]),
            Distrust::NotJoined,
        ),
        (LastSeen::default(), &[], registry(&[]), Distrust::NotJoined),
    ] {
        assert_eq!(
            verdict(seen, owned, &view),
            Err(expected),
            "{seen:?} {owned:?}"
        );
    }
}

#[test]
fn one_missing_own_claim_of_two_is_not_trusted() {
    let owned = ["10.244.1.0/24", "10.244.9.0/24"];
    let missing = Distrust::OwnClaimsMissing(vec![net("10.244.9.0/24")]);
    assert_eq!(verdict(SEEN, &owned, &registry(&[OWN, PEER])), Err(missing));
}

fn path() -> RoutePath {
    RoutePath::Via {
        gateway: "192.168.1.2".parse().unwrap(),
        dev: 2,
    }
}

/// What stays held after a snapshot, of one route found at the start and one held before it.
fn settled(claims: &[(&str, &str)], trusted: bool) -> Vec<String> {
    let mut held = HeldRoutes::default();
    let held_before = [(net("10.244.3.0/24"), None)].into();
    held.adopt(net("10.244.2.0/24"), path(), &held_before);
    held.adopt(net("10.244.3.0/24"), path(), &held_before);
    held.release_confirmed(&registry(claims), trusted);
    held.all().map(|subnet| subnet.to_string()).collect()
}

#[test]
fn trusted_snapshot_releases_routes_found_at_start() {
    assert_eq!(settled(&[OWN], true), ["10.244.3.0/24"]);
    assert_eq!(settled(&[OWN, PEER], true), ["10.244.3.0/24"]);
    assert!(settled(&[OWN, ("n3", "10.244.3.0/24")], true).is_empty());
}

#[test]
fn untrusted_snapshot_releases_only_claimed_subnets() {
    assert_eq!(settled(&[], false), ["10.244.2.0/24", "10.244.3.0/24"]);
    assert_eq!(settled(&[PEER], false), ["10.244.3.0/24"]);
}

#[test]
fn held_route_stays_held_after_registry_is_trusted_again() {
    let mut held = HeldRoutes::default();
    held.adopt(net("10.244.2.0/24"), path(), &Owners::new());
    held.release_confirmed(&registry(&[]), false);
    held.release_confirmed(&registry(&[OWN]), true);
    assert_eq!(held.persistent(), [(net("10.244.2.0/24"), None)].into());
    assert_eq!(held.path(&net("10.244.2.0/24")), Some(path()));
    held.release(&net("10.244.2.0/24"));
    assert_eq!(held.all().count(), 0);
}

#[test]
fn node_of_held_subnet_is_kept() {
    let (subnet, n2) = (net("10.244.2.0/24"), NodeName::new("n2").unwrap());
    let mut held = HeldRoutes::default();
    held.hold(subnet, path(), Some(&n2));
    held.hold(subnet, path(), None);
    assert_eq!(held.persistent(), [(subnet, Some(n2))].into());
}
