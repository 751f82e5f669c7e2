//! `lab`: the processes of a lab, and entering one by hand.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab::{Result, namespaces};

/// A cluster of network namespaces on one machine, to try Flatland in.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the namespaces of a lab and holds them until its standard input ends.
    #[command(hide = true)]
    Init {
        #[arg(long)]
        keep: bool,
    },
    /// Runs as pid 1 of a lab.
    #[command(hide = true)]
    Pid1 {
        #[arg(long)]
        keep: bool,
    },
    /// Holds the namespaces of one machine.
    #[command(hide = true)]
    Machine {
        #[arg(long)]
        name: String,
        #[arg(long)]
        keep: bool,
    },
    /// Runs a command where a process of a lab is.
    Enter {
        /// The process to join, a machine's.
        #[arg(long)]
        target: u32,
        /// A pod's network namespace, as a path on that machine.
        #[arg(long)]
        netns: Option<PathBuf>,
        /// The command.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let ended = |status| ExitCode::from(namespaces::exit_code(status));
    match command {
        Command::Init { keep } => namespaces::init(keep).map(ended),
        Command::Pid1 { keep } => namespaces::pid1(keep).map(|()| ExitCode::SUCCESS),
        Command::Machine { name, keep } => {
            namespaces::machine(&name, keep).map(|()| ExitCode::SUCCESS)
        }
        Command::Enter {
            target,
            netns,
            command,
        } => namespaces::enter(target, netns.as_deref(), &command).map(ended),
    }
}
