//! `routed` keeps one kernel route per peer subnet, and installs the conflist once the node's
//! network works.

mod absence;
mod asks;
mod attached;
mod chain;
mod chores;
mod claims;
mod cli;
mod config;
mod daemon;
mod desired;
mod detours;
mod dirty;
mod doctor;
mod error;
mod explain;
mod failures;
mod fib;
mod file;
mod firewall;
mod flood;
mod forget_after;
mod forgetter;
mod forwarding;
mod growth;
mod guests;
mod hold;
mod http;
mod journal;
mod ledger;
mod lock;
mod membership;
mod memory;
mod metrics;
mod next_hop;
mod node;
mod own_address;
mod own_thread;
mod peers;
mod plan;
mod pods;
mod reconcile;
mod report;
mod run;
mod side;
mod status;
mod steward;
mod sweep;
mod sweeper;
mod time;
mod unfinished;
mod verdict;
mod watch;

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
