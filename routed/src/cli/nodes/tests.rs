use super::*;
use crate::status::AbsentSince;

fn node(name: &str, verdict: NodeVerdict, subnets: &[&str]) -> NodeRow {
    NodeRow {
        node: NodeName::new(name).unwrap(),
        addresses: vec!["192.168.1.11".parse().unwrap(), "fd00::11".parse().unwrap()],
        present: Some(true),
        present_since: Some(1_000),
        absent_since: None,
        version: Some("0.1.0".into()),
        subnets: subnets
            .iter()
            .map(|subnet| subnet.parse().unwrap())
            .collect(),
        verdict,
        why: Vec::new(),
    }
}

#[test]
fn table_shows_presence_and_missing_routes() {
    let absent = NodeRow {
        present: Some(false),
        absent_since: Some(AbsentSince {
            seconds: 940,
            or_longer: true,
        }),
        why: vec!["unreachable peer: n2 ...".into()],
        ..node("n2", NodeVerdict::NotRouted, &["10.244.9.0/24"])
    };
    let nodes = [
        node("n1", NodeVerdict::Own, &["10.244.7.0/24", "fd00:7::/80"]),
        absent,
        node("n3", NodeVerdict::NoSubnet, &[]),
    ];
    let expected = "\
NODE  ADDRESS       PRESENT     SUBNET         ROUTE
n1    192.168.1.11  yes, 1m0s   10.244.7.0/24  this node
n1    fd00::11      yes, 1m0s   fd00:7::/80    this node
n2    192.168.1.11  no, > 2m0s  10.244.9.0/24  none, see below
n3    192.168.1.11  yes, 1m0s   none           no subnet

unreachable peer: n2 ...";
    assert_eq!(table(&nodes, 1_060, Terminal::PIPE), expected);
}
