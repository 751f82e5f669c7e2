//! `routed addresses`: which addresses of this node are used, and by which pods. It reads the
//! ledger, and needs neither the daemon nor etcd.

use std::io::{self, Write};
use std::net::IpAddr;

use clap::Args;
use ipam::{Allocation, Disk, Inventory, Ledger};
use ipnet::IpNet;
use registry::owned::Owned;
use serde::Serialize;
use wire::clock::unix_seconds;
use wire::node::NodeName;
use wire::paths::{run_dir, state_dir};

use super::table::{Cell, left, render, right};
use super::{CommandError, NetworkArgs, OutputArgs};
use crate::addresses::ledger::{self, SubnetAddresses};
use crate::cli::terminal::Terminal;
use crate::status::AddressUsage;
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
    subnets: Vec<SubnetAddresses>,
    total: Totals,
    addresses: Vec<HeldAddress>,
}

#[derive(Debug, Serialize)]
struct Totals {
    ipv4: AddressUsage,
    ipv6: AddressUsage,
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
    let inventory = match Ledger::existing(Disk::new(run_dir(network)))? {
        Some(ledger) => ledger.inventory()?,
        None => Inventory::default(),
    };
    for (_, reason) in &inventory.damaged {
        // An error of the write does no harm: the address is counted as used.
        drop(writeln!(io::stderr(), "routed: {reason}"));
    }
    let rows = ledger::usage(conflist.ipam(), &subnets)?;
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

fn totals(subnets: &[SubnetAddresses]) -> Totals {
    let sums = ledger::by_family(subnets);
    let of = |family| sums.get(family).copied().unwrap_or_default();
    Totals {
        ipv4: of("ipv4"),
        ipv6: of("ipv6"),
    }
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
    let row = |name: String, addresses: AddressUsage| {
        let AddressUsage {
            used,
            cooling,
            free,
        } = addresses;
        let counts = [used.into(), cooling.into(), free].map(|it: u128| it.to_string());
        let row = [name].into_iter().chain(counts);
        row.map(Cell::from).collect::<Vec<_>>()
    };
    let subnets = output.subnets.iter();
    let subnets = subnets.map(|it| row(it.subnet.to_string(), it.addresses));
    let families = [("IPv4", output.total.ipv4), ("IPv6", output.total.ipv6)].into_iter();
    let families = families.filter(|(_, total)| *total != AddressUsage::default());
    let families = families.map(|(family, total)| row(format!("{family} in total"), total));
    let columns = [
        left("SUBNET"),
        right("USED"),
        right("COOLING"),
        right("FREE"),
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
        left("ADDRESS"),
        left("HOLDER"),
        left("INTERFACE"),
        right("AGE"),
        left(""),
    ];
    let rows: Vec<_> = output.addresses.iter().map(row).collect();
    render(&columns, &rows, terminal)
}

#[cfg(test)]
mod tests;
