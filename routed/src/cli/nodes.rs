//! `routed nodes`: the nodes of the network, with addresses, subnets, presence and routes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use daemonkit::http::client;
use ipnet::IpNet;
use registry::{Registry, Snapshot};
use serde::Serialize;
use wire::clock::unix_seconds;
use wire::node::NodeName;

use super::table::{Cell, left, render, with_reasons};
use super::{CommandError, NetworkArgs, OutputArgs, block_on, query_daemon};
use crate::cli::terminal::{Terminal, Tone};
use crate::status::{NodeRow, NodeVerdict, version_of};
use crate::time;

/// The flags of `routed nodes`.
#[derive(Debug, Args)]
pub(crate) struct NodesArgs {
    #[command(flatten)]
    network: NetworkArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed, as text or as JSON.
#[derive(Debug, Serialize)]
struct NodesOutput {
    nodes: Vec<NodeRow>,
}

/// Shows what the daemon knows, or what the registry has if the daemon does not run.
pub(crate) fn run(args: &NodesArgs) -> Result<String, CommandError> {
    let nodes = match query_daemon("/nodes") {
        Ok(nodes) => nodes,
        Err(error @ client::Error::NotRunning(_)) => {
            // An error of the write does no harm: the output shows unknown verdicts as "?".
            drop(writeln!(
                io::stderr(),
                "routed: {error}; as the registry has it:"
            ));
            let conflist = args.network.read()?;
            let registry = Registry::open(conflist.ipam());
            from_registry(&block_on(async { Ok(registry.snapshot().await?) })?)
        }
        Err(error) => return Err(error.into()),
    };
    let output = NodesOutput { nodes };
    args.output.text(&output, |terminal| {
        table(&output.nodes, unix_seconds(), terminal)
    })
}

fn from_registry(snapshot: &Snapshot) -> Vec<NodeRow> {
    let mut subnets: BTreeMap<&NodeName, Vec<IpNet>> = BTreeMap::new();
    for node in snapshot.nodes.keys() {
        subnets.entry(node).or_default();
    }
    for (subnet, claim) in &snapshot.subnets {
        subnets.entry(&claim.node).or_default().push(*subnet);
    }
    let row = |(node, subnets): (&NodeName, Vec<IpNet>)| {
        let (record, presence) = (snapshot.nodes.get(node), snapshot.presence.get(node));
        NodeRow {
            node: node.clone(),
            addresses: record.map_or_else(Vec::new, |record| record.addresses.clone()),
            present: Some(presence.is_some()),
            present_since: presence.and_then(|presence| presence.since),
            absent_since: None,
            version: presence.and_then(version_of),
            subnets,
            verdict: NodeVerdict::Unknown,
            why: Vec::new(),
        }
    };
    subnets.into_iter().map(row).collect()
}

fn table(nodes: &[NodeRow], now: u64, terminal: Terminal) -> String {
    let rows: Vec<_> = nodes.iter().flat_map(|node| rows(node, now)).collect();
    let reasons = nodes.iter().flat_map(|node| &node.why);
    let columns = ["NODE", "ADDRESS", "PRESENT", "SUBNET", "ROUTE"].map(left);
    with_reasons(
        render(&columns, &rows, terminal),
        reasons.map(String::as_str),
    )
}

/// A row for each subnet, or one row for a node without subnets.
fn rows(node: &NodeRow, now: u64) -> Vec<Vec<Cell>> {
    let (verdict, tone) = match node.verdict {
        NodeVerdict::Own => ("this node", Tone::Plain),
        NodeVerdict::Routed => ("ok", Tone::Good),
        NodeVerdict::NoSubnet => ("no subnet", Tone::Plain),
        NodeVerdict::NotRouted => ("none, see below", Tone::Bad),
        NodeVerdict::Unknown => ("?", Tone::Plain),
    };
    let row = |subnet: Option<&IpNet>| {
        let is_of_family = |v4: bool| subnet.is_none_or(|subnet| subnet.addr().is_ipv4() == v4);
        let mut addresses = node.addresses.iter();
        let address = addresses.find(|address| is_of_family(address.is_ipv4()));
        vec![
            node.node.as_str().into(),
            address.map_or("?".to_owned(), ToString::to_string).into(),
            presence(node, now),
            subnet.map_or("none".to_owned(), ToString::to_string).into(),
            Cell::new(verdict, tone),
        ]
    };
    if node.subnets.is_empty() {
        return vec![row(None)];
    }
    node.subnets
        .iter()
        .map(|subnet| row(Some(subnet)))
        .collect()
}

/// `yes, 3h12m` (by the other node's clock), or `no, 4m2s`.
fn presence(node: &NodeRow, now: u64) -> Cell {
    let age = |since: u64| time::age(now.saturating_sub(since));
    match (node.present, node.present_since, node.absent_since) {
        (Some(true), Some(since), _) => format!("yes, {}", age(since)).into(),
        (Some(true), None, _) => "yes".into(),
        (Some(false), _, Some(since)) => {
            let or_longer = if since.or_longer { "> " } else { "" };
            Cell::new(format!("no, {or_longer}{}", age(since.seconds)), Tone::Bad)
        }
        (Some(false), _, None) => Cell::new("no", Tone::Bad),
        (None, ..) => "".into(),
    }
}

#[cfg(test)]
mod tests;
