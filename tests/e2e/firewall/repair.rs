//! Other programs change table inet flatland, and `routed` repairs it.

use lab::{Families, Result};
use serde_json::json;

use crate::support::{back_within_a_second, load, outside, raise, run, seen, table};

#[test]
fn external_change_of_our_table_is_undone_within_a_second() -> Result {
    let lab = raise(1, Families::Dual, &json!({ "ipMasq": true }))?;
    let node = lab.node(1);
    let (external, _server) = outside(&lab, 200, node)?;
    let a = node.add_pod("a")?;
    let address = &node.addresses()[0];
    let before = table(node);

    for line in [
        "flush ruleset",
        "delete table inet flatland",
        "flush table inet flatland",
        "flush chain inet flatland to-outside",
        "insert rule inet flatland spoof-guard accept",
        "add table inet flatland { flags dormant; }",
        "add set inet flatland mine { type mark; }",
        &format!("delete element inet flatland nodes4 {{ {address} }}"),
        "add element inet flatland nodes4 { 192.168.1.200 }",
        "add element inet flatland direct6 { 2001:db8::/32 }",
    ] {
        load(node, line)?;
        back_within_a_second(node, line, || table(node) == before)?;
    }

    assert_eq!(seen(&a, external.addresses())?, node.addresses());
    let log = node.routed_log();
    assert!(
        log.contains("table inet flatland was changed by nft"),
        "{log}"
    );
    Ok(())
}

#[test]
fn tables_of_other_programs_are_not_changed() -> Result {
    let lab = raise(1, Families::Dual, &json!({ "ipMasq": true }))?;
    let node = lab.node(1);
    let rules = "table ip kube-proxy {\n\
                 chain services { ip daddr 10.96.0.1 dnat to 10.244.0.9; }\n\
                 chain nat { type nat hook prerouting priority -100; jump services; }\n\
                 chain filter { type filter hook forward priority -110; ct state new accept; }\n\
                 }\n\
                 table ip6 kube-proxy {\n\
                 chain filter { type filter hook forward priority -110; ct state new accept; }\n\
                 }\n";
    load(node, rules)?;
    run(node, "iptables-nft -N KUBE-FORWARD")?;
    run(node, "iptables-nft -A FORWARD -j KUBE-FORWARD")?;
    run(
        node,
        "iptables-nft -A KUBE-FORWARD -m mark --mark 0x4000 -j ACCEPT",
    )?;
    let foreign = || -> Result<String> {
        let kinds = ["ip kube-proxy", "ip6 kube-proxy", "ip filter"];
        let list = |kind: &&str| run(node, &format!("nft -a list table {kind}"));
        kinds.iter().map(list).collect()
    };
    let (before, own) = (foreign()?, table(node));

    load(node, "delete table inet flatland")?;
    back_within_a_second(node, "table", || table(node) == own)?;

    assert_eq!(foreign()?, before);
    Ok(())
}
