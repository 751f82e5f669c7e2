//! `routed subnets`: who owns what.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use clap::Args;
use ipnet::IpNet;
use registry::owned::Owned;
use registry::{Network as Agreed, Registry, Snapshot};
use serde::Serialize;
use wire::node::NodeName;
use wire::paths::state_dir;

use super::table::{Align, Cell, render};
use super::{CommandError, Format, Network, json, wait};
use crate::cli::terminal::Terminal;

/// The flags of `routed subnets`.
#[derive(Debug, Args)]
pub(crate) struct SubnetsArgs {
    #[command(flatten)]
    network: Network,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SubnetsOutput {
    network: String,
    /// Whether the registry was there to ask; else only this node's own subnets are known.
    complete: bool,
    subnets: Vec<SubnetRow>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Vec<Share>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct SubnetRow {
    subnet: IpNet,
    node: NodeName,
    addresses: Vec<IpAddr>,
    /// Whether its `routed` is alive, where that is known.
    present: Option<bool>,
}

/// How much of a pod CIDR is claimed.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Share {
    #[serde(rename = "podCIDR")]
    pod_cidr: IpNet,
    subnets: u128,
    /// Where that is known.
    claimed: Option<u128>,
    nodes: BTreeMap<NodeName, usize>,
}

/// The table, or the JSON.
pub(crate) fn run(args: &SubnetsArgs) -> Result<String, CommandError> {
    let conflist = args.network.read()?;
    let network = conflist.network().to_owned();
    let registry = Registry::open(conflist.ipam())?;
    let snapshot = wait(async { Ok(registry.snapshot().await) })?;
    let subnets = match &snapshot {
        Ok(snapshot) => rows(snapshot),
        Err(why) => {
            // Who does not read it sees `complete` or the missing totals.
            drop(writeln!(io::stderr(), "routed: {why}; of this node only:"));
            own(Owned::load(&state_dir(&network))?)
        }
    };
    let overview = SubnetsOutput {
        complete: snapshot.is_ok(),
        pod_cidrs: shares(registry.network(), &subnets, snapshot.is_ok()),
        network,
        subnets,
    };
    match args.output {
        Format::Json => json(&overview),
        Format::Table => Ok(table(&overview, Terminal::of_stdout())),
    }
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

fn own(owned: Option<Owned>) -> Vec<SubnetRow> {
    let own = |owned: Owned| {
        let node = owned.node;
        let row = move |subnet| SubnetRow {
            subnet,
            node: node.clone(),
            addresses: Vec::new(),
            present: None,
        };
        owned.subnets.into_iter().map(row).collect()
    };
    owned.map_or_else(Vec::new, own)
}

fn shares(network: &Agreed, rows: &[SubnetRow], is_complete: bool) -> Vec<Share> {
    let share = |(pod_cidr, length): (IpNet, u8)| {
        let mut nodes = BTreeMap::new();
        for row in rows.iter().filter(|row| pod_cidr.contains(&row.subnet)) {
            *nodes.entry(row.node.clone()).or_default() += 1;
        }
        let bits = u32::from(length.saturating_sub(pod_cidr.prefix_len()));
        let claimed: usize = nodes.values().sum();
        Share {
            pod_cidr,
            subnets: 1_u128.checked_shl(bits).unwrap_or(u128::MAX),
            claimed: is_complete.then_some(claimed as u128),
            nodes,
        }
    };
    network.pools().map(share).collect()
}

fn table(overview: &SubnetsOutput, screen: Terminal) -> String {
    let left = |header| (header, Align::Left);
    let right = |header| (header, Align::Right);
    let columns = [
        left("SUBNET"),
        left("NODE"),
        left("ADDRESS"),
        left("PRESENT"),
    ];
    let unknown = || "?".to_owned();
    let rows: Vec<_> = overview
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
    let totals: Vec<_> = overview
        .pod_cidrs
        .iter()
        .map(|share| {
            let number = |number: Option<u128>| number.map_or_else(unknown, |it| it.to_string());
            [
                share.pod_cidr.to_string(),
                share.subnets.to_string(),
                number(share.claimed),
                number(share.claimed.map(|it| share.subnets.saturating_sub(it))),
                number(share.claimed.map(|_| share.nodes.len() as u128)),
            ]
            .map(Cell::from)
            .to_vec()
        })
        .collect();
    let sums = [
        left("POD CIDR"),
        right("SUBNETS"),
        right("CLAIMED"),
        right("FREE"),
        right("NODES"),
    ];
    format!(
        "{}\n\n{}",
        render(&columns, &rows, screen),
        render(&sums, &totals, screen)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subnet: &str, node: &str, present: Option<bool>) -> SubnetRow {
        SubnetRow {
            subnet: subnet.parse().unwrap(),
            node: NodeName::new(node).unwrap(),
            addresses: vec!["192.168.1.11".parse().unwrap(), "fd00::11".parse().unwrap()],
            present,
        }
    }

    fn overview(is_complete: bool) -> SubnetsOutput {
        let network = Agreed {
            pod_cidrs: vec![
                "10.244.0.0/16".parse().unwrap(),
                "fd00:10:244::/56".parse().unwrap(),
            ],
            subnet_lengths: vec![24, 80],
        };
        let subnets = vec![
            row("10.244.7.0/24", "n1", Some(true)),
            row("10.244.9.0/24", "n2", Some(false)),
            row("fd00:10:244:7::/80", "n1", is_complete.then_some(true)),
        ];
        SubnetsOutput {
            network: "flatland".to_owned(),
            complete: is_complete,
            pod_cidrs: shares(&network, &subnets, is_complete),
            subnets,
        }
    }

    #[test]
    fn the_table_says_who_owns_what_and_how_much_is_left() {
        let expected = "\
SUBNET              NODE  ADDRESS       PRESENT
10.244.7.0/24       n1    192.168.1.11  yes
10.244.9.0/24       n2    192.168.1.11  no
fd00:10:244:7::/80  n1    fd00::11      yes

POD CIDR           SUBNETS  CLAIMED      FREE  NODES
10.244.0.0/16          256        2       254      2
fd00:10:244::/56  16777216        1  16777215      1";
        assert_eq!(table(&overview(true), Terminal::PIPE), expected);
    }

    #[test]
    fn what_only_the_registry_knows_is_left_open_without_it() {
        let text = table(&overview(false), Terminal::PIPE);
        assert!(
            text.contains("10.244.0.0/16          256        ?     ?      ?"),
            "{text}"
        );
        let json = serde_json::to_value(overview(false)).unwrap();
        assert_eq!(json["complete"], false);
        assert_eq!(json["podCIDRs"][0]["claimed"], serde_json::Value::Null);
    }
}
