//! `routed nodes`: who is in the network, and who is alive.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use ipnet::IpNet;
use registry::{Registry, Snapshot};
use serde::Serialize;
use wire::clock::unix_seconds;
use wire::node::NodeName;

use super::table::{Align, Cell, render, with_reasons};
use super::{CommandError, Format, Network, daemon, json, wait};
use crate::cli::terminal::{Terminal, Tone};
use crate::http::client;
use crate::status::{NodeRow, NodeVerdict};
use crate::time;

/// The flags of `routed nodes`.
#[derive(Debug, Args)]
pub(crate) struct NodesArgs {
    #[command(flatten)]
    network: Network,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct NodesOutput {
    nodes: Vec<NodeRow>,
}

/// Asks the daemon, and the registry where it does not run.
pub(crate) fn run(args: &NodesArgs) -> Result<String, CommandError> {
    let nodes = match daemon("/nodes") {
        Ok(nodes) => nodes,
        Err(why @ client::Error::NotRunning) => {
            // Who does not read it sees verdicts that are open.
            drop(writeln!(
                io::stderr(),
                "routed: {why}; as the registry has it:"
            ));
            let conflist = args.network.read()?;
            let registry = Registry::open(conflist.ipam())?;
            from_registry(&wait(async { Ok(registry.snapshot().await?) })?)
        }
        Err(why) => return Err(why.into()),
    };
    match args.output {
        Format::Json => json(&NodesOutput { nodes }),
        Format::Table => Ok(table(&nodes, unix_seconds(), Terminal::of_stdout())),
    }
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
            version: presence.map(|presence| presence.version.clone()),
            subnets,
            verdict: NodeVerdict::Unknown,
            why: Vec::new(),
        }
    };
    subnets.into_iter().map(row).collect()
}

const COLUMNS: [(&str, Align); 5] = [
    ("NODE", Align::Left),
    ("ADDRESS", Align::Left),
    ("PRESENT", Align::Left),
    ("SUBNET", Align::Left),
    ("ROUTE", Align::Left),
];

fn table(nodes: &[NodeRow], now: u64, screen: Terminal) -> String {
    let rows: Vec<_> = nodes.iter().flat_map(|node| rows(node, now)).collect();
    let whys = nodes.iter().flat_map(|node| &node.why);
    with_reasons(render(&COLUMNS, &rows, screen), whys.map(String::as_str))
}

/// A row for each subnet, or one.
fn rows(node: &NodeRow, now: u64) -> Vec<Vec<Cell>> {
    let (verdict, tone) = match node.verdict {
        NodeVerdict::Own => ("this node", Tone::Plain),
        NodeVerdict::Routed => ("ok", Tone::Good),
        NodeVerdict::NoSubnet => ("no subnet", Tone::Plain),
        NodeVerdict::NotRouted => ("none, see below", Tone::Bad),
        NodeVerdict::Unknown => ("?", Tone::Plain),
    };
    let row = |subnet: Option<&IpNet>| {
        let fits = |v4: bool| subnet.is_none_or(|subnet| subnet.addr().is_ipv4() == v4);
        let mut addresses = node.addresses.iter();
        let address = addresses.find(|address| fits(address.is_ipv4()));
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

/// `yes, 3h12m`, by the other node's clock; `no, 4m2s`.
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
mod tests {
    use super::*;
    use crate::status::Since;

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
    fn the_table_says_who_is_there_and_who_has_no_route() {
        let absent = NodeRow {
            present: Some(false),
            absent_since: Some(Since {
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
}
