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
    let counts = |name: String, addresses: AddressUsage| {
        let AddressUsage {
            used,
            cooling,
            free,
        } = addresses;
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
        .map(|row| counts(row.subnet.to_string(), row.addresses))
        .collect();
    let families = [("IPv4", output.total.ipv4), ("IPv6", output.total.ipv6)];
    rows.extend(
        families
            .into_iter()
            .filter(|(_, total)| *total != AddressUsage::default())
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
