//! `routed subnets`: which node owns which subnet, and how many subnets are left.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use clap::Args;
use ipnet::IpNet;
use registry::owned::Owned;
use registry::{Network, Registry, Snapshot};
use serde::Serialize;
use wire::node::NodeName;
use wire::paths::state_dir;

use super::table::{Cell, left, render, right};
use super::{CommandError, NetworkArgs, OutputArgs, block_on};
use crate::cli::terminal::Terminal;

/// The flags of `routed subnets`.
#[derive(Debug, Args)]
pub(crate) struct SubnetsArgs {
    #[command(flatten)]
    network: NetworkArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed, as text or as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SubnetsOutput {
    network: String,
    /// Whether this is from the registry; otherwise only this node's own subnets are known.
    complete: bool,
    subnets: Vec<SubnetRow>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Vec<PodCidrUsage>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct SubnetRow {
    subnet: IpNet,
    node: NodeName,
    addresses: Vec<IpAddr>,
    /// Whether its `routed` is alive, if that is known.
    present: Option<bool>,
}

/// How much of a pod CIDR is claimed, and by which nodes.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PodCidrUsage {
    #[serde(rename = "podCIDR")]
    pod_cidr: IpNet,
    /// How many there are; `None` with Kubernetes, which may change their length.
    subnets: Option<u128>,
    /// `None` without the registry.
    claimed: Option<u128>,
    nodes: BTreeMap<NodeName, usize>,
}

/// Shows the claims of the registry, or this node's own subnets without it.
pub(crate) fn run(args: &SubnetsArgs) -> Result<String, CommandError> {
    let conflist = args.network.read()?;
    let network = conflist.network().to_owned();
    let registry = Registry::open(conflist.ipam());
    let snapshot = block_on(async { Ok(registry.snapshot().await) })?;
    let subnets = match &snapshot {
        Ok(snapshot) => rows(snapshot),
        Err(error) => {
            // An error of the write does no harm: `complete` and the missing totals say it too.
            drop(writeln!(
                io::stderr(),
                "routed: {error}; of this node only:"
            ));
            own_rows(Owned::load(&state_dir(&network))?)
        }
    };
    // Those of Kubernetes may be wider than this node knows yet.
    let network_there = snapshot.as_ref().ok().and_then(|it| it.network.as_ref());
    let network_there = network_there.filter(|_| conflist.ipam().has_derived_pod_cidrs());
    let pod_cidrs = network_there.unwrap_or(registry.network());
    let output = SubnetsOutput {
        complete: snapshot.is_ok(),
        pod_cidrs: pod_cidr_usage(pod_cidrs, &subnets, snapshot.is_ok()),
        network,
        subnets,
    };
    args.output
        .text(&output, |terminal| table(&output, terminal))
}

fn rows(snapshot: &Snapshot) -> Vec<SubnetRow> {
    let claims = snapshot.subnets.iter();
    claims
        .map(|(subnet, claim)| SubnetRow {
            subnet: *subnet,
            node: claim.node.clone(),
            addresses: snapshot
                .nodes
                .get(&claim.node)
                .map_or_else(Vec::new, |record| record.addresses.clone()),
            present: Some(snapshot.presence.contains_key(&claim.node)),
        })
        .collect()
}

fn own_rows(owned: Option<Owned>) -> Vec<SubnetRow> {
    let rows = |owned: Owned| {
        let node = owned.node;
        let row = move |subnet| SubnetRow {
            subnet,
            node: node.clone(),
            addresses: Vec::new(),
            present: None,
        };
        owned.subnets.into_iter().map(row).collect()
    };
    owned.map_or_else(Vec::new, rows)
}

fn pod_cidr_usage(network: &Network, rows: &[SubnetRow], is_complete: bool) -> Vec<PodCidrUsage> {
    let usage = |(index, pod_cidr): (usize, &IpNet)| {
        let mut nodes = BTreeMap::new();
        for row in rows.iter().filter(|row| pod_cidr.contains(&row.subnet)) {
            *nodes.entry(row.node.clone()).or_default() += 1;
        }
        let length = network.subnet_lengths.get(index);
        let bits = length.map(|it| u32::from(it.saturating_sub(pod_cidr.prefix_len())));
        let claimed: usize = nodes.values().sum();
        PodCidrUsage {
            pod_cidr: *pod_cidr,
            subnets: bits.map(|bits| 1_u128.checked_shl(bits).unwrap_or(u128::MAX)),
            claimed: is_complete.then_some(claimed as u128),
            nodes,
        }
    };
    network.pod_cidrs.iter().enumerate().map(usage).collect()
}

fn table(output: &SubnetsOutput, terminal: Terminal) -> String {
    let columns = ["SUBNET", "NODE", "ADDRESS", "PRESENT"].map(left);
    let unknown = || "?".to_owned();
    let rows: Vec<_> = output
        .subnets
        .iter()
        .map(|row| {
            let is_ipv4 = row.subnet.addr().is_ipv4();
            let mut addresses = row.addresses.iter();
            let address = addresses.find(|address| address.is_ipv4() == is_ipv4);
            let present = row
                .present
                .map(|yes| if yes { "yes" } else { "no" }.to_owned());
            [
                row.subnet.to_string(),
                row.node.to_string(),
                address.map_or_else(unknown, ToString::to_string),
                present.unwrap_or_else(unknown),
            ]
            .map(Cell::from)
            .to_vec()
        })
        .collect();
    let number = |number: Option<u128>| number.map_or_else(unknown, |it| it.to_string());
    // Where no number is known, there is no column for it.
    let has_totals = output.pod_cidrs.iter().any(|usage| usage.subnets.is_some());
    let known = |all: [Cell; 5]| {
        let cells = all.into_iter().enumerate();
        let shown = cells.filter(|(column, _)| has_totals || ![1, 3].contains(column));
        shown.map(|(_, cell)| cell).collect::<Vec<_>>()
    };
    let totals: Vec<_> = output
        .pod_cidrs
        .iter()
        .map(|usage| {
            let free = usage.subnets.zip(usage.claimed);
            let nodes = usage.claimed.map(|_| usage.nodes.len() as u128);
            let all = [
                usage.pod_cidr.to_string(),
                number(usage.subnets),
                number(usage.claimed),
                number(free.map(|(all, claimed)| all.saturating_sub(claimed))),
                number(nodes),
            ];
            known(all.map(Cell::from))
        })
        .collect();
    let mut total_columns = vec![left("POD CIDR"), right("CLAIMED"), right("NODES")];
    if has_totals {
        total_columns.insert(1, right("SUBNETS"));
        total_columns.insert(3, right("FREE"));
    }
    format!(
        "{}\n\n{}",
        render(&columns, &rows, terminal),
        render(&total_columns, &totals, terminal)
    )
}

#[cfg(test)]
mod tests;
