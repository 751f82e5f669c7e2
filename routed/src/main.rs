//! `routed` keeps one kernel route per peer subnet, and installs the conflist once the node's
//! network works.

mod addresses;
mod atomic_file;
mod cli;
mod config;
mod daemon;
mod doctor;
mod error;
mod explain;
mod fib;
mod firewall;
mod host;
mod http;
mod kernel;
mod lock;
mod log;
mod membership;
mod reconcile;
mod rib;
mod status;
mod text;
mod thread;
mod time;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::command::{Cli, Command};
use crate::config::{Config, LogFormat, RunArgs};
use crate::error::Error;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A terminal that cannot be written to is nobody to tell of it.
            let _ = error.print();
            let wrong = error.use_stderr();
            return if wrong {
                error::USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match cli.command {
        Command::Run(args) => daemon(args),
        Command::Status(args) => answer(cli::status::run(&args)),
        Command::Doctor(args) => answer(cli::doctor::run(&args)),
        Command::Explain(args) => answer(cli::explain::run(&args)),
        Command::Nodes(args) => answer(cli::nodes::run(&args)),
        Command::Routes(args) => answer(cli::routes::run(&args)),
        Command::Forget(args) => answer(cli::forget::run(&args)),
        Command::Subnets(args) => answer(cli::subnets::run(&args)),
        Command::Addresses(args) => answer(cli::addresses::run(&args)),
        Command::Install(args) => answer(cli::install::run(&args)),
        Command::Uninstall(args) => answer(cli::uninstall::run(&args)),
    }
}

fn daemon(args: RunArgs) -> ExitCode {
    start_log(args.log_format);
    match serve(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    }
}

/// Prints what a command has to say.
fn answer(result: Result<impl Into<cli::Report>, cli::CommandError>) -> ExitCode {
    let (written, status) = match result.map(Into::into) {
        Ok(report) => (
            writeln!(io::stdout(), "{}", report.text),
            report.status.into(),
        ),
        Err(failure) => (
            writeln!(io::stderr(), "routed: {}", failure.text),
            failure.status.into(),
        ),
    };
    // Who does not read to the end (`| head`) knows that much.
    drop(written);
    status
}

fn serve(args: RunArgs) -> Result<(), Error> {
    let config = Config::read(args)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(daemon::event_loop::run(config))
}

/// The log goes to standard error; `RUST_LOG` chooses what of it, `info` unless set.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
