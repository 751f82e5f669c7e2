//! `routed addresses`: which addresses of this node are used, and by which pods. It reads the
//! ledger, and needs neither the daemon nor etcd.

use std::io::{self, Write};
use std::net::IpAddr;

use clap::Args;
use ipam::{Allocation, Disk, Inventory, Ledger, SubnetUsage};
use ipnet::IpNet;
use registry::owned::Owned;
use serde::Serialize;
use wire::clock::unix_seconds;
use wire::conf::IpamConfig;
use wire::node::NodeName;
use wire::paths::{run_dir, state_dir};

use super::table::{Align, Cell, render};
use super::{CommandError, NetworkArgs, OutputArgs};
use crate::cli::terminal::Terminal;
use crate::time;

/// The flags of `routed addresses`.
#[derive(Debug, Args)]
pub(crate) struct AddressesArgs {
    #[command(flatten)]
    network: NetworkArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed, as text or as JSON.
#[derive(Debug, Serialize)]
struct AddressesOutput {
    network: String,
    node: Option<NodeName>,
    subnets: Vec<SubnetCounts>,
    total: Totals,
    addresses: Vec<HeldAddress>,
}

/// Numbers of addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Counts {
    used: u64,
    cooling: u64,
    free: u128,
}

#[derive(Debug, Serialize)]
struct SubnetCounts {
    subnet: IpNet,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Debug, Default, Serialize)]
struct Totals {
    ipv4: Counts,
    ipv6: Counts,
}

#[derive(Debug, Serialize)]
struct HeldAddress {
    address: IpAddr,
    /// Whether it is from a subnet that this node owns.
    owned: bool,
    #[serde(flatten)]
    allocation: Allocation,
}

/// Shows what the ledger holds.
pub(crate) fn run(args: &AddressesArgs) -> Result<String, CommandError> {
    let conflist = args.network.read()?;
    let network = conflist.network();
    let owned = Owned::load(&state_dir(network))?;
    let (node, subnets) = match owned {
        Some(owned) => (Some(owned.node), owned.subnets),
        None => (None, Vec::new()),
    };
    let ledger = Ledger::existing(Disk::new(run_dir(network)))?;
    let inventory = match &ledger {
        Some(ledger) => ledger.inventory()?,
        None => Inventory::default(),
    };
    for (_, reason) in &inventory.damaged {
        // An error of the write does no harm: the address is counted as used.
        drop(writeln!(io::stderr(), "routed: {reason}"));
    }
    let rows = usage(ledger.as_ref(), &subnets, conflist.ipam())?;
    let output = AddressesOutput {
        network: network.to_owned(),
        node,
        total: totals(&rows),
        subnets: rows,
        addresses: holders(inventory, &subnets),
    };
    args.output
        .text(&output, |terminal| table(&output, unix_seconds(), terminal))
}

fn usage(
    ledger: Option<&Ledger>,
    subnets: &[IpNet],
    conf: &IpamConfig,
) -> Result<Vec<SubnetCounts>, CommandError> {
    let row = |usage: &SubnetUsage| SubnetCounts {
        subnet: usage.subnet,
        counts: Counts {
            used: usage.held,
            cooling: usage.cooling,
            free: usage.available(),
        },
    };
    if let Some(ledger) = ledger {
        let now = ipam::since_boot()?;
        let usage = ledger.usage(subnets, &conf.exclude, conf.cool_down, now)?;
        return Ok(usage.iter().map(row).collect());
    }
    let unused = |subnet: &IpNet| SubnetCounts {
        subnet: *subnet,
        counts: Counts {
            free: ipam::usable(subnet, &conf.exclude),
            ..Counts::default()
        },
    };
    Ok(subnets.iter().map(unused).collect())
}

fn totals(rows: &[SubnetCounts]) -> Totals {
    let mut totals = Totals::default();
    for row in rows {
        let total = match row.subnet {
            IpNet::V4(_) => &mut totals.ipv4,
            IpNet::V6(_) => &mut totals.ipv6,
        };
        total.used += row.counts.used;
        total.cooling += row.counts.cooling;
        total.free = total.free.saturating_add(row.counts.free);
    }
    totals
}

fn holders(inventory: Inventory, subnets: &[IpNet]) -> Vec<HeldAddress> {
    let held = inventory.held.into_iter();
    held.map(|(address, allocation)| HeldAddress {
        address,
        owned: subnets.iter().any(|subnet| subnet.contains(&address)),
        allocation,
    })
    .collect()
}

fn table(output: &AddressesOutput, now: u64, terminal: Terminal) -> String {
    let left = |header| (header, Align::Left);
    let right = |header| (header, Align::Right);
    let counts = |name: String, counts: Counts| {
        let Counts {
            used,
            cooling,
            free,
        } = counts;
        [
            name,
            used.to_string(),
            cooling.to_string(),
            free.to_string(),
        ]
        .map(Cell::from)
        .to_vec()
    };
    let subnets = output.subnets.iter();
    let mut rows: Vec<_> = subnets
        .map(|row| counts(row.subnet.to_string(), row.counts))
        .collect();
    let families = [("IPv4", output.total.ipv4), ("IPv6", output.total.ipv6)];
    rows.extend(
        families
            .into_iter()
            .filter(|(_, total)| *total != Counts::default())
            .map(|(family, total)| counts(format!("{family} in total"), total)),
    );
    let holders: Vec<_> = output
        .addresses
        .iter()
        .map(|holder| {
            let allocation = &holder.allocation;
            let name = allocation
                .pod()
                .unwrap_or_else(|| allocation.container_id.clone());
            let note = if holder.owned {
                ""
            } else {
                "not of this node's subnets"
            };
            [
                holder.address.to_string(),
                name,
                allocation.interface.clone(),
                time::age(now.saturating_sub(allocation.since)),
                note.to_owned(),
            ]
            .map(Cell::from)
            .to_vec()
        })
        .collect();
    let subnet_columns = [
        left("SUBNET"),
        right("USED"),
        right("COOLING"),
        right("FREE"),
    ];
    let address_columns = [
        left("ADDRESS"),
        left("HOLDER"),
        left("INTERFACE"),
        right("AGE"),
        left(""),
    ];
    format!(
        "{}\n\n{}",
        render(&subnet_columns, &rows, terminal),
        render(&address_columns, &holders, terminal)
    )
}

#[cfg(test)]
mod tests;
