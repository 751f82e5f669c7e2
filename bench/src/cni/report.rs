//! Tables and plots of the CNI benchmark.

use lab::Result;

use super::addresses::Addresses;
use super::latency::{LatencyRow, VERBS};
use super::storm::Storms;
use crate::figures::{Samples, float, per_second, ratio};
use crate::plot::{Axis, Plot, PlotLine};
use crate::table::{BenchReport, Table, cells, ms, times};

/// Latency of single calls.
pub(crate) fn latency(report: &mut BenchReport, rows: &[LatencyRow]) -> Result {
    report.keep("latency", &rows);
    for verb in VERBS {
        let title = format!("{verb}, one by one (milliseconds from start to end of the process)");
        let columns = [
            "contender",
            "min",
            "median",
            "p99",
            "max",
            "to the floor",
            "ptp to it",
            "CPU",
            "page faults",
        ];
        let mut table = Table::new(&title, &columns);
        for row in rows.iter().filter(|row| row.verb == verb) {
            let like = |kind: &str| {
                let same = |other: &&LatencyRow| other.verb == verb && other.dual == row.dual;
                let found = rows
                    .iter()
                    .filter(same)
                    .find(|other| other.contender.starts_with(kind));
                found.map_or(0, |found| found.latency.median())
            };
            let own = row.latency.median();
            let cells = [row.contender.clone()]
                .into_iter()
                .chain(cells(row.latency.spread()));
            table.row(cells.chain([
                times(ratio(own, like("floor"))),
                times(ratio(like("ptp"), own)),
                ms(row.cpu.median()),
                row.faults.median().to_string(),
            ]));
        }
        report.table(&table)?;
        let lines = rows.iter().filter(|row| row.verb == verb);
        let plot = Plot {
            title: format!("{verb}: how many are done in that time"),
            x: axis("milliseconds", true),
            y: axis("percent of all calls", false),
            lines: lines
                .map(|row| distribution(&row.contender, &row.latency))
                .collect(),
        };
        report.plot(&format!("latency-{}", verb.to_lowercase()), &plot.svg())?;
    }
    Ok(())
}

/// The IPAM plugins alone.
pub(crate) fn addresses(report: &mut BenchReport, addresses: &Addresses) -> Result {
    report.keep("addresses", addresses);
    let columns = [
        "plugin",
        "addresses in use",
        "ADD min",
        "median",
        "p99",
        "to none",
        "CPU",
        "page faults",
        "DEL min",
        "median",
        "p99",
        "to none",
    ];
    let mut table = Table::new(
        "One more address, by those in use (the IPAM plugin alone, milliseconds)",
        &columns,
    );
    for row in &addresses.rows {
        let none = addresses
            .rows
            .iter()
            .find(|other| other.plugin == row.plugin && other.in_use == 0);
        let mut line = vec![row.plugin.clone(), row.in_use.to_string()];
        let figures = |own: &Samples, none: Option<&Samples>| {
            let [min, median, p99, _] = cells(own.spread());
            let to_none = none.and_then(|none| ratio(own.median(), none.median()));
            [min, median, p99, times(to_none)]
        };
        line.extend(figures(&row.add, none.map(|none| &none.add)));
        line.extend([ms(row.cpu.median()), row.faults.median().to_string()]);
        line.extend(figures(&row.del, none.map(|none| &none.del)));
        table.row(line);
    }
    report.table(&table)?;
    let columns = ["plugin", "addresses in use", "min", "median", "p99", "max"];
    let mut table = Table::new(
        "STATUS where no address is free, and no further subnet (milliseconds)",
        &columns,
    );
    for full in &addresses.full {
        let first = [full.plugin.clone(), full.in_use.to_string()];
        table.row(first.into_iter().chain(cells(full.status.spread())));
    }
    report.table(&table)
}

/// Parallel calls.
pub(crate) fn storms(report: &mut BenchReport, storms: &Storms) -> Result {
    report.keep("storms", storms);
    let columns = [
        "contender",
        "in flight",
        "ADD/s",
        "to ptp's",
        "DEL/s",
        "to ptp's",
        "DEL/s until destroyed",
        "to ptp's",
    ];
    let mut table = Table::new("Storms: pods that come at once and go at once", &columns);
    for storm in storms.storms.iter().filter(|storm| storm.in_flight >= 50) {
        let ptp = storms
            .storms
            .iter()
            .find(|other| other.in_flight == storm.in_flight && other.contender.starts_with("ptp"));
        let mut row = vec![storm.contender.clone(), storm.in_flight.to_string()];
        let of = |samples: &Samples| per_second(storm.pods, samples.median());
        for (own, theirs) in [
            (&storm.add, ptp.map(|ptp| of(&ptp.add))),
            (&storm.del, ptp.map(|ptp| of(&ptp.del))),
            (&storm.gone, ptp.map(|ptp| of(&ptp.gone))),
        ] {
            let rate = of(own);
            row.push(format!("{rate:.0}"));
            row.push(times(theirs.map(|theirs| rate / theirs)));
        }
        table.row(row);
    }
    report.table(&table)?;
    let columns = [
        "contender",
        "ADD+DEL/s",
        "ADD median",
        "ADD p99",
        "DEL median",
        "DEL p99",
    ];
    let mut table = Table::new(
        "Churn: eight workers that add and delete (milliseconds)",
        &columns,
    );
    for churn in &storms.churns {
        let rate = float(churn.add.len() as u64) / churn.seconds;
        table.row([
            churn.contender.clone(),
            format!("{rate:.0}"),
            ms(churn.add.median()),
            ms(churn.add.percentile(99)),
            ms(churn.del.median()),
            ms(churn.del.percentile(99)),
        ]);
    }
    report.table(&table)?;
    for (name, add) in [("add", true), ("del", false)] {
        let verb = name.to_uppercase();
        let mut lines: Vec<PlotLine> = Vec::new();
        for storm in &storms.storms {
            let samples = if add { &storm.add } else { &storm.del };
            let point = (
                float(storm.in_flight as u64),
                per_second(storm.pods, samples.median()),
            );
            push(&mut lines, &storm.contender, point);
        }
        let plot = Plot {
            title: format!("{verb} a second"),
            x: axis("calls in flight", true),
            y: axis(&format!("{verb}/s"), true),
            lines,
        };
        report.plot(&format!("throughput-{name}"), &plot.svg())?;
    }
    Ok(())
}

/// Calls with pods on the node.
pub(crate) fn present(report: &mut BenchReport, rows: &[LatencyRow]) -> Result {
    report.keep("present", &rows);
    let columns = [
        "contender",
        "pods",
        "ADD",
        "to none",
        "CHECK",
        "to none",
        "DEL",
        "to none",
    ];
    let mut table = Table::new("With pods on the node (medians, milliseconds)", &columns);
    let median = |contender: &str, pods: usize, verb: &str| {
        let found = rows
            .iter()
            .find(|row| row.contender == contender && row.pods == pods && row.verb == verb);
        found.map(|row| row.latency.median())
    };
    for row in rows.iter().filter(|row| row.verb == VERBS[0]) {
        let mut line = vec![row.contender.clone(), row.pods.to_string()];
        for verb in VERBS {
            let own = median(&row.contender, row.pods, verb);
            let none = median(&row.contender, 0, verb);
            line.push(own.map_or_else(|| "-".to_owned(), ms));
            line.push(times(
                own.zip(none).and_then(|(own, none)| ratio(own, none)),
            ));
        }
        table.row(line);
    }
    report.table(&table)?;
    for verb in ["ADD", "DEL"] {
        let mut lines: Vec<PlotLine> = Vec::new();
        for row in rows.iter().filter(|row| row.verb == verb) {
            let point = (float(row.pods as u64), float(row.latency.median()) / 1e6);
            push(&mut lines, &row.contender, point);
        }
        let plot = Plot {
            title: format!("{verb} by pods on the node"),
            x: axis("pods on the node", false),
            y: axis("milliseconds, median", true),
            lines,
        };
        report.plot(&format!("pods-{}", verb.to_lowercase()), &plot.svg())?;
    }
    Ok(())
}

fn distribution(name: &str, samples: &Samples) -> PlotLine {
    let sorted = samples.sorted();
    let points = sorted.iter().enumerate().map(|(index, sample)| {
        let share = 100.0 * float(index as u64 + 1) / float(sorted.len() as u64);
        (float(*sample) / 1e6, share)
    });
    PlotLine {
        name: name.to_owned(),
        points: points.collect(),
    }
}

fn push(lines: &mut Vec<PlotLine>, name: &str, point: (f64, f64)) {
    match lines.iter_mut().find(|line| line.name == name) {
        Some(line) => line.points.push(point),
        None => lines.push(PlotLine {
            name: name.to_owned(),
            points: vec![point],
        }),
    }
}

fn axis(label: &str, logarithmic: bool) -> Axis {
    Axis {
        label: label.to_owned(),
        logarithmic,
    }
}
