//! What a person reads of routes.

use lab::Result;

use super::joins::{Joins, NODES};
use super::start::Start;
use crate::figures::{Samples, float, ratio};
use crate::plot::{Axis, Line, Plot};
use crate::table::{Report, Table, ms, times};

/// Starts with ever more peers, each several times.
pub(crate) fn starts(report: &mut Report, starts: &[Vec<Start>]) -> Result {
    report.keep("starts", &starts);
    let columns = [
        "peers",
        "first route",
        "all routes",
        "ready",
        "ip -batch",
        "all to ip -batch",
        "first to last",
        "CPU to ready",
        "CPU of 3 s rest",
        "MiB at most",
        "MiB at rest",
    ];
    let mut table = Table::new("routed, from its start (medians, milliseconds)", &columns);
    let mut lines = ["routed, from its start", "ip -batch"].map(|name| Line {
        name: name.to_owned(),
        points: Vec::new(),
    });
    for runs in starts {
        let Some(peers) = runs.first().map(|run| run.peers) else {
            continue;
        };
        let median = |of: fn(&Start) -> u64| runs.iter().map(of).collect::<Samples>().median();
        let (last, batch) = (median(|run| run.last), median(|run| run.batch));
        let mib = |kib: u64| format!("{:.1}", float(kib) / 1024.0);
        table.row([
            peers.to_string(),
            ms(median(|run| run.first)),
            ms(last),
            ms(median(|run| run.ready)),
            ms(batch),
            times(ratio(last, batch)),
            ms(median(|run| run.last - run.first)),
            median(|run| run.then.cpu_ms).to_string(),
            median(|run| run.rested.cpu_ms - run.then.cpu_ms).to_string(),
            mib(median(|run| run.rested.peak)),
            mib(median(|run| run.rested.resident)),
        ]);
        for (line, figure) in lines.iter_mut().zip([last, batch]) {
            line.points.push((f64::from(peers), float(figure) / 1e6));
        }
    }
    report.table(&table)?;
    let axis = |label: &str| Axis {
        label: label.to_owned(),
        logarithmic: true,
    };
    let plot = Plot {
        title: "All routes in the kernel".to_owned(),
        x: axis("peers"),
        y: axis("milliseconds"),
        lines: lines.into(),
    };
    report.plot("routes", &plot.svg())
}

/// Joins one by one and in a flood.
pub(crate) fn joins(report: &mut Report, joins: &[Joins]) -> Result {
    report.keep("joins", &joins);
    let columns = [
        "joins",
        "one every",
        "min",
        "median",
        "p99",
        "max",
        "all done",
        "CPU of a node",
        "MiB at most",
    ];
    let title =
        format!("A join, until its route is in the kernel of each of {NODES} nodes (milliseconds)");
    let mut table = Table::new(&title, &columns);
    for join in joins {
        let [min, median, p99, max] = crate::table::cells(join.latency.spread());
        table.row([
            join.count.to_string(),
            format!("{} ms", join.pace_us / 1000),
            min,
            median,
            p99,
            max,
            ms(join.all),
            (join.usage.cpu_ms / u64::from(NODES)).to_string(),
            format!("{:.1}", float(join.usage.peak) / 1024.0),
        ]);
    }
    report.table(&table)
}
