//! `make bench`: contenders side by side in one run, on a node of the lab.

mod contender;
mod figures;
mod ipam;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab::{Error, Lab, Result};

/// Where the bench is on the node.
const INSIDE: &str = "/opt/flatland/bench";

/// Benchmarks Flatland against what people run today, side by side in one run.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// How often each operation is timed.
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    /// Where the figures go, as JSON.
    #[arg(long, default_value = "target/bench/ipam.json")]
    json: PathBuf,
    #[command(subcommand)]
    command: Option<Inside>,
}

#[derive(Subcommand)]
enum Inside {
    /// The part that runs on the node.
    #[command(hide = true)]
    Inside,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Some(Inside::Inside) => inside(cli.rounds),
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

/// Raises a node, runs the bench on it and prints what it found.
fn outside(cli: &Cli) -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    let own = std::env::current_exe().map_err(|error| Error::new(error.to_string()))?;
    node.install(&own, INSIDE)?;
    node.install(contender::HOST_LOCAL.as_ref(), "/opt/cni/bin/host-local")?;
    let rounds = cli.rounds.to_string();
    let text = node.run(&[INSIDE, "--rounds", &rounds, "inside"])?;
    let rows: Vec<figures::Row> =
        serde_json::from_str(&text).map_err(|error| Error::new(format!("{error}: {text}")))?;
    writeln!(io::stdout(), "{}", figures::table(&rows))
        .map_err(|error| Error::new(error.to_string()))?;
    if let Some(folder) = cli.json.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::new(error.to_string()))?;
    }
    std::fs::write(&cli.json, text)
        .map_err(|error| Error::new(format!("{}: {error}", cli.json.display())))
}

fn inside(rounds: usize) -> Result {
    let rows = ipam::measure(rounds).map_err(Error::new)?;
    let text = serde_json::to_string(&rows).map_err(|error| Error::new(error.to_string()))?;
    writeln!(io::stdout(), "{text}").map_err(|error| Error::new(error.to_string()))
}
