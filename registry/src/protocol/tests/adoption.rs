//! Claims that the node's file or the registry had before: made again, adopted, or left alone.

use crate::protocol::tests::*;

#[test]
fn remembered_subnets_are_claimed_again_if_free_and_valid() {
    let seen = view(&[("10.0.2.0/24", "b"), ("fd00::/80", "a")]);
    let keep = [
        net("10.0.1.0/24"),
        net("10.0.2.0/24"),
        net("10.9.0.0/24"),
        net("fd00::/80"),
    ];
    let commit = commit(&seen, Goal::Subnets { keep: &keep }, &[], 0);
    assert_eq!(commit.claims, [net("10.0.1.0/24")]);
    assert_eq!(commit.outcome, [net("10.0.1.0/24"), net("fd00::/80")]);
}

#[test]
fn claim_of_another_length_blocks_what_it_overlaps() {
    let seen = view(&[
        ("10.0.0.0/23", "a"),
        ("10.0.2.128/25", "a"),
        ("fd00::/80", "a"),
    ]);
    let keep = [net("10.0.0.0/23"), net("10.0.2.0/24"), net("fd00::/80")];
    let commit = commit(&seen, Goal::Subnets { keep: &keep }, &[], 0);
    assert_eq!(
        (commit.claims, commit.adopted),
        (vec![net("10.0.3.0/24")], vec![])
    );
    assert_eq!(commit.outcome, [net("10.0.3.0/24"), net("fd00::/80")]);
}

#[test]
fn many_remembered_subnets_take_several_transactions() {
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
        "the same number of commits if all are adopted"
    );
    for (subnet, claim) in &before.claims {
        assert!(seen.claims[subnet].revision > claim.revision, "{subnet}");
    }
}

/// The number of commits that reconcile the registry and the node's file.
fn commits_until_all(seen: &mut RegistryView, keep: &[IpNet]) -> usize {
    let (mut attempts, mut commits) = (Attempts::default(), 0);
    loop {
        let commit = commit_after(seen, Goal::Subnets { keep }, &attempts);
        let transaction = commit.transaction(&name("a"));
        assert!(transaction.conditions.len() <= 128, "etcd's limit");
        commits += 1;
        for subnet in commit.written() {
            let revision = seen.claims.get(&subnet).map_or(1, |it| it.revision + 1);
            seen.claims.insert(subnet, claimed(Some("a"), revision));
        }
        attempts.written.extend(commit.written());
        if commit.is_all {
            return commits;
        }
    }
}

#[test]
fn uncertain_claim_is_found_or_tried_again_first() {
    let pod_cidr = net("10.0.0.0/22");
    let further = Goal::Further {
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
fn unknown_claim_is_adopted_before_another_is_made() {
    let pod_cidr = net("10.0.0.0/22");
    let known = [net("10.0.1.0/24"), net("fd00::/80")];
    let further = Goal::Further {
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
fn adopted_claim_is_rewritten_so_that_a_late_release_fails() {
    let node = name("a");
    let claimant = Claimant {
        node: &node,
        machine: OURS,
        session: None,
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
    let late = release(&claim, claimant, &given_back).unwrap().unwrap();
    let condition = Condition::new(Key::Subnet(given_back), 11);
    assert!(late.conditions.contains(&condition));

    let keep = [net("10.0.1.0/24"), net("fd00::/80")];
    let pod_cidr = net("10.0.0.0/22");
    let further = Goal::Further {
        pod_cidr: &pod_cidr,
        known: Some(&keep),
    };
    for goal in [
        Goal::Subnets { keep: &keep },
        Goal::Kept { keep: &keep },
        further,
    ] {
        let adoption = commit(&seen, goal, &[], 0);
        assert!(adoption.outcome.contains(&given_back));
        let adoption = adoption.transaction(&node);
        // So only the first of the two that arrives succeeds.
        assert!(adoption.conditions.contains(&condition));
        assert_eq!(
            adoption.writes,
            [Write::Claim(given_back, node.clone())],
            "{goal:?}"
        );
    }
}

#[test]
fn kept_goal_claims_only_free_subnets_of_the_file() {
    let seen = view(&[("10.0.1.0/24", "b"), ("10.0.3.0/24", "a")]);
    let keep = [net("10.0.1.0/24"), net("10.0.2.0/24"), net("10.0.3.0/24")];
    let kept = commit(&seen, Goal::Kept { keep: &keep }, &[], 0);
    assert_eq!(kept.claims, [net("10.0.2.0/24")]);
    assert_eq!(kept.outcome, [net("10.0.2.0/24"), net("10.0.3.0/24")]);
    let nothing = view(&[("10.0.1.0/24", "b")]);
    assert_eq!(done(&nothing, Goal::Kept { keep: &keep[..1] }), []);
}
