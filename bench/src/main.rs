//! `make bench`: measures Flatland and other CNI plugins side by side, in a lab.

mod cni;
mod data;
mod figures;
mod labs;
mod plot;
mod policies;
mod routed;
mod table;

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use lab::{Error, Result};
use serde::Serialize;

use crate::labs::{pod_lab, run, wide_lab};
use crate::routed::process::Usage;
use crate::routed::route_events::Listener;

/// The path of the bench program on a machine of the lab.
const INSIDE: &str = "/opt/flatland/bench";

/// Benchmarks Flatland against other CNI plugins and against the floor of the kernel's own cost,
/// side by side in one run.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Take a fifth of the samples: a few minutes instead of twenty.
    #[arg(long)]
    quick: bool,
    /// Measure only these parts.
    #[arg(long, value_delimiter = ',', default_values_t = PARTS.map(str::to_owned))]
    only: Vec<String>,
    /// The folder for tables, figures (JSON) and plots (SVG).
    #[arg(long, default_value = "target/bench")]
    to: PathBuf,
    #[command(subcommand)]
    command: Option<Inside>,
}

/// The parts, in the order of the run.
const PARTS: [&str; 11] = [
    "latency",
    "addresses",
    "storms",
    "first",
    "starts",
    "joins",
    "large",
    "registries",
    "paths",
    "present",
    "policies",
];

/// The parts that run on a machine of the lab; each prints its figures as JSON.
#[derive(Subcommand)]
enum Inside {
    /// Latency of single calls.
    #[command(hide = true)]
    Latency { rounds: usize },
    /// The IPAM plugins alone.
    #[command(hide = true)]
    Addresses { rounds: usize },
    /// Parallel calls.
    #[command(hide = true)]
    Storms { rounds: usize, seconds: u64 },
    /// Calls with pods on the node.
    #[command(hide = true)]
    Present {
        rounds: usize,
        most: u16,
        #[arg(long)]
        dual: bool,
    },
    /// The first packet of new pods.
    #[command(hide = true)]
    First { rounds: usize },
    /// Writes peers into etcd.
    #[command(hide = true)]
    Fill { from: u32, to: u32 },
    /// Adds peers to etcd, one every so many microseconds.
    #[command(hide = true)]
    Join { from: u32, to: u32, pace: u64 },
    /// A start of `routed`.
    #[command(hide = true)]
    Start { peers: u32 },
    /// Prints the times at which so many routes appear.
    #[command(hide = true)]
    Listen { count: usize },
    /// Takes the link down and up, and waits until so many routes are back.
    #[command(hide = true)]
    Flap { routes: usize },
    /// The number of reconcile passes of `routed`.
    #[command(hide = true)]
    Passes,
    /// The resource usage of all `routed` processes.
    #[command(hide = true)]
    Usage,
    /// Runs the echo server.
    #[command(hide = true)]
    Serve,
    /// Measures round trips and connections to the echo server.
    #[command(hide = true)]
    Query { server: IpAddr, seconds: u64 },
    /// Pings an address.
    #[command(hide = true)]
    Ping { target: IpAddr },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Some(part) => run_inside(part),
        None => outside(&cli),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_inside(part: &Inside) -> Result {
    match part {
        Inside::Latency { rounds } => print(cni::latency::measure(
            &cni::contender::Contender::all(),
            *rounds,
            0,
        )),
        Inside::Addresses { rounds } => print(cni::addresses::measure(*rounds)),
        Inside::Storms { rounds, seconds } => print(cni::storm::measure(*rounds, *seconds)),
        Inside::Present { rounds, most, dual } => {
            print(cni::present::measure(*rounds, *most, *dual))
        }
        Inside::First { rounds } => print(data::first_packet::measure(*rounds)),
        Inside::Fill { from, to } => print(routed::records::fill(*from, *to)),
        Inside::Join { from, to, pace } => print(routed::records::join(
            *from,
            *to,
            Duration::from_micros(*pace),
        )),
        Inside::Start { peers } => print(routed::start::measure(*peers)),
        Inside::Listen { count } => listen(*count),
        Inside::Flap { routes } => print(routed::flap::flap(*routes)),
        Inside::Passes => print(routed::flap::count_passes()),
        Inside::Usage => print(Usage::of_all("routed")),
        Inside::Serve => data::probe::serve().map_err(to_error),
        Inside::Query { server, seconds } => {
            let answers = data::probe::query(*server, Duration::from_secs(*seconds));
            print(answers.map_err(|error| error.to_string()))
        }
        Inside::Ping { target } => {
            let answer = lab::probe::ping(*target, lab::DEADLINE);
            print(answer.map_err(|why| format!("{target} does not answer: {why}")))
        }
    }
}

/// Prints that it listens, and later the routes that appeared.
fn listen(count: usize) -> Result {
    let listener = Listener::open().map_err(Error::new)?;
    writeln!(io::stdout(), "listening").map_err(to_error)?;
    print(listener.wait_for_routes(count, 3 * lab::DEADLINE))
}

fn print<T: Serialize>(figures: std::result::Result<T, String>) -> Result {
    let figures = figures.map_err(Error::new)?;
    let text = serde_json::to_string(&figures).map_err(to_error)?;
    writeln!(io::stdout(), "{text}").map_err(to_error)
}

fn to_error(error: impl std::fmt::Display) -> Error {
    Error::new(error.to_string())
}

fn outside(cli: &Cli) -> Result {
    fs::create_dir_all(&cli.to).map_err(to_error)?;
    let mut report = table::BenchReport::new(&cli.to);
    report.text(&machine(cli.quick))?;
    for part in &cli.only {
        let progress = writeln!(io::stderr(), "bench: {part} ...");
        progress.map_err(to_error)?;
        match part.as_str() {
            "latency" => latency(cli, &mut report)?,
            "addresses" => addresses(cli, &mut report)?,
            "storms" => storms(cli, &mut report)?,
            "first" => first(cli, &mut report)?,
            "starts" => starts(cli, &mut report)?,
            "joins" => joins(cli, &mut report)?,
            "large" => large(cli, &mut report)?,
            "registries" => registries(cli, &mut report)?,
            "paths" => paths(cli, &mut report)?,
            "present" => present(cli, &mut report)?,
            "policies" => policies::run(cli.quick, &mut report)?,
            other => {
                let parts = PARTS.join(", ");
                return Err(Error::new(format!("no part {other}; there are {parts}")));
            }
        }
    }
    report.write()
}

/// The machine and the load, for the report.
fn machine(quick: bool) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let count = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("", |model| model.trim_start_matches([':', ' ', '\t']));
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let samples = if quick {
        " Few samples: `QUICK=1`."
    } else {
        ""
    };
    format!(
        "{count} processors ({model}), Linux {}, load before the run {}.{samples}\n",
        kernel.trim(),
        load.split(' ').next().unwrap_or_default()
    )
}

fn latency(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let lab = pod_lab()?;
    let rounds = if cli.quick { 40 } else { 200 };
    let rows: Vec<cni::latency::LatencyRow> = run(lab.node(1), &["latency", &rounds.to_string()])?;
    cni::report::latency(report, &rows)
}

fn addresses(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let lab = pod_lab()?;
    let rounds = if cli.quick { "40" } else { "200" };
    let addresses: cni::addresses::Addresses = run(lab.node(1), &["addresses", rounds])?;
    cni::report::addresses(report, &addresses)
}

fn storms(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let lab = pod_lab()?;
    let (rounds, seconds) = if cli.quick { ("1", "3") } else { ("3", "30") };
    let storms: cni::storm::Storms = run(lab.node(1), &["storms", rounds, seconds])?;
    cni::report::storms(report, &storms)
}

fn present(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let (rounds, most) = if cli.quick {
        ("10", "1000")
    } else {
        ("40", "4000")
    };
    let mut rows: Vec<cni::latency::LatencyRow> = Vec::new();
    for families in [&[][..], &["--dual"]] {
        let lab = pod_lab()?;
        let part = [&["present", rounds, most][..], families].concat();
        rows.extend(run::<Vec<_>>(lab.node(1), &part)?);
    }
    cni::report::present(report, &rows)
}

fn first(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let lab = pod_lab()?;
    let rounds = if cli.quick { "10" } else { "50" };
    let rows: Vec<data::first_packet::First> = run(lab.node(1), &["first", rounds])?;
    data::report::first(report, &rows)
}

fn starts(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let lab = wide_lab(1)?;
    let (rounds, most) = if cli.quick { (1, 5000) } else { (3, 20_000) };
    let (mut starts, mut there) = (Vec::new(), 0);
    for peers in [100, 1000, 5000, 20_000_u32]
        .into_iter()
        .filter(|peers| *peers <= most)
    {
        let numbers = [there.to_string(), peers.to_string()];
        lab.etcd()[0]
            .machine()
            .run(&[INSIDE, "fill", &numbers[0], &numbers[1]])?;
        there = peers;
        let start = || run(lab.node(1), &["start", &numbers[1]]);
        starts.push((0..rounds).map(|_| start()).collect::<Result<Vec<_>>>()?);
    }
    routed::report::starts(report, &starts)
}

fn joins(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let lab = wide_lab(routed::joins::NODES)?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let (few, many) = if cli.quick { (20, 300) } else { (100, 1000) };
    let mut joins = vec![routed::joins::measure(&lab, 0, few, 50_000)?];
    joins.push(routed::joins::measure(
        &lab,
        few,
        few + many,
        1_000_000 / u64::from(many),
    )?);
    routed::report::joins(report, &joins)
}

fn large(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let lab = wide_lab(1)?;
    let peers = routed::large::PEERS.to_string();
    lab.etcd()[0]
        .machine()
        .run(&[INSIDE, "fill", "0", &peers])?;
    let large = routed::large::measure(&lab, cli.quick)?;
    routed::report::large(report, &large)
}

fn registries(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let registries = routed::registries::measure(cli.quick)?;
    routed::report::registries(report, &registries)
}

fn paths(cli: &Cli, report: &mut table::BenchReport) -> Result {
    let rounds = if cli.quick { 1 } else { 10 };
    data::report::paths(report, &data::paths::measure(rounds)?)
}
