use super::*;

use registry::{Claim, NodeRecord, Presence};

fn cluster(nodes: &[(&str, &str, Option<&str>)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (name, machine, subnet) in nodes {
        let record = NodeRecord {
            addresses: Vec::new(),
            machine_id: (*machine).to_owned(),
            session: None,
        };
        let presence = Presence {
            session: String::new(),
            address: None,
            version: String::new(),
            since: None,
        };
        let node: wire::node::NodeName = name.parse().unwrap();
        snapshot.nodes.insert(node.clone(), record);
        snapshot.presence.insert(node.clone(), presence);
        if let Some(subnet) = subnet {
            snapshot
                .subnets
                .insert(subnet.parse().unwrap(), Claim { node });
        }
    }
    snapshot
}

#[test]
fn node_without_pod_cidr_and_clone_are_named() {
    for (nodes, expected) in [
        (
            &[
                ("a", "m1", Some("10.244.0.0/24")),
                ("b", "m2", Some("10.244.1.0/24")),
            ][..],
            vec!["the API server answers: 2 nodes, at version 0"],
        ),
        (
            &[("a", "m1", Some("10.244.0.0/24")), ("b", "m2", None)],
            vec![
                "the API server answers: 2 nodes, at version 0",
                "nodes without a pod CIDR that can be used: b",
            ],
        ),
        (
            &[
                ("a", "m1", Some("10.244.0.0/24")),
                ("b", "m1", Some("10.244.1.0/24")),
            ],
            vec![
                "the API server answers: 2 nodes, at version 0",
                "machine-id m1 is that of a, b: clones?",
            ],
        ),
    ] {
        let findings = examine(&cluster(nodes));
        let texts: Vec<_> = findings.iter().map(|it| it.evidence.as_str()).collect();
        assert_eq!(texts, expected);
    }
}
