//! The command line.

use clap::{Parser, Subcommand};

use super::addresses::AddressesArgs;
use super::doctor::DoctorArgs;
use super::explain::ExplainArgs;
use super::forget::ForgetArgs;
use super::install::InstallArgs;
use super::nodes::NodesArgs;
use super::routes::RoutesArgs;
use super::status::StatusArgs;
use super::subnets::SubnetsArgs;
use super::uninstall::UninstallArgs;
use crate::config::RunArgs;

/// Where to begin, for who asks for help with everything.
const BEGIN: &str = "\
Where to begin:
  routed doctor --conflist FILE  before routed runs: can this host be a node?
  routed status                  when it runs: is all well, and if not why?
  routed explain POD-A POD-B     which link between two pods is broken?

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
    after_help = BEGIN
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the daemon until SIGTERM or SIGINT.
    ///
    /// It registers this node, makes sure that it owns a subnet of every pod CIDR, keeps a route
    /// to the subnets of its peers, and installs the conflist once pods can be served. When it
    /// stops, routes, conflist and claims stay as they are: pods go on without it.
    ///
    /// Exit status: 0 after a signal, 64 for a wrong command line or conflist, 1 for any other
    /// failure.
    #[command(after_help = "\
Examples:
  routed run --conflist /etc/flatland/10-flatland.conflist
  routed run --conflist /etc/flatland/10-flatland.conflist --node-address 192.168.1.11,fd00::11")]
    Run(RunArgs),
    /// Says on one screen whether all is well on this node, and if not why.
    ///
    /// Asks the daemon. Where it does not run, the files and the kernel say what they can.
    ///
    /// Exit status: 0 if all is well, 1 if not, or if the daemon cannot be asked, 69 if it does
    /// not run, 64 for a wrong command line.
    #[command(after_help = "\
Examples:
  routed status
  routed status -o json | jq -r .troubles[]")]
    Status(StatusArgs),
    /// Examines whether this host can be a node, or why it is not a good one.
    ///
    /// Forwarding, firewalls, reverse path filters, systemd-networkd, NetworkManager, overlapping
    /// networks, MTU, clock, etcd and its certificates: each with a verdict, what was seen, and
    /// what to do. Works before routed ever ran, and changes nothing.
    ///
    /// Exit status: 0 if nothing is broken, 1 if something is, 64 for a wrong command line or
    /// conflist.
    #[command(after_help = "\
Example:
  routed doctor --conflist /etc/flatland/10-flatland.conflist --service-cidr 10.96.0.0/12")]
    Doctor(DoctorArgs),
    /// Walks the way of a packet between two pods, and names the link that is broken.
    ///
    /// One of the pods has to be on this node. Address, interface, claim, host route, forwarding,
    /// firewalls, the route to the peer, its next hop: each with what was seen and what to do. It
    /// sends a packet to the next hop, to see whether it answers, and changes nothing.
    ///
    /// Exit status: 0 if nothing is broken as far as this node can see, 1 if something is, 64 for
    /// a wrong command line or conflist, and for pods that are not on this node.
    #[command(after_help = "\
Examples:
  routed explain default/web-0 10.244.58.7
  routed explain 10.244.7.2 10.244.7.3")]
    Explain(ExplainArgs),
    /// Shows every node: its addresses, whether its routed is alive, its subnets, and what becomes
    /// of them here.
    ///
    /// Asks the daemon. Where it does not run, the registry says what it can.
    ///
    /// Exit status: 0, 1 for any failure, 64 for a wrong command line or conflist.
    #[command(after_help = "\
Examples:
  routed nodes
  routed nodes -o json")]
    Nodes(NodesArgs),
    /// Shows the routes that should be in the kernel against those that are.
    ///
    /// What should be is for the daemon to say. Where it does not run, only the kernel's are shown.
    ///
    /// Exit status: 0 if all are as they should be, 1 if not, or for any failure, 69 if the daemon
    /// does not run, 64 for a wrong command line.
    #[command(after_help = "\
Examples:
  routed routes
  ip route show proto 70     # the same from the kernel alone")]
    Routes(RoutesArgs),
    /// Releases all that a node owns: it is gone for good.
    ///
    /// Its record and its claims go, and every other node withdraws its routes to it. A node that
    /// is present is refused. If the node comes back it claims anew.
    ///
    /// Exit status: 0 when it is forgotten, 75 while it is present, 64 for a wrong command line or
    /// conflist, 1 for any other failure, and where nobody knows the node.
    #[command(after_help = "\
Examples:
  routed forget n3            # switch n3 off first
  routed forget 10.244.9.0/24 # a subnet that nobody owns, and that nodes still have a route to")]
    Forget(ForgetArgs),
    /// Shows which node owns which subnet, and how many are left.
    ///
    /// While etcd is away it shows this node's own subnets, and says on standard error why only
    /// those.
    ///
    /// Exit status: 0, 1 for any failure, 64 for a wrong command line or conflist.
    #[command(after_help = "\
Examples:
  routed subnets
  routed subnets -o json")]
    Subnets(SubnetsArgs),
    /// Shows how many addresses of this node's subnets are used, cooling and free, and who holds
    /// them.
    ///
    /// Reads this node's files, and asks neither daemon nor etcd. An address cools down when its pod
    /// is gone, so that nobody who still sends to the old pod reaches a new one.
    ///
    /// Exit status: 0, 1 for any failure, 64 for a wrong command line or conflist.
    #[command(after_help = "\
Examples:
  routed addresses
  routed addresses -o json")]
    Addresses(AddressesArgs),
    /// Puts the plugins where the container runtime looks for them, and lets the node forward.
    ///
    /// Each file is written whole beside the old one and takes its place at once: a plugin that
    /// runs meanwhile is not disturbed. What is the same already is left alone.
    ///
    /// Exit status: 0 when all is in place, 64 for a wrong command line or conflist, 1 for any
    /// other failure.
    #[command(after_help = "\
Example:
  routed install --conflist /etc/flatland/10-flatland.conflist --from dist/bin")]
    Install(InstallArgs),
    /// Removes all that Flatland put on this node, and shows that nothing is left.
    ///
    /// Conflist, pods' interfaces, routes, packet filter rules, files and plugins go; what the
    /// node owns in etcd stays until `routed forget` releases it, and kernel settings stay as they
    /// are.
    ///
    /// Exit status: 0 when nothing is left, 75 while routed runs or pods are attached, 1 if
    /// something could not be removed, 64 for a wrong command line.
    #[command(after_help = "\
Examples:
  routed uninstall --dry-run
  routed uninstall")]
    Uninstall(UninstallArgs),
}
