//! `routed` keeps one kernel route per peer subnet, and installs the conflist once the node's
//! network works.

mod addresses;
mod cli;
mod config;
mod daemon;
mod doctor;
mod error;
mod explain;
mod fib;
mod firewall;
mod host;
mod identity;
mod kernel;
mod lock;
mod log;
mod membership;
mod node_report;
mod packet_paths;
mod pages;
mod reconcile;
mod rib;
mod status;
mod text;
mod time;
mod timeouts;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::command::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let status = if error.use_stderr() { error::USAGE } else { 0 };
            return exit_code(error.print(), status);
        }
    };
    match cli.command.run() {
        Ok(report) => exit_code(print(io::stdout(), "", &report.text), report.status),
        Err(failure) => exit_code(
            print(io::stderr(), "routed: ", &failure.text),
            failure.status,
        ),
    }
}

fn print(mut to: impl Write, prefix: &str, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    writeln!(to, "{prefix}{text}")
}

/// The exit status does not change if the reader closed the pipe early (`| head`).
fn exit_code(_written: io::Result<()>, status: u8) -> ExitCode {
    status.into()
}
