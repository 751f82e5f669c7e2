//! firewall: a pod's way through a node that drops what it forwards.

use std::net::IpAddr;

use lab::{Lab, Machine, Node, Pod, Result};
use serde_json::json;

use crate::support::{Chained, node_with, plain};

fn iptables(node: &Node, words: &[&str]) -> Result {
    for program in ["iptables", "ip6tables"] {
        let command: Vec<&str> = [program].into_iter().chain(words.iter().copied()).collect();
        node.run(&command)?;
    }
    Ok(())
}

/// Somebody behind the node who knows the way to its pods.
fn outside(lab: &Lab) -> Result<Machine> {
    let machine = lab.add_stranger("outside", 200)?;
    let node = lab.node(1);
    for (pods, via) in ["10.244.0.0/16", "fd00:10:244::/56"]
        .iter()
        .zip(node.addresses())
    {
        machine.run(&["ip", "route", "add", pods, "via", &via.to_string()])?;
    }
    Ok(machine)
}

/// Which of the addresses a pod reaches.
fn reached(pod: &Pod<'_>, addresses: &[IpAddr]) -> Vec<IpAddr> {
    let answers = |address: &&IpAddr| {
        let ping = pod.run_any(&["ping", "-c1", "-W1", &address.to_string()]);
        ping.is_ok_and(|output| output.status.success())
    };
    addresses.iter().filter(answers).copied().collect()
}

#[test]
fn a_pod_gets_through_a_node_that_drops_what_it_forwards() -> Result {
    let lab = node_with(&json!({ "type": "firewall", "backend": "iptables" }))?;
    let node = lab.node(1);
    let outside = outside(&lab)?;
    Chained::add(node, "first", &plain())?.delete()?;
    let before = node.traces()?;
    iptables(node, &["-P", "FORWARD", "DROP"])?;
    let a = Chained::add(node, "a", &plain())?;
    assert_eq!(reached(&a.pod, outside.addresses()), outside.addresses());

    // What tells the success apart: the plugin's rules, and nothing else, let the pod through.
    iptables(node, &["-F", "CNI-FORWARD"])?;
    assert!(reached(&a.pod, outside.addresses()).is_empty());
    let error = a.check().unwrap_err().to_string();
    assert!(error.contains("firewall"), "{error}");

    let b = Chained::add(node, "b", &plain())?;
    let addresses = b.addresses();
    a.delete()?;
    b.delete()?;
    let rules = node.run(&["nft", "list", "ruleset"])?;
    for address in addresses {
        assert!(!rules.contains(&format!("{address} ")), "{rules}");
    }
    assert_eq!(node.traces()?, before);
    Ok(())
}
