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

/// Keeps one kernel route per peer subnet on a Flatland node.
#[derive(Debug, Parser)]
#[command(name = "routed", version = wire::VERSION, arg_required_else_help = true)]
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
    Run(RunArgs),
    /// Says on one screen whether all is well on this node, and if not why.
    ///
    /// Asks the daemon. Where it does not run, the files and the kernel say what they can.
    ///
    /// Exit status: 0 if all is well, 1 if not, or if the daemon cannot be asked, 69 if it does
    /// not run, 64 for a wrong command line.
    Status(StatusArgs),
    /// Examines whether this host can be a node, or why it is not a good one.
    ///
    /// Forwarding, firewalls, reverse path filters, systemd-networkd, NetworkManager, overlapping
    /// networks, MTU, clock, etcd and its certificates: each with a verdict, what was seen, and
    /// what to do. Works before routed ever ran, and changes nothing.
    ///
    /// Exit status: 0 if nothing is broken, 1 if something is, 64 for a wrong command line or
    /// conflist.
    Doctor(DoctorArgs),
    /// Walks the way of a packet between two pods, and names the link that is broken.
    ///
    /// One of the pods has to be on this node. Address, interface, claim, host route, forwarding,
    /// firewalls, the route to the peer, its next hop: each with what was seen and what to do. It
    /// sends a packet to the next hop, to see whether it answers, and changes nothing.
    ///
    /// Exit status: 0 if nothing is broken as far as this node can see, 1 if something is, 64 for
    /// a wrong command line or conflist, and for pods that are not on this node.
    Explain(ExplainArgs),
    /// Shows every node: its addresses, whether its routed is alive, its subnets, and what becomes
    /// of them here.
    ///
    /// Asks the daemon. Where it does not run, the registry says what it can.
    ///
    /// Exit status: 0, 1 for any failure, 64 for a wrong command line or conflist.
    Nodes(NodesArgs),
    /// Shows the routes that should be in the kernel against those that are.
    ///
    /// What should be is for the daemon to say. Where it does not run, only the kernel's are shown.
    ///
    /// Exit status: 0 if all are as they should be, 1 if not, or for any failure, 69 if the daemon
    /// does not run, 64 for a wrong command line.
    Routes(RoutesArgs),
    /// Releases all that a node owns: it is gone for good.
    ///
    /// Its record and its claims go, and every other node withdraws its routes to it. A node that
    /// is present is refused. If the node comes back it claims anew.
    ///
    /// Exit status: 0 when it is forgotten, 75 while it is present, 64 for a wrong command line or
    /// conflist, 1 for any other failure, and where nobody knows the node.
    Forget(ForgetArgs),
    /// Shows which node owns which subnet, and how many are left.
    ///
    /// While etcd is away it shows this node's own subnets, and says on standard error why only
    /// those.
    Subnets(SubnetsArgs),
    /// Shows how many addresses of this node's subnets are used, cooling and free, and who holds
    /// them.
    Addresses(AddressesArgs),
    /// Puts the plugins where the container runtime looks for them, and lets the node forward.
    ///
    /// Each file is written whole beside the old one and takes its place at once: a plugin that
    /// runs meanwhile is not disturbed. What is the same already is left alone.
    ///
    /// Exit status: 0 when all is in place, 64 for a wrong command line or conflist, 1 for any
    /// other failure.
    Install(InstallArgs),
    /// Removes all that Flatland put on this node, and shows that nothing is left.
    ///
    /// Conflist, pods' interfaces, routes, packet filter rules, files and plugins go; what the
    /// node owns in etcd stays until `routed forget` releases it, and kernel settings stay as they
    /// are.
    ///
    /// Exit status: 0 when nothing is left, 75 while routed runs or pods are attached, 1 if
    /// something could not be removed.
    Uninstall(UninstallArgs),
}
