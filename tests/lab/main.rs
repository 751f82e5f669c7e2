//! `lab`: the processes of a lab, and entering one by hand.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab::probe::{self, Questions};
use lab::{Error, Result, namespaces};

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
    /// Tells every client, on TCP and UDP, the address it came from, until killed.
    Serve {
        /// The port to answer on.
        #[arg(long, default_value_t = probe::PORT)]
        port: u16,
    },
    /// Asks addresses where `lab serve` runs, by TCP, UDP and ping, and prints the answers as JSON.
    Ask {
        /// The port to ask on.
        #[arg(long, default_value_t = probe::PORT)]
        port: u16,
        /// How long to wait for an answer of each kind, in milliseconds.
        #[arg(long, default_value_t = probe::LIMIT_MS)]
        limit_ms: u64,
        /// Whom to ask.
        #[arg(required = true)]
        targets: Vec<IpAddr>,
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
        Command::Serve { port } => probe::serve(port).map(|()| ExitCode::SUCCESS),
        Command::Ask {
            port,
            limit_ms,
            targets,
        } => {
            let answers = probe::ask(&Questions {
                targets,
                port,
                limit_ms,
            });
            let text = serde_json::to_string(&answers).map_err(|e| Error::new(e.to_string()))?;
            writeln!(io::stdout(), "{text}").map_err(|e| Error::new(e.to_string()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
