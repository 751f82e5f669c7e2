//! `conformance`: tests CNI plugins against the CNI spec and prints a table.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use lab::conformance::{ConformanceReport, PluginKind, Subject, details, json, judge, table};
use lab::{Error, Result};

/// The exit statuses for a wrong command line and for an error of the suite (`EX_USAGE` and
/// `EX_SOFTWARE` of sysexits.h).
const USAGE: u8 = 64;
const BROKEN: u8 = 70;

/// Judges CNI plugins by every MUST and SHOULD of the CNI spec that concerns them, each on a fresh
/// machine made of namespaces, and prints a table.
///
/// Exits with 0 if no plugin fails a MUST, with 1 if one does, with 64 if the command line is wrong,
/// and with 70 if the suite cannot run. Several plugins are given by repeating --plugin, --kind and
/// --config, in the same order.
#[derive(Parser)]
#[command(name = "conformance", version)]
struct Cli {
    /// The plugin's executable.
    #[arg(long, required = true)]
    plugin: Vec<PathBuf>,
    /// What the plugin is for.
    #[arg(long, required = true)]
    kind: Vec<PluginKind>,
    /// A plugin configuration object with a "name"; "cniVersion" is filled in. With 3 to 64
    /// addresses to give, more rows apply.
    #[arg(long, required = true)]
    config: Vec<PathBuf>,
    /// The folder of the IPAM plugin that a configuration names [default: the plugin's own].
    #[arg(long)]
    ipam: Option<PathBuf>,
    /// A program that plugins run and that is no plugin; may be repeated.
    #[arg(long)]
    with: Vec<PathBuf>,
    /// The output format.
    #[arg(short, long, default_value = "table")]
    output: OutputFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum OutputFormat {
    /// For people.
    Table,
    /// For programs, with the text of each requirement and the evidence.
    Json,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let outcome = match subjects(&cli) {
        Ok(subjects) => run(&subjects, cli.output),
        Err(error) => {
            let _ = writeln!(io::stderr(), "conformance: {error}");
            return ExitCode::from(USAGE);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "conformance: {error}");
            ExitCode::from(BROKEN)
        }
    }
}

/// The plugins of the command line.
fn subjects(cli: &Cli) -> Result<Vec<Subject>> {
    if cli.kind.len() != cli.plugin.len() || cli.config.len() != cli.plugin.len() {
        return Err(Error::new("each --plugin needs a --kind and a --config"));
    }
    let given = cli.plugin.iter().zip(&cli.kind).zip(&cli.config);
    given
        .map(|((plugin, kind), config)| {
            let wrong = |why: String| Error::new(format!("{}: {why}", config.display()));
            let text = fs::read(config).map_err(|error| wrong(error.to_string()))?;
            let config = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
            Subject::new(*kind, plugin, config, cli.ipam.as_deref())?.with(&cli.with)
        })
        .collect()
}

/// Whether all of them conform.
fn run(subjects: &[Subject], output: OutputFormat) -> Result<bool> {
    let reports = judge(subjects)?;
    let text = match output {
        OutputFormat::Table => format!("{}{}", table(&reports), details(&reports)),
        OutputFormat::Json => format!("{:#}\n", json(&reports)),
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::new(error.to_string()))?;
    Ok(reports.iter().all(ConformanceReport::conforms))
}
