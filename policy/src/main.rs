//! `flatland-policy` keeps the network policies of a node's pods in the packet filter.

mod command;
mod config;
mod daemon;
mod error;
mod lock;
mod metrics;
mod pages;
mod status;
mod table;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::command::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let status = if error.use_stderr() { error::USAGE } else { 0 };
            let _ = error.print();
            return status.into();
        }
    };
    let output = cli.command.run();
    // The exit status does not change if the reader closed the pipe early (`| head`).
    let _ = match (output.text.is_empty(), output.is_error) {
        (true, _) => Ok(()),
        (_, false) => writeln!(io::stdout(), "{}", output.text),
        (_, true) => writeln!(io::stderr(), "flatland-policy: {}", output.text),
    };
    output.status.into()
}
