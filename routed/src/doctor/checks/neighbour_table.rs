//! Check: is the kernel's neighbour table (ARP, neighbour discovery) large enough for the peers, and was
//! it ever full? A pod that sends to unused addresses of the nodes' segment fills it, as any host behind
//! a router does.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use wire::ROUTE_PROTOCOL;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::doctor::setting::Setting;
use crate::kernel::{Kernel, Netlink};

const CHECK: &str = "neighbour table";

/// The table of a family.
struct TableFacts {
    /// How many entries it may have.
    limit: Setting,
    /// How often an entry was refused since boot.
    refused: u64,
    /// How many peers are next hops.
    peers: usize,
}

/// Nothing in a network namespace other than that of the machine, which alone has these settings.
pub(super) fn check(_: &CheckContext<'_>) -> Vec<Finding> {
    let routes = Netlink::default().routes(Some(ROUTE_PROTOCOL));
    let routes = routes.unwrap_or_default();
    let peers: BTreeSet<IpAddr> = routes.iter().filter_map(|route| route.via).collect();
    let tables = [("ipv4", "arp_cache", true), ("ipv6", "ndisc_cache", false)];
    tables
        .into_iter()
        .map(|(family, table, v4)| TableFacts {
            limit: Setting::read(&format!("net/{family}/neigh/default/gc_thresh3")),
            refused: fs::read_to_string(format!("/proc/net/stat/{table}"))
                .map_or(0, |text| refused(&text)),
            peers: peers.iter().filter(|peer| peer.is_ipv4() == v4).count(),
        })
        .filter_map(|table| examine(&table))
        .collect()
}

/// The sum of the column `table_fulls`: hexadecimal, with a row for each CPU.
fn refused(text: &str) -> u64 {
    let mut rows = text.lines().map(|line| line.split_whitespace());
    let column = rows
        .next()
        .and_then(|mut names| names.position(|it| it == "table_fulls"));
    let values = rows.filter_map(|mut row| u64::from_str_radix(row.nth(column?)?, 16).ok());
    values.sum()
}

fn examine(table: &TableFacts) -> Option<Finding> {
    let limit: usize = table.limit.value.as_ref().ok()?.parse().ok()?;
    let (evidence, dotted) = (table.limit.render(), table.limit.dotted());
    // From half of the limit on the kernel evicts entries (`gc_thresh2` is half of it by default).
    let problem = if table.peers > limit / 2 {
        format!(
            "{} peers are next hops, and the kernel evicts entries from half of that on",
            table.peers
        )
    } else if table.refused > 0 {
        format!(
            "the table was full, and {} new neighbours were refused since boot: peers cannot be reached \
             meanwhile",
            table.refused
        )
    } else {
        return Some(Finding::ok(CHECK, evidence));
    };
    let size = (4 * table.peers.max(limit)).next_power_of_two();
    let fix = format!(
        "sysctl -w {dotted}={size}, and half of that for gc_thresh2, the same in /etc/sysctl.d; if it \
         happens again, look for a pod that scans the nodes' segment (ip neigh show nud incomplete)"
    );
    Some(Finding::warning(CHECK, format!("{evidence}: {problem}")).fix(fix))
}

#[cfg(test)]
mod tests;
