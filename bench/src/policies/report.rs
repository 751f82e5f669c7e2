//! Tables of the benchmark of `flatland-policy`.

use lab::Result;

use super::events::PolicyEvents;
use super::size::PolicySize;
use super::traffic::{Filter, FilteredPath};
use crate::figures::{float, ratio};
use crate::table::{BenchReport, Table, cells, ms, times, us};

/// Connections and round trips.
pub(crate) fn traffic(report: &mut BenchReport, paths: &[FilteredPath]) -> Result {
    report.keep("policy_traffic", &paths);
    for across in [false, true] {
        let place = if across {
            "of two nodes"
        } else {
            "of one node"
        };
        let title =
            format!("Policies that select the destination, pods {place} (ratio to nothing)");
        let columns = [
            "filter",
            "connections/s",
            "ratio",
            "round trip median us",
            "ratio",
            "p99 us",
        ];
        let mut table = Table::new(&title, &columns);
        let there = || paths.iter().filter(|path| path.across == across);
        let base = there().find(|path| path.filter == Filter::Nothing);
        for path in there() {
            let name = match path.filter {
                Filter::Nothing => "nothing".to_owned(),
                Filter::Policies(count) => format!("flatland-policy, {count} policies"),
                Filter::Iptables(count) => format!("iptables, {count} rules"),
            };
            let (rate, trip) = (path.connections.median(), path.median.median());
            let to_base =
                |own, of: fn(&FilteredPath) -> u64| times(base.and_then(|it| ratio(own, of(it))));
            table.row([
                name,
                rate.to_string(),
                to_base(rate, |it| it.connections.median()),
                us(trip),
                to_base(trip, |it| it.median.median()),
                us(path.p99.median()),
            ]);
        }
        report.table(&table)?;
    }
    Ok(())
}

/// From the API to the kernel.
pub(crate) fn events(report: &mut BenchReport, loads: &[PolicyEvents]) -> Result {
    report.keep("policy_events", &loads);
    for load in loads {
        let title = format!(
            "From the API server's write to the commit in the kernel (milliseconds): {} pods, {} policies, {} peers; ready {} ms after exec, {} MiB at most; rules: {}",
            load.local,
            load.policies,
            load.peers,
            ms(load.start),
            load.usage.peak / 1024,
            load.rules
        );
        let mut table = Table::new(&title, &["change", "min", "median", "p99", "max"]);
        for (kind, samples) in &load.kinds {
            table.row([kind.clone()].into_iter().chain(cells(samples.spread())));
        }
        report.table(&table)?;
    }
    Ok(())
}

/// A large cluster.
pub(crate) fn size(report: &mut BenchReport, size: &PolicySize) -> Result {
    report.keep("policy_size", size);
    let title = format!(
        "A node among {} pods and {} policies",
        size.pods, size.policies
    );
    let columns = [
        "",
        "ready after ms",
        "peak MiB",
        "MiB at rest",
        "% of a processor, 10 changes/s",
    ];
    let mut table = Table::new(&title, &columns);
    let percent = ratio(size.cpu, size.rest).unwrap_or_default() * 100.0;
    let mib = |kib: u64| format!("{:.1}", float(kib) / 1024.0);
    table.row([
        "flatland-policy".to_owned(),
        ms(size.start),
        mib(size.rested.peak),
        mib(size.rested.resident),
        format!("{percent:.2}"),
    ]);
    report.table(&table)
}
