use super::*;

fn claim(node: &str) -> Claim {
    Claim {
        node: NodeName::new(node).unwrap(),
    }
}

fn of(claims: &ClaimIndex, node: &str) -> Vec<String> {
    let node = claim(node).node;
    claims.of(&node).map(|it| it.to_string()).collect()
}

#[test]
fn claims_are_indexed_by_node_for_both_families() {
    let mut view = Snapshot::default();
    for (subnet, node) in [
        ("0.0.0.0/0", "n1"),
        ("10.244.1.0/24", "n1"),
        ("fd00::/80", "n1"),
        ("10.244.2.0/24", "n10"),
    ] {
        view.subnets.insert(subnet.parse().unwrap(), claim(node));
    }
    let mut claims = ClaimIndex::new(&view);
    assert_eq!(
        of(&claims, "n1"),
        ["0.0.0.0/0", "10.244.1.0/24", "fd00::/80"]
    );
    assert_eq!(of(&claims, "n10"), ["10.244.2.0/24"]);
    assert!(of(&claims, "n").is_empty());

    let moved = "fd00::/80".parse().unwrap();
    claims.change(moved, Some(claim("n1")), Some(&claim("n10")));
    claims.change("0.0.0.0/0".parse().unwrap(), Some(claim("n1")), None);
    assert_eq!(of(&claims, "n1"), ["10.244.1.0/24"]);
    assert_eq!(of(&claims, "n10"), ["10.244.2.0/24", "fd00::/80"]);
}
