//! The firewall plugin: pods pass through a node whose FORWARD policy is DROP.

use std::net::IpAddr;

use lab::{Lab, Machine, Node, Pod, Result};
use serde_json::json;

use crate::support::{Chained, no_runtime_config, node_with};

fn iptables(node: &Node, words: &[&str]) -> Result {
    for program in ["iptables", "ip6tables"] {
        let command: Vec<&str> = [program].into_iter().chain(words.iter().copied()).collect();
        node.run(&command)?;
    }
    Ok(())
}

/// A machine outside of the cluster with routes to the node's pods.
fn outside(lab: &Lab) -> Result<Machine> {
    let machine = lab.add_external_machine("outside", 200)?;
    let node = lab.node(1);
    for (pods, via) in ["10.244.0.0/16", "fd00:10:244::/56"]
        .iter()
        .zip(node.addresses())
    {
        machine.run(&["ip", "route", "add", pods, "via", &via.to_string()])?;
    }
    Ok(machine)
}

/// The addresses of `addresses` that a pod reaches.
fn reached(pod: &Pod<'_>, addresses: &[IpAddr]) -> Vec<IpAddr> {
    let answers = |address: &&IpAddr| {
        let ping = pod.try_run(&["ping", "-c1", "-W1", &address.to_string()]);
        ping.is_ok_and(|output| output.status.success())
    };
    addresses.iter().filter(answers).copied().collect()
}

#[test]
fn pod_behind_a_drop_policy_passes_with_firewall_plugin() -> Result {
    let lab = node_with(&json!({ "type": "firewall", "backend": "iptables" }))?;
    let node = lab.node(1);
    let outside = outside(&lab)?;
    Chained::add(node, "first", &no_runtime_config())?.delete()?;
    let before = node.attachment_state()?;
    iptables(node, &["-P", "FORWARD", "DROP"])?;
    let a = Chained::add(node, "a", &no_runtime_config())?;
    assert_eq!(reached(&a.pod, outside.addresses()), outside.addresses());

    // Without the plugin's rules the pod must not pass: they are what lets it through.
    iptables(node, &["-F", "CNI-FORWARD"])?;
    assert!(reached(&a.pod, outside.addresses()).is_empty());
    let error = a.check().unwrap_err().to_string();
    assert!(error.contains("firewall"), "{error}");

    let b = Chained::add(node, "b", &no_runtime_config())?;
    let addresses = b.addresses();
    a.delete()?;
    b.delete()?;
    let rules = node.run(&["nft", "list", "ruleset"])?;
    for address in addresses {
        assert!(!rules.contains(&format!("{address} ")), "{rules}");
    }
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}
