//! `lab`: the processes of a lab, the demo, and the probe program that tests run inside.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use clap::{Parser, Subcommand, value_parser};
use lab::probe::{self, ProbeRequest, TransferDirection};
use lab::raw::{self, Datagram};
use lab::{Error, Families, Kept, Result, delay, demo, namespaces};
use wire::netlink::Mac;

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
        plugins: Option<PathBuf>,
        #[arg(long)]
        keep: bool,
    },
    /// Runs a command, by default a shell, in a node or a pod of the demo that is up.
    Enter {
        /// The node (n1) or the pod (n1/a).
        #[arg(required_unless_present = "target")]
        place: Option<String>,
        /// Any process of a lab, instead of a place.
        #[arg(long, conflicts_with = "place", requires = "command", hide = true)]
        target: Option<u32>,
        /// A network namespace, as a path where that process is.
        #[arg(long, requires = "target", hide = true)]
        netns: Option<PathBuf>,
        /// The command.
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Starts a cluster on this machine and shows its nodes, its routes, and which pods reach
    /// which.
    Demo {
        /// How many nodes.
        #[arg(long, default_value_t = 3, value_parser = value_parser!(u8).range(1..=180))]
        nodes: u8,
        /// How many pods on each node.
        #[arg(long, default_value_t = 2, value_parser = value_parser!(u8).range(0..=200))]
        pods: u8,
        /// Address families: 4, 6 or dual.
        #[arg(long, default_value = "dual")]
        families: Families,
        /// Keep the cluster running.
        #[arg(long)]
        keep: bool,
        /// End the cluster that was kept running.
        #[arg(long, exclusive = true)]
        down: bool,
    },
    /// Answers every client, on TCP and UDP, with the client's address, until killed.
    Serve {
        /// The port to answer on; several with commas.
        #[arg(long, default_values_t = [probe::PORT], value_delimiter = ',')]
        port: Vec<u16>,
    },
    /// Sends or receives as many bytes as each client requests, until killed.
    #[command(hide = true)]
    ServeTransfers {
        /// The TCP port.
        #[arg(long, default_value_t = probe::PORT)]
        port: u16,
    },
    /// Transfers bytes from or to a running `lab serve-transfers` and prints the microseconds.
    #[command(hide = true)]
    Transfer {
        /// The TCP port.
        #[arg(long, default_value_t = probe::PORT)]
        port: u16,
        /// The direction: down or up.
        #[arg(long)]
        direction: TransferDirection,
        /// The number of bytes.
        #[arg(long)]
        bytes: u64,
        /// The server's address.
        target: IpAddr,
    },
    /// Sends back what each TCP client sends, until killed.
    #[command(hide = true)]
    Echo {
        /// The TCP port.
        #[arg(long, default_value_t = probe::PORT)]
        port: u16,
    },
    /// Uses one connection to a running `lab echo` until it no longer answers.
    #[command(hide = true)]
    Hold {
        /// The server's address.
        target: IpAddr,
    },
    /// Sends datagrams as soon as there is an address to send from.
    #[command(hide = true)]
    Flood {
        /// How long from the first one, in milliseconds.
        #[arg(long)]
        for_ms: u64,
        /// Where to.
        target: IpAddr,
    },
    /// Passes TCP connections on to a server and delays its answers, until killed.
    #[command(hide = true)]
    Delay {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// The server.
        #[arg(long)]
        to: SocketAddr,
        /// The delay of each answer in milliseconds.
        #[arg(long)]
        delay_ms: u64,
    },
    /// Queries addresses where `lab serve` runs, by TCP, UDP and ping, and prints the answers as
    /// JSON.
    Query {
        /// The port of `lab serve`.
        #[arg(long, default_value_t = probe::PORT)]
        port: u16,
        /// The time limit for an answer of each kind, in milliseconds.
        #[arg(long, default_value_t = probe::LIMIT_MS)]
        limit_ms: u64,
        /// Do not ping: the virtual address of a Service answers no ICMP echo.
        #[arg(long)]
        no_ping: bool,
        /// The addresses to query.
        #[arg(required = true)]
        targets: Vec<IpAddr>,
    },
    /// Sends UDP datagrams in handmade frames, from any source address: FROM,TARGET,TEXT each.
    #[command(hide = true)]
    SendFrames {
        #[arg(long, default_value = "eth0")]
        interface: String,
        /// The destination MAC of the frames.
        #[arg(long)]
        to: Mac,
        #[arg(required = true)]
        datagrams: Vec<Datagram>,
    },
    /// Announces addresses on an interface by ARP and neighbour discovery.
    #[command(hide = true)]
    Announce {
        #[arg(long, default_value = "eth0")]
        interface: String,
        #[arg(required = true)]
        addresses: Vec<IpAddr>,
    },
    /// Advertises itself as an IPv6 router, and answers solicitations, until killed.
    #[command(hide = true)]
    Advertise {
        #[arg(long, default_value = "eth0")]
        interface: String,
        /// How long it is a default router, in seconds.
        #[arg(long)]
        default: u16,
        /// How long addresses of the prefix are valid, in seconds.
        #[arg(long)]
        valid: u32,
        /// The prefix, of 64 bits.
        prefix: Ipv6Addr,
    },
    /// Prints the datagrams of `lab send-frames` and their source addresses, until killed: those
    /// that arrive on an interface or, without one, those that a socket receives.
    #[command(hide = true)]
    Capture {
        #[arg(long)]
        interface: Option<String>,
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
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Init { keep } => namespaces::init(keep).map(ended),
        Command::Pid1 { keep } => namespaces::pid1(keep).map(done),
        Command::Machine {
            name,
            plugins,
            keep,
        } => namespaces::machine(&name, plugins.as_deref(), keep).map(done),
        Command::Enter {
            target: Some(target),
            netns,
            command,
            ..
        } => namespaces::enter(target, netns.as_deref(), &command).map(ended),
        Command::Enter { place, command, .. } => {
            enter_place(&place.unwrap_or_default(), command).map(ended)
        }
        Command::Demo { down: true, .. } => Kept::find()?.take_down().map(done),
        Command::Demo {
            nodes,
            pods,
            families,
            keep,
            ..
        } => demo::demo(demo::Options {
            nodes,
            pods,
            families,
            keep,
        }),
        Command::SendFrames {
            interface,
            to,
            datagrams,
        } => raw::send(&interface, to, &datagrams).map(done),
        Command::Announce {
            interface,
            addresses,
        } => raw::announce(&interface, &addresses).map(done),
        Command::Advertise {
            interface,
            default,
            valid,
            prefix,
        } => raw::advertise(&interface, default, prefix, valid).map(done),
        Command::Capture { interface } => interface
            .map_or_else(raw::receive, |interface| raw::capture(&interface))
            .map(done),
        other => run_probe(other),
    }
}

/// Runs a program that sends or answers packets.
fn run_probe(command: Command) -> Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Serve { port } => probe::serve(&port).map(done),
        Command::ServeTransfers { port } => probe::serve_transfers(port).map(done),
        Command::Transfer {
            port,
            direction,
            bytes,
            target,
        } => {
            let took = probe::transfer((target, port).into(), direction, bytes)?;
            print(&took.as_micros().to_string())
        }
        Command::Echo { port } => probe::echo(port).map(done),
        Command::Hold { target } => probe::hold((target, probe::PORT).into()).map(done),
        Command::Flood { for_ms, target } => {
            probe::flood((target, raw::PORT).into(), Duration::from_millis(for_ms)).map(done)
        }
        Command::Delay {
            listen,
            to,
            delay_ms,
        } => delay::delay(listen, to, Duration::from_millis(delay_ms)).map(done),
        Command::Query {
            port,
            limit_ms,
            no_ping,
            targets,
        } => query(&ProbeRequest {
            targets,
            port,
            limit_ms,
            ping: !no_ping,
        }),
        _ => Err(Error::new("no such probe")),
    }
}

/// Prints the answers as JSON.
fn query(request: &ProbeRequest) -> Result<ExitCode> {
    let answers = probe::query(request);
    let text = serde_json::to_string(&answers).map_err(|e| Error::new(e.to_string()))?;
    print(&text)
}

fn print(text: &str) -> Result<ExitCode> {
    writeln!(io::stdout(), "{text}").map_err(|e| Error::new(e.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// The caller's PATH, with the sbin folders at the end. On a node, the folder of `routed` is in front.
/// In a pod it is left out: in a pod's namespace `routed` would report a broken node.
fn search_path(is_node: bool) -> OsString {
    let own = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let mut path = OsString::from(if is_node {
        "PATH=/opt/flatland:"
    } else {
        "PATH="
    });
    path.push(own);
    path.push(":/usr/sbin:/sbin");
    path
}

/// Runs a shell, or another command, in a place of the kept lab.
fn enter_place(name: &str, command: Vec<OsString>) -> Result<ExitStatus> {
    let kept = Kept::find()?;
    let place = kept.place(name)?;
    let path = search_path(place.netns.is_none());
    let mut words: Vec<OsString> = vec!["env".into(), "HOME=/root".into(), path];
    if command.is_empty() {
        let shell = ["sh", "bash"][usize::from(Path::new("/bin/bash").exists())];
        words.extend([format!("PS1={name}# ").into(), shell.into()]);
    }
    words.extend(command);
    namespaces::enter(place.target, place.netns.as_deref(), &words)
}
