//! Check: does the API server of Kubernetes answer `routed`, and does each Node have what it needs?

use std::collections::BTreeMap;

use registry::{Registry, Snapshot};

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::text::short_list;

const CHECK: &str = "kubernetes";

pub(super) async fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let Some(conf) = context.conflist.as_ref().ok().map(|it| it.ipam()) else {
        return Vec::new();
    };
    if conf.kubernetes.is_none() {
        return Vec::new();
    }
    match Registry::open(conf).snapshot().await {
        Ok(nodes) => examine(&nodes),
        Err(error) => vec![Finding::broken(CHECK, error.message()).fix(error.advice())],
    }
}

fn examine(nodes: &Snapshot) -> Vec<Finding> {
    let (count, revision) = (nodes.nodes.len(), nodes.revision);
    let answers = format!("the API server answers: {count} nodes, at version {revision}");
    let mut findings = vec![Finding::ok(CHECK, answers)];
    let owners: Vec<_> = nodes.subnets.values().map(|claim| &claim.node).collect();
    let without: Vec<_> = nodes
        .nodes
        .keys()
        .filter(|it| !owners.contains(it))
        .collect();
    if !without.is_empty() {
        let evidence = format!(
            "nodes without a pod CIDR that can be used: {}",
            short_list(&without)
        );
        let fix = "run kube-controller-manager with --allocate-node-cidrs=true and --cluster-cidr; \
                   routed status names pod CIDRs that are ignored";
        findings.push(Finding::broken(CHECK, evidence).fix(fix));
    }
    findings.extend(clones(nodes));
    findings
}

/// Nodes that are ready and have one machine id.
fn clones(nodes: &Snapshot) -> Vec<Finding> {
    let mut by_machine: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (node, record) in &nodes.nodes {
        if nodes.presence.contains_key(node) && !record.machine_id.is_empty() {
            by_machine.entry(&record.machine_id).or_default().push(node);
        }
    }
    let shared = by_machine.iter().filter(|(_, names)| names.len() > 1);
    shared
        .map(|(machine, names)| {
            let evidence = format!(
                "machine-id {machine} is that of {}: clones?",
                short_list(names)
            );
            let fix = "give the clones machine ids of their own (rm /etc/machine-id, then \
                       systemd-machine-id-setup)";
            Finding::warning(CHECK, evidence).fix(fix)
        })
        .collect()
}

#[cfg(test)]
mod tests;
