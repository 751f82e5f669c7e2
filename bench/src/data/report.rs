//! Tables of the data path benchmark.

use lab::Result;

use super::first_packet::First;
use super::paths::MeasuredPath;
use crate::figures::{Samples, float, ratio};
use crate::table::{BenchReport, Table, cells, times, us};

/// The first packet of new pods.
pub(crate) fn first(report: &mut BenchReport, rows: &[First]) -> Result {
    report.keep("first", &rows);
    let columns = ["contender", "min", "median", "p99", "max"];
    let title = "From the end of ADD to the fresh pod's first answer to the node (milliseconds)";
    let mut table = Table::new(title, &columns);
    for row in rows {
        table.row(
            [row.contender.clone()]
                .into_iter()
                .chain(cells(row.answer.spread())),
        );
    }
    report.table(&table)
}

/// Paths from pod to pod and from host to host.
pub(crate) fn paths(report: &mut BenchReport, paths: &[MeasuredPath]) -> Result {
    report.keep("paths", &paths);
    for across in [false, true] {
        let title = if across {
            "Across nodes, through the switch (each figure also as a ratio to host to host)"
        } else {
            "On one node (each figure also as a ratio to the best of the others)"
        };
        let columns = [
            "contender",
            "TCP Gbit/s",
            "ratio",
            "round trip median us",
            "ratio",
            "p99 us",
            "ratio",
            "connections/s",
            "ratio",
        ];
        let mut table = Table::new(title, &columns);
        let there = || paths.iter().filter(|path| path.across == across);
        for path in there() {
            // Host to host is the limit across nodes; on one node, the best of the others is the
            // base.
            let base = |of: fn(&MeasuredPath) -> &Samples, more_is_better: bool| {
                let others = there().filter(|other| {
                    if across {
                        other.contender == "host"
                    } else {
                        other.contender != path.contender
                    }
                });
                let medians = others.map(|other| of(other).median());
                if more_is_better {
                    medians.max()
                } else {
                    medians.min()
                }
            };
            let mut row = vec![path.contender.clone()];
            let gigabits = |bits: u64| format!("{:.2}", float(bits) / 1e9);
            for (of, more, show) in [
                (
                    (|path| &path.throughput) as fn(&MeasuredPath) -> &Samples,
                    true,
                    gigabits as fn(u64) -> String,
                ),
                (|path| &path.median, false, us),
                (|path| &path.p99, false, us),
                (|path| &path.connections, true, |rate| rate.to_string()),
            ] {
                let own = of(path).median();
                row.push(show(own));
                row.push(times(base(of, more).and_then(|base| ratio(own, base))));
            }
            table.row(row);
        }
        report.table(&table)?;
    }
    Ok(())
}
