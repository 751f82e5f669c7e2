use super::*;
use crate::records::NodeRecord;

const OURS: &str = "our-machine";
const THEIRS: &str = "their-machine";

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Two families, four IPv4 subnets; node `a` is known and has claimed nothing.
fn view(claims: &[(&str, &str)]) -> View {
    View {
        network: Network {
            pod_cidrs: vec![net("10.0.0.0/22"), net("fd00::/64")],
            subnet_lengths: vec![24, 80],
        },
        network_revision: 2,
        node: Some(NodeRecord {
            addresses: Vec::new(),
            machine_id: OURS.to_owned(),
        }),
        node_revision: 3,
        is_present: false,
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

fn tried(pending: &[IpNet], races: u32) -> Tried {
    Tried {
        pending: pending.to_vec(),
        races,
        ..Tried::default()
    }
}

fn commit(view: &View, want: Want<'_>, pending: &[IpNet], races: u32) -> Commit {
    commit_after(view, want, &tried(pending, races))
}

fn commit_after(view: &View, want: Want<'_>, tried: &Tried) -> Commit {
    let node = name("a");
    let me = Me {
        node: &node,
        machine: OURS,
        addresses: None,
    };
    match next(view, me, want, tried).unwrap() {
        Step::Commit(commit) => commit,
        Step::Done(subnets) => panic!("done with {subnets:?}"),
    }
}

fn done(view: &View, want: Want<'_>) -> Vec<IpNet> {
    let node = name("a");
    let me = Me {
        node: &node,
        machine: OURS,
        addresses: None,
    };
    match next(view, me, want, &Tried::default()).unwrap() {
        Step::Done(subnets) => subnets,
        Step::Commit(commit) => panic!("not done: {commit:?}"),
    }
}

#[test]
fn how_a_name_is_held_depends_on_who_has_it_and_who_is_there() {
    let node = name("a");
    let address: IpAddr = "192.168.1.20".parse().unwrap();
    let other: IpAddr = "192.168.1.21".parse().unwrap();
    let record = |machine: &str, address| {
        Some(NodeRecord {
            addresses: vec![address],
            machine_id: machine.to_owned(),
        })
    };
    let rows = [
        (None, false, None, Registration::New),
        (record(OURS, address), true, None, Registration::Unchanged),
        (
            record(OURS, address),
            true,
            Some(vec![address]),
            Registration::Unchanged,
        ),
        (
            record(OURS, address),
            true,
            Some(vec![other]),
            Registration::Updated,
        ),
        (
            record(THEIRS, address),
            false,
            None,
            Registration::TookOver {
                from: record(THEIRS, address).unwrap(),
            },
        ),
    ];
    for (record, is_present, addresses, expected) in rows {
        let seen = View {
            node: record.clone(),
            is_present,
            ..view(&[])
        };
        let me = Me {
            node: &node,
            machine: OURS,
            addresses: addresses.as_deref(),
        };
        let hold = hold(&seen, me).unwrap();
        assert_eq!(hold.registration, expected);
        assert_eq!(hold.write.is_none(), expected == Registration::Unchanged);
        assert!(hold.write.is_none_or(|record| record.machine_id == OURS));
        assert_eq!(hold.revision, seen.node_revision);
    }
    let taken = View {
        node: record(THEIRS, address),
        is_present: true,
        ..view(&[])
    };
    let me = Me {
        node: &node,
        machine: OURS,
        addresses: None,
    };
    assert!(matches!(hold(&taken, me), Err(Error::NodeTaken { .. })));
}

#[test]
fn a_node_wants_one_subnet_of_each_family_and_no_more() {
    let none = commit(&view(&[]), Want::Subnets { keep: &[] }, &[], 0);
    assert_eq!(none.claims.len(), 2);
    assert_eq!(none.outcome, none.claims);
    let one = view(&[("fd00::/80", "a")]);
    let keep = [net("fd00::/80")];
    let half = commit(&one, Want::Subnets { keep: &keep }, &[], 0);
    assert_eq!(half.claims.len(), 1);
    assert_eq!(half.outcome, [half.claims[0], net("fd00::/80")]);
    let both = view(&[
        ("10.0.1.0/24", "a"),
        ("10.0.2.0/24", "a"),
        ("fd00::/80", "a"),
    ]);
    let keep = [net("fd00::/80"), net("10.0.2.0/24"), net("10.0.1.0/24")];
    let owned = done(&both, Want::Subnets { keep: &keep });
    assert_eq!(
        owned,
        [net("10.0.1.0/24"), net("10.0.2.0/24"), net("fd00::/80")]
    );
}

#[test]
fn remembered_subnets_are_claimed_again_if_they_are_free_and_fit() {
    let seen = view(&[("10.0.2.0/24", "b"), ("fd00::/80", "a")]);
    let keep = [
        net("10.0.1.0/24"),
        net("10.0.2.0/24"),
        net("10.9.0.0/24"),
        net("fd00::/80"),
    ];
    let commit = commit(&seen, Want::Subnets { keep: &keep }, &[], 0);
    assert_eq!(commit.claims, [net("10.0.1.0/24")]);
    assert_eq!(commit.outcome, [net("10.0.1.0/24"), net("fd00::/80")]);
}

#[test]
fn more_remembered_subnets_than_a_transaction_takes_are_claimed_in_several() {
    let mut seen = view(&[]);
    let pool = Pool::new(net("fd00::/64"), 80, []);
    let keep: Vec<_> = (0..80)
        .map(|n| pool.choose(&name("x"), n).unwrap())
        .collect();
    assert_eq!(commits_until_all(&mut seen, &keep), 3);
    assert!(
        keep.iter()
            .all(|subnet| seen.claims[subnet].is_by(&name("a")))
    );
    let before = seen.clone();
    assert_eq!(
        commits_until_all(&mut seen, &[]),
        3,
        "as many are adopted if none is remembered"
    );
    for (subnet, claim) in &before.claims {
        assert!(seen.claims[subnet].revision > claim.revision, "{subnet}");
    }
}

/// How many commits bring together what the registry has and what the node remembers.
fn commits_until_all(seen: &mut View, keep: &[IpNet]) -> usize {
    let (mut tried, mut commits) = (Tried::default(), 0);
    loop {
        let commit = commit_after(seen, Want::Subnets { keep }, &tried);
        let transaction = commit.transaction(&name("a"));
        assert!(transaction.conditions.len() <= 128, "as many as etcd takes");
        commits += 1;
        for subnet in commit.written() {
            let revision = seen.claims.get(&subnet).map_or(1, |it| it.revision + 1);
            seen.claims.insert(subnet, claimed(Some("a"), revision));
        }
        tried.written.extend(commit.written());
        if commit.is_all {
            return commits;
        }
    }
}

#[test]
fn a_claim_that_may_have_happened_is_found_or_tried_again_before_any_other() {
    let pod_cidr = net("10.0.0.0/22");
    let further = Want::Further {
        pod_cidr: &pod_cidr,
        known: None,
    };
    let first = commit(&view(&[]), further, &[], 0).claims[0];
    let text = first.to_string();
    let found = commit(&view(&[(&text, "a")]), further, &[first], 0);
    assert_eq!((found.claims, found.adopted), (vec![], vec![(first, 10)]));
    for attempt in 0..10 {
        assert_eq!(
            commit(&view(&[]), further, &[first], attempt).claims,
            [first]
        );
        assert_ne!(
            commit(&view(&[(&text, "b")]), further, &[first], attempt).claims,
            [first]
        );
    }
}

#[test]
fn a_claim_that_the_node_does_not_know_of_is_adopted_before_another_is_made() {
    let pod_cidr = net("10.0.0.0/22");
    let known = [net("10.0.1.0/24"), net("fd00::/80")];
    let further = Want::Further {
        pod_cidr: &pod_cidr,
        known: Some(&known),
    };
    let seen = [
        ("10.0.1.0/24", "a"),
        ("10.0.2.0/24", "b"),
        ("fd00::/80", "a"),
        ("fd00:0:0:0:9::/80", "a"),
    ];
    let new = commit(&view(&seen), further, &[], 0).claims;
    assert!([net("10.0.0.0/24"), net("10.0.3.0/24")].contains(&new[0]));
    let more = [&seen[..], &[("10.0.3.0/24", "a")]].concat();
    let found = commit(&view(&more), further, &[], 0);
    assert_eq!(found.outcome, [net("10.0.3.0/24")]);
    assert_eq!(
        (found.claims, found.adopted),
        (vec![], vec![(net("10.0.3.0/24"), 14)])
    );
}

#[test]
fn what_is_adopted_is_written_again_so_that_an_earlier_release_of_it_fails() {
    let node = name("a");
    let me = Me {
        node: &node,
        machine: OURS,
        addresses: None,
    };
    let seen = view(&[
        ("10.0.1.0/24", "a"),
        ("10.0.2.0/24", "a"),
        ("fd00::/80", "a"),
    ]);
    let given_back = net("10.0.2.0/24");
    let claim = ClaimView {
        claim: seen.claims.get(&given_back).cloned(),
        node: seen.node.clone(),
        node_revision: seen.node_revision,
    };
    let late = release(&claim, me, &given_back).unwrap().unwrap();
    let rests_on = Condition::new(Key::Subnet(given_back), 11);
    assert!(late.conditions.contains(&rests_on));

    let keep = [net("10.0.1.0/24"), net("fd00::/80")];
    let pod_cidr = net("10.0.0.0/22");
    let further = Want::Further {
        pod_cidr: &pod_cidr,
        known: Some(&keep),
    };
    for want in [
        Want::Subnets { keep: &keep },
        Want::Kept { keep: &keep },
        further,
    ] {
        let adoption = commit(&seen, want, &[], 0);
        assert!(adoption.outcome.contains(&given_back));
        let adoption = adoption.transaction(&node);
        // So only one of the two happens, whichever comes first.
        assert!(adoption.conditions.contains(&rests_on));
        assert_eq!(
            adoption.writes,
            [Write::Claim(given_back, node.clone())],
            "{want:?}"
        );
    }
}

#[test]
fn what_is_kept_is_what_others_have_not_and_nothing_is_chosen() {
    let seen = view(&[("10.0.1.0/24", "b"), ("10.0.3.0/24", "a")]);
    let keep = [net("10.0.1.0/24"), net("10.0.2.0/24"), net("10.0.3.0/24")];
    let kept = commit(&seen, Want::Kept { keep: &keep }, &[], 0);
    assert_eq!(kept.claims, [net("10.0.2.0/24")]);
    assert_eq!(kept.outcome, [net("10.0.2.0/24"), net("10.0.3.0/24")]);
    let nothing = view(&[("10.0.1.0/24", "b")]);
    assert_eq!(done(&nothing, Want::Kept { keep: &keep[..1] }), []);
}

#[test]
fn a_subnet_that_is_excluded_whole_is_not_claimed() {
    let pod_cidr = net("10.0.0.0/22");
    let further = Want::Further {
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
        assert_eq!(claims, [net("10.0.2.0/24")], "part of it is of use");
    }
    seen.claims
        .insert(net("10.0.2.0/24"), claimed(Some("c"), 9));
    let node = name("a");
    let me = Me {
        node: &node,
        machine: OURS,
        addresses: None,
    };
    match next(&seen, me, further, &Tried::default()) {
        Err(Error::Exhausted {
            total, excluded, ..
        }) => assert_eq!((total, excluded), (4, 3)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_subnet_is_given_back_by_the_machine_that_is_its_node_and_by_no_other() {
    let (node, subnet) = (name("a"), net("10.0.1.0/24"));
    let me = Me {
        node: &node,
        machine: OURS,
        addresses: None,
    };
    let record = |machine: &str| NodeRecord {
        addresses: Vec::new(),
        machine_id: machine.to_owned(),
    };
    let release = |owner: Option<Option<&str>>, machine: Option<&str>| {
        let view = ClaimView {
            claim: owner.map(|owner| claimed(owner, 7)),
            node: machine.map(record),
            node_revision: machine.map_or(0, |_| 5),
        };
        release(&view, me, &subnet)
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
fn claims_rest_on_what_was_read() {
    let first = commit(&view(&[]), Want::Subnets { keep: &[] }, &[], 0);
    assert_eq!((first.network_revision, first.name.revision), (2, 3));
    assert!(!first.name.needs_absence());
    let nobody_agreed = View {
        network_revision: 0,
        ..view(&[])
    };
    assert_eq!(
        commit(&nobody_agreed, Want::Name, &[], 0).network_revision,
        0
    );
    let node = Some(NodeRecord {
        addresses: Vec::new(),
        machine_id: THEIRS.to_owned(),
    });
    let taken = View { node, ..view(&[]) };
    assert!(commit(&taken, Want::Name, &[], 0).name.needs_absence());
}

#[test]
fn an_unreadable_claim_is_nobodys_and_free_for_nobody() {
    let mut seen = view(&[
        ("10.0.0.0/24", "b"),
        ("10.0.1.0/24", "b"),
        ("10.0.2.0/24", "b"),
    ]);
    seen.claims.insert(net("10.0.3.0/24"), claimed(None, 9));
    let node = name("a");
    let me = Me {
        node: &node,
        machine: OURS,
        addresses: None,
    };
    let pod_cidr = net("10.0.0.0/22");
    match next(
        &seen,
        me,
        Want::Further {
            pod_cidr: &pod_cidr,
            known: None,
        },
        &Tried::default(),
    ) {
        Err(Error::Exhausted { total, by_node, .. }) => {
            assert_eq!((total, by_node[&name("b")]), (4, 3));
        }
        other => panic!("{other:?}"),
    }
}
