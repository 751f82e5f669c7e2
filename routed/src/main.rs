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
mod packet_paths;
mod reconcile;
mod rib;
mod status;
mod text;
mod thread;
mod time;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::command::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let status = if error.use_stderr() { error::USAGE } else { 0 };
            return ended(error.print(), status);
        }
    };
    match cli.command.run() {
        Ok(report) => ended(print(io::stdout(), "", &report.text), report.status),
        Err(failure) => ended(
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

/// The exit status is the same if the reader closed its end early (`| head`).
fn ended(_written: io::Result<()>, status: u8) -> ExitCode {
    status.into()
}
