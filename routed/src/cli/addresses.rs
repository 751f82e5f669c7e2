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
use super::{CommandError, Format, NetworkArgs, json};
use crate::cli::terminal::Terminal;
use crate::time;

/// The flags of `routed addresses`.
#[derive(Debug, Args)]
pub(crate) struct AddressesArgs {
    #[command(flatten)]
    network: NetworkArgs,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
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
    match args.output {
        Format::Json => json(&output),
        Format::Table => Ok(table(&output, unix_seconds(), Terminal::of_stdout())),
    }
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
    format!(
        "{}\n\n{}",
        subnet_table(output, terminal),
        address_table(output, now, terminal)
    )
}

/// The numbers of addresses of each subnet, and of each family.
fn subnet_table(output: &AddressesOutput, terminal: Terminal) -> String {
    let row = |name: String, counts: Counts| {
        let Counts {
            used,
            cooling,
            free,
        } = counts;
        let counts = [used.into(), cooling.into(), free].map(|it: u128| it.to_string());
        let row = [name].into_iter().chain(counts);
        row.map(Cell::from).collect::<Vec<_>>()
    };
    let subnets = output.subnets.iter();
    let subnets = subnets.map(|it| row(it.subnet.to_string(), it.counts));
    let families = [("IPv4", output.total.ipv4), ("IPv6", output.total.ipv6)].into_iter();
    let families = families.filter(|(_, total)| *total != Counts::default());
    let families = families.map(|(family, total)| row(format!("{family} in total"), total));
    let columns = [
        ("SUBNET", Align::Left),
        ("USED", Align::Right),
        ("COOLING", Align::Right),
        ("FREE", Align::Right),
    ];
    let rows: Vec<_> = subnets.chain(families).collect();
    render(&columns, &rows, terminal)
}

/// Each address that a pod has.
fn address_table(output: &AddressesOutput, now: u64, terminal: Terminal) -> String {
    let row = |holder: &HeldAddress| {
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
    };
    let columns = [
        ("ADDRESS", Align::Left),
        ("HOLDER", Align::Left),
        ("INTERFACE", Align::Left),
        ("AGE", Align::Right),
        ("", Align::Left),
    ];
    let rows: Vec<_> = output.addresses.iter().map(row).collect();
    render(&columns, &rows, terminal)
}

#[cfg(test)]
mod tests;
