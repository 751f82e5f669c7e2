//! The commands of the command line: their help, and the function that each runs.
//!
//! A new command is a file beside this one with its flags and a `run`, a variant of [`Command`]
//! below the other commands of its group, and an arm of [`Command::run`].

use clap::{Parser, Subcommand};

use super::addresses::{self, AddressesArgs};
use super::doctor::{self, DoctorArgs};
use super::explain::{self, ExplainArgs};
use super::forget::{self, ForgetArgs};
use super::install::{self, InstallArgs};
use super::nodes::{self, NodesArgs};
use super::routes::{self, RoutesArgs};
use super::status::{self, StatusArgs};
use super::subnets::{self, SubnetsArgs};
use super::uninstall::{self, UninstallArgs};
use super::{CliOutput, CommandError, help, run};
use crate::config::RunArgs;

/// What follows the list of commands.
const AFTER_HELP: &str = "\
Where to begin:
  routed doctor --conflist FILE  before routed runs: can this host be a node?
  routed status                  while it runs: does this node work?
  routed explain POD-A POD-B     which link between two pods is broken?
  routed COMMAND --help          the flags of a command, with examples

Exit status: 0 all is well, 1 it is not, or something failed, 64 the command line or the conflist
has to be changed, 69 routed does not run, 75 not now: what is in use has to be taken out of use
first. Each command's own help says which of them it has.

No colours where NO_COLOR is set, or where the output is not a terminal.";

/// Keeps one kernel route per peer subnet on a Flatland node.
#[derive(Debug, Parser)]
#[command(
    name = "routed",
    version = wire::VERSION,
    arg_required_else_help = true,
    max_term_width = 100,
    help_template = help::template::<Command>(),
    after_help = AFTER_HELP
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Command {
    /// Runs the command, and returns what it prints.
    pub(crate) fn run(self) -> Result<CliOutput, CommandError> {
        match self {
            Self::Run(args) => run::run(args),
            Self::Status(args) => status::run(&args),
            Self::Nodes(args) => nodes::run(&args).map(CliOutput::from),
            Self::Routes(args) => routes::run(&args),
            Self::Subnets(args) => subnets::run(&args).map(CliOutput::from),
            Self::Addresses(args) => addresses::run(&args).map(CliOutput::from),
            Self::Doctor(args) => doctor::run(&args),
            Self::Explain(args) => explain::run(&args),
            Self::Forget(args) => forget::run(&args).map(CliOutput::from),
            Self::Install(args) => install::run(&args).map(CliOutput::from),
            Self::Uninstall(args) => uninstall::run(&args).map(CliOutput::from),
        }
    }
}

/// What to do. The help lists the commands in this order, under the headings of [`help::GROUPS`].
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the daemon until SIGTERM or SIGINT.
    ///
    /// It registers this node, makes sure that it owns a subnet of every pod CIDR, keeps a route
    /// to each subnet of its peers, and installs the conflist once pods can start. When it stops,
    /// routes, conflist and claims stay as they are: pods keep running without it.
    ///
    /// Exit status: 0 after a signal, 64 for a wrong command line or conflist, 1 for any other
    /// failure.
    #[command(after_help = "\
Examples:
  routed run --conflist /etc/flatland/10-flatland.conflist
  routed run --conflist /etc/flatland/10-flatland.conflist --node-address 192.168.1.11,fd00::11")]
    Run(RunArgs),
    /// Shows on one screen whether this node works, and if not, why.
    ///
    /// Asks the daemon. If it does not run, the answer comes from this node's files and the kernel.
    /// With --ready it is the daemon's /readyz in one line, for probes.
    ///
    /// Exit status: 0 if the node works (with --ready: can serve pods), 1 if not, or if the daemon
    /// does not answer, 69 if it does not run, 64 for a wrong command line.
    #[command(after_help = "\
Examples:
  routed status
  routed status --ready
  routed status -o json | jq -r .troubles[]")]
    Status(StatusArgs),
    /// Shows every node: addresses, subnets, and whether it is alive.
    ///
    /// Also which route leads to each subnet from here, or why none does. Asks the daemon. If it
    /// does not run, the answer comes from the registry.
    ///
    /// Exit status: 0, 1 for any failure, 64 for a wrong command line or conflist.
    #[command(after_help = "\
Examples:
  routed nodes
  routed nodes -o json")]
    Nodes(NodesArgs),
    /// Compares the desired routes with those in the kernel.
    ///
    /// The daemon knows the desired routes. If it does not run, only those in the kernel are shown.
    ///
    /// Exit status: 0 if all are as they should be, 1 if not, or for any failure, 69 if the daemon
    /// does not run, 64 for a wrong command line.
    #[command(after_help = "\
Examples:
  routed routes
  ip route show proto 70     # the same from the kernel alone")]
    Routes(RoutesArgs),
    /// Shows which node owns which subnet, and how many are left.
    ///
    /// Without the registry it shows this node's own subnets, and the reason on standard error.
    ///
    /// Exit status: 0, 1 for any failure, 64 for a wrong command line or conflist.
    #[command(after_help = "\
Examples:
  routed subnets
  routed subnets -o json")]
    Subnets(SubnetsArgs),
    /// Shows used, cooling and free addresses of this node, and their pods.
    ///
    /// Reads this node's files, and asks neither daemon nor registry. An address cools down after its
    /// pod is gone: a late packet to the old pod must not reach a new one.
    ///
    /// Exit status: 0, 1 for any failure, 64 for a wrong command line or conflist.
    #[command(after_help = "\
Examples:
  routed addresses
  routed addresses -o json")]
    Addresses(AddressesArgs),
    /// Checks whether this host can be a node, and says what to change.
    ///
    /// Forwarding, firewalls, reverse path filters, systemd-networkd, NetworkManager, overlapping
    /// networks, MTU, clock, etcd and its certificates: each with a verdict, what was seen, and
    /// what to do. Works before routed has ever run, and changes nothing.
    ///
    /// Exit status: 0 if nothing is broken, 1 if something is, 64 for a wrong command line or
    /// conflist.
    #[command(after_help = "\
Example:
  routed doctor --conflist /etc/flatland/10-flatland.conflist --service-cidr 10.96.0.0/12")]
    Doctor(DoctorArgs),
    /// Follows a packet from one pod to another, and names the broken link.
    ///
    /// One of the pods has to be on this node. Address, interface, claim, host route, forwarding,
    /// firewalls, the route to the peer, its next hop: each with what was seen and what to do. It
    /// sends a packet to the next hop to see whether it answers, and changes nothing.
    ///
    /// Exit status: 0 if nothing is broken as far as this node can see, 1 if something is, or if
    /// network policies deny the connection to --port, 64 for a wrong command line or conflist, and for
    /// pods that are not on this node.
    #[command(after_help = "\
Examples:
  routed explain default/web-0 10.244.58.7
  routed explain 10.244.7.2 10.244.7.3
  routed explain default/web-0 shop/db-0 --port 5432/tcp")]
    Explain(ExplainArgs),
    /// Releases the subnets of a node that is gone for good.
    ///
    /// Its record and its claims go, and every other node withdraws its routes to it. A node that
    /// is present is refused. If the node comes back it claims new subnets.
    ///
    /// Exit status: 0 when it is forgotten, 75 while it is present, 64 for a wrong command line or
    /// conflist, 1 for any other failure, and if there is no such node.
    #[command(after_help = "\
Examples:
  routed forget n3            # switch n3 off first
  routed forget 10.244.9.0/24 # a subnet without owner that nodes still have a route to")]
    Forget(ForgetArgs),
    /// Installs the CNI plugins on this node, and turns forwarding on.
    ///
    /// Each file is written beside the old one and then replaces it atomically: a plugin that is
    /// running is not disturbed. Files that are up to date stay as they are.
    ///
    /// Exit status: 0 when all is in place, 64 for a wrong command line or conflist, 1 for any
    /// other failure.
    #[command(after_help = "\
Example:
  routed install --conflist /etc/flatland/10-flatland.conflist --from dist/bin")]
    Install(InstallArgs),
    /// Removes everything that Flatland put on this node.
    ///
    /// Conflist, pods' interfaces, routes, packet filter rules, files and plugins go, and it shows
    /// that nothing is left. What the node owns in the registry stays its own;
    /// kernel settings stay as they are.
    ///
    /// Exit status: 0 when nothing is left, 75 while routed or flatland-policy runs or pods are
    /// attached, 1 if something could not be removed, or with --check is there, 64 for a wrong
    /// command line.
    #[command(after_help = "\
Examples:
  routed uninstall --dry-run
  routed uninstall
  routed uninstall --check")]
    Uninstall(UninstallArgs),
}

#[cfg(test)]
mod tests;
