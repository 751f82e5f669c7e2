//! Tables and plots of the benchmark of `routed`.

use lab::Result;

use super::joins::{Joins, NODES};
use super::large::{Large, PEERS};
use super::registries::{Heartbeats, RegistryFigures};
use super::start::StartTimes;
use crate::figures::{Samples, float, ratio};
use crate::plot::{Axis, Plot, PlotLine};
use crate::table::{BenchReport, Table, ms, times};

/// Starts with growing numbers of peers, each measured several times.
pub(crate) fn starts(report: &mut BenchReport, starts: &[Vec<StartTimes>]) -> Result {
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
        "MiB at most",
        "MiB at rest",
    ];
    let mut table = Table::new("routed, from its start (medians, milliseconds)", &columns);
    let mut lines = ["routed, from its start", "ip -batch"].map(|name| PlotLine {
        name: name.to_owned(),
        points: Vec::new(),
    });
    for runs in starts {
        let Some(peers) = runs.first().map(|run| run.peers) else {
            continue;
        };
        let median = |of: fn(&StartTimes) -> u64| runs.iter().map(of).collect::<Samples>().median();
        let (last, batch) = (median(|run| run.last), median(|run| run.batch));
        table.row([
            peers.to_string(),
            ms(median(|run| run.first)),
            ms(last),
            ms(median(|run| run.ready)),
            ms(batch),
            times(ratio(last, batch)),
            ms(median(|run| run.last - run.first)),
            ms(median(|run| run.then.cpu)),
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

/// Joins one by one and in a burst.
pub(crate) fn joins(report: &mut BenchReport, joins: &[Joins]) -> Result {
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
            ms(join.usage.cpu / u64::from(NODES)),
            mib(join.usage.peak),
        ]);
    }
    report.table(&table)
}

/// One node of a large cluster.
pub(crate) fn large(report: &mut BenchReport, large: &Large) -> Result {
    report.keep("large", large);
    let mut table = Table::new(
        &format!("routed, one node of {PEERS}"),
        &["what", "figure", "unit"],
    );
    let mut row = |what: &str, figure: String, unit: &str| {
        table.row([what.to_owned(), figure, unit.to_owned()]);
    };
    if let Some(rest) = &large.rest {
        let percent = float(rest.cpu) * 100.0 / float(rest.time.max(1));
        let seconds = rest.time / 1_000_000_000;
        let what = format!(
            "CPU at rest, over {seconds} s with {} passes over all routes",
            rest.passes
        );
        row(&what, format!("{percent:.3}"), "%");
    }
    let joins = &large.joins;
    let each = joins.usage.cpu / u64::from(joins.count.max(1));
    row("CPU of a join", ms(each), "ms");
    row("join, median", ms(joins.latency.median()), "ms");
    row("join, p99", ms(joins.latency.percentile(99)), "ms");
    let what = format!("link down and up, {} routes back", large.routes);
    row(&format!("{what}, median"), ms(large.flaps.median()), "ms");
    let longest = ms(large.flaps.percentile(100));
    row(&format!("{what}, longest"), longest, "ms");
    let flaps = u64::try_from(large.flaps.len().max(1)).unwrap_or(u64::MAX);
    row("CPU of that", ms(large.flaps_cpu / flaps), "ms");
    row("memory at most", mib(large.usage.peak), "MiB");
    row("memory then", mib(large.usage.resident), "MiB");
    report.table(&table)
}

/// etcd and Kubernetes as the registry.
pub(crate) fn registries(report: &mut BenchReport, registries: &[RegistryFigures; 2]) -> Result {
    report.keep("registries", registries);
    let columns = ["what", "etcd", "Kubernetes", "unit"];
    let mut table = Table::new("etcd and Kubernetes as the registry", &columns);
    let mut row = |what: &str, of: &dyn Fn(&RegistryFigures) -> String, unit: &str| {
        let [etcd, kubernetes] = registries.each_ref().map(of);
        table.row([what.to_owned(), etcd, kubernetes, unit.to_owned()]);
    };
    row(
        "start of 3 nodes until all are ready, median",
        &|it| ms(it.ready.median()),
        "ms",
    );
    let what = format!("join, until its route is on each of {NODES} nodes");
    row(
        &format!("{what}, median"),
        &|it| ms(it.joins.latency.median()),
        "ms",
    );
    row(
        &format!("{what}, p99"),
        &|it| ms(it.joins.latency.percentile(99)),
        "ms",
    );
    let each = |it: &RegistryFigures| {
        ms(it.joins.usage.cpu / u64::from(NODES) / u64::from(it.joins.count.max(1)))
    };
    row("CPU of a join on each node", &each, "ms");
    row(
        &format!("start among {PEERS}, until all routes are there"),
        &|it| ms(it.start),
        "ms",
    );
    row("memory at most", &|it| mib(it.usage.peak), "MiB");
    let of_heartbeats = |of: fn(&Heartbeats) -> String| {
        move |it: &RegistryFigures| it.heartbeats.as_ref().map_or_else(|| "0".to_owned(), of)
    };
    let cpu = of_heartbeats(|it| {
        let an_hour = it.cpu / u64::from(it.count) * Heartbeats::in_an_hour();
        format!("{:.3}", float(an_hour) / 3.6e12 * 100.0)
    });
    row("CPU for heartbeats of the peers", &cpu, "%");
    let bytes = of_heartbeats(|it| {
        let an_hour = it.bytes / u64::from(it.count) * Heartbeats::in_an_hour();
        format!("{:.0}", float(an_hour) / 1e6)
    });
    row("received for them in an hour", &bytes, "MB");
    report.table(&table)
}

fn mib(kib: u64) -> String {
    format!("{:.1}", float(kib) / 1024.0)
}
