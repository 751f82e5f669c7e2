mod adoption;
mod name;

use crate::protocol::*;
use crate::records::NodeRecord;

const OURS: &str = "our-machine";
const THEIRS: &str = "their-machine";

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Two families, four IPv4 subnets. Node `a` is registered and has no claims.
fn view(claims: &[(&str, &str)]) -> RegistryView {
    RegistryView {
        network: Network {
            pod_cidrs: vec![net("10.0.0.0/22"), net("fd00::/64")],
            subnet_lengths: vec![24, 80],
        },
        network_revision: 2,
        node: Some(NodeRecord {
            addresses: Vec::new(),
            machine_id: OURS.to_owned(),
            session: None,
        }),
        node_revision: 3,
        presence: None,
        claims: claims
            .iter()
            .zip(10..)
            .map(|((subnet, node), revision)| (net(subnet), claimed(Some(node), revision)))
            .collect(),
        exclude: Vec::new(),
        cluster: Some(1),
    }
}

fn claimed(node: Option<&str>, revision: i64) -> Claimed {
    let owner = node.map(name);
    Claimed { owner, revision }
}

fn attempts_of(pending: &[IpNet], races: u32) -> Attempts {
    Attempts {
        pending: pending.to_vec(),
        races,
        ..Attempts::default()
    }
}

fn commit(view: &RegistryView, goal: Goal<'_>, pending: &[IpNet], races: u32) -> Commit {
    commit_after(view, goal, &attempts_of(pending, races))
}

fn commit_after(view: &RegistryView, goal: Goal<'_>, attempts: &Attempts) -> Commit {
    let node = name("a");
    let claimant = Claimant {
        node: &node,
        machine: OURS,
        session: None,
        addresses: None,
    };
    match next_step(view, claimant, goal, attempts).unwrap() {
        NextStep::Commit(commit) => commit,
        NextStep::Done(subnets) => panic!("done with {subnets:?}"),
    }
}

fn done(view: &RegistryView, goal: Goal<'_>) -> Vec<IpNet> {
    let node = name("a");
    let claimant = Claimant {
        node: &node,
        machine: OURS,
        session: None,
        addresses: None,
    };
    match next_step(view, claimant, goal, &Attempts::default()).unwrap() {
        NextStep::Done(subnets) => subnets,
        NextStep::Commit(commit) => panic!("not done: {commit:?}"),
    }
}

#[test]
fn node_claims_one_subnet_of_each_family_and_no_more() {
    let none = commit(&view(&[]), Goal::Subnets { keep: &[] }, &[], 0);
    assert_eq!(none.claims.len(), 2);
    assert_eq!(none.outcome, none.claims);
    let one = view(&[("fd00::/80", "a")]);
    let keep = [net("fd00::/80")];
    let half = commit(&one, Goal::Subnets { keep: &keep }, &[], 0);
    assert_eq!(half.claims.len(), 1);
    assert_eq!(half.outcome, [half.claims[0], net("fd00::/80")]);
    let both = view(&[
        ("10.0.1.0/24", "a"),
        ("10.0.2.0/24", "a"),
        ("fd00::/80", "a"),
    ]);
    let keep = [net("fd00::/80"), net("10.0.2.0/24"), net("10.0.1.0/24")];
    let owned = done(&both, Goal::Subnets { keep: &keep });
    assert_eq!(
        owned,
        [net("10.0.1.0/24"), net("10.0.2.0/24"), net("fd00::/80")]
    );
}

#[test]
fn completely_excluded_subnet_is_not_claimed() {
    let pod_cidr = net("10.0.0.0/22");
    let further = Goal::Further {
        pod_cidr: &pod_cidr,
        known: None,
    };
    let mut seen = view(&[("10.0.3.0/24", "b")]);
    seen.exclude = vec![
        net("10.0.0.0/23"),
        net("10.0.2.0/25"),
        net("fd00::/65"),
        net("10.0.3.0/24"),
    ];
    for attempt in 0..10 {
        let claims = commit(&seen, further, &[], attempt).claims;
        assert_eq!(claims, [net("10.0.2.0/24")], "it is excluded only in part");
    }
    seen.claims
        .insert(net("10.0.2.0/24"), claimed(Some("c"), 9));
    let node = name("a");
    let claimant = Claimant {
        node: &node,
        machine: OURS,
        session: None,
        addresses: None,
    };
    match next_step(&seen, claimant, further, &Attempts::default()) {
        Err(Error::Exhausted {
            total, excluded, ..
        }) => assert_eq!((total, excluded), (4, 3)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn subnet_is_given_back_only_by_its_nodes_machine() {
    let (node, subnet) = (name("a"), net("10.0.1.0/24"));
    let claimant = Claimant {
        node: &node,
        machine: OURS,
        session: None,
        addresses: None,
    };
    let record = |machine: &str| NodeRecord {
        addresses: Vec::new(),
        machine_id: machine.to_owned(),
        session: None,
    };
    let release = |owner: Option<Option<&str>>, machine: Option<&str>| {
        let view = ClaimView {
            claim: owner.map(|owner| claimed(owner, 7)),
            node: machine.map(record),
            node_revision: machine.map_or(0, |_| 5),
        };
        release(&view, claimant, &subnet)
    };
    assert_eq!(release(None, Some(OURS)).unwrap(), None);
    for (machine, revision) in [(Some(OURS), 5), (None, 0)] {
        let key = Key::Subnet(subnet);
        let expected = Transaction {
            conditions: vec![
                Condition::new(key.clone(), 7),
                Condition::new(Key::Node(node.clone()), revision),
            ],
            writes: vec![Write::Delete(key)],
        };
        assert_eq!(release(Some(Some("a")), machine).unwrap(), Some(expected));
    }
    for owner in [Some("b"), None] {
        let refused = release(Some(owner), Some(OURS));
        assert!(matches!(refused, Err(Error::NotOwned { .. })), "{owner:?}");
    }
    let refused = release(Some(Some("a")), Some(THEIRS));
    assert!(matches!(refused, Err(Error::NodeTaken { .. })));
}

#[test]
fn claims_are_conditional_on_the_view() {
    let first = commit(&view(&[]), Goal::Subnets { keep: &[] }, &[], 0);
    assert_eq!((first.network_revision, first.name.revision), (2, 3));
    assert_eq!(first.name.presence, None);
    let not_agreed = RegistryView {
        network_revision: 0,
        ..view(&[])
    };
    assert_eq!(commit(&not_agreed, Goal::Name, &[], 0).network_revision, 0);
    let node = Some(NodeRecord {
        addresses: Vec::new(),
        machine_id: THEIRS.to_owned(),
        session: None,
    });
    let taken = RegistryView { node, ..view(&[]) };
    assert_eq!(commit(&taken, Goal::Name, &[], 0).name.presence, Some(0));
}

#[test]
fn unreadable_claim_has_no_owner_and_is_not_free() {
    let mut seen = view(&[
        ("10.0.0.0/24", "b"),
        ("10.0.1.0/24", "b"),
        ("10.0.2.0/24", "b"),
    ]);
    seen.claims.insert(net("10.0.3.0/24"), claimed(None, 9));
    let node = name("a");
    let claimant = Claimant {
        node: &node,
        machine: OURS,
        session: None,
        addresses: None,
    };
    let pod_cidr = net("10.0.0.0/22");
    match next_step(
        &seen,
        claimant,
        Goal::Further {
            pod_cidr: &pod_cidr,
            known: None,
        },
        &Attempts::default(),
    ) {
        Err(Error::Exhausted { total, by_node, .. }) => {
            assert_eq!((total, by_node[&name("b")]), (4, 3));
        }
        other => panic!("{other:?}"),
    }
}
