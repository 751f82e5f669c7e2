use super::*;

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn changes_of(nodes: &mut NodeSets) -> String {
    let (added, removed) = nodes.take_changes();
    let show = |sign: &str, all: Vec<IpAddr>| -> Vec<String> {
        all.iter().map(|ip| format!("{sign}{ip}")).collect()
    };
    [show("+", added), show("-", removed)].concat().join(" ")
}

fn reset(nodes: &mut NodeSets, addresses: &[&str], is_believed: bool) {
    nodes.reset(ips(addresses).into_iter(), is_believed);
}

#[test]
fn take_changes_returns_only_changes() {
    let mut nodes = NodeSets::default();
    reset(&mut nodes, &["10.0.0.1", "10.0.0.2"], true);
    assert_eq!(changes_of(&mut nodes), "+10.0.0.1 +10.0.0.2");
    nodes.change(&[], &ips(&["10.0.0.3", "fd00::3"]), true);
    assert_eq!(changes_of(&mut nodes), "+10.0.0.3 +fd00::3");
    nodes.change(&ips(&["10.0.0.1"]), &ips(&["10.0.0.4"]), true);
    assert_eq!(changes_of(&mut nodes), "+10.0.0.4 -10.0.0.1");
    reset(&mut nodes, &["10.0.0.2", "10.0.0.3", "10.0.0.5"], true);
    assert_eq!(changes_of(&mut nodes), "+10.0.0.5 -10.0.0.4 -fd00::3");
    assert!(!nodes.has_changes());
}

#[test]
fn address_that_moves_between_nodes_stays() {
    let mut nodes = NodeSets::default();
    reset(&mut nodes, &["10.0.0.1", "10.0.0.2"], true);
    changes_of(&mut nodes);
    nodes.change(&ips(&["10.0.0.2"]), &ips(&["10.0.0.1"]), true);
    assert_eq!(changes_of(&mut nodes), "+10.0.0.1 -10.0.0.2");
    nodes.change(&ips(&["10.0.0.1"]), &[], true);
    assert_eq!(changes_of(&mut nodes), "");
    assert_eq!(nodes.all().collect::<Vec<_>>(), ips(&["10.0.0.1"]));
}

#[test]
fn adopted_addresses_stay_until_registry_is_seen() {
    let mut nodes = NodeSets::default();
    nodes.adopt(ips(&["10.0.0.1", "10.0.0.2"]));
    assert_eq!(nodes.all().count(), 2);
    reset(&mut nodes, &["10.0.0.2", "10.0.0.3"], true);
    assert_eq!(changes_of(&mut nodes), "+10.0.0.3 -10.0.0.1");
}

#[test]
fn untrusted_registry_removes_no_address() {
    let mut nodes = NodeSets::default();
    reset(&mut nodes, &["10.0.0.1", "10.0.0.2"], true);
    changes_of(&mut nodes);
    reset(&mut nodes, &["10.0.0.1"], false);
    assert_eq!(changes_of(&mut nodes), "");
    nodes.change(&ips(&["10.0.0.1"]), &ips(&["10.0.0.3"]), false);
    assert_eq!(changes_of(&mut nodes), "+10.0.0.1 +10.0.0.3");
    assert_eq!(nodes.all().count(), 3);
    reset(&mut nodes, &["10.0.0.3"], true);
    assert_eq!(changes_of(&mut nodes), "-10.0.0.1 -10.0.0.2");
}

#[test]
fn address_no_node_can_have_is_ignored() {
    let mut nodes = NodeSets::default();
    let bogus = ["127.0.0.1", "0.0.0.0", "224.0.0.1", "fe80::1", "ff02::1"];
    reset(&mut nodes, &bogus, true);
    nodes.change(&ips(&bogus), &ips(&bogus), true);
    assert_eq!(changes_of(&mut nodes), "");
}
