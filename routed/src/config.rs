//! What an administrator says on the command line and in the conflist, checked before anything
//! happens.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wire::cni;
use wire::conf::Conflist;
use wire::node::{self, NodeName};

use crate::cli::addresses::AddressesArgs;
use crate::cli::doctor::DoctorArgs;
use crate::cli::explain::ExplainArgs;
use crate::cli::forget::ForgetArgs;
use crate::cli::install::InstallArgs;
use crate::cli::nodes::NodesArgs;
use crate::cli::routes::RoutesArgs;
use crate::cli::status::StatusArgs;
use crate::cli::subnets::SubnetsArgs;
use crate::cli::uninstall::UninstallArgs;

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
    /// networks, MTU, clock, etcd and its certificates: each with a verdict, the evidence, and what to do.
    /// Works before routed ever ran, and changes nothing.
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

/// The flags of `routed run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The conflist that configures the network, outside of --cni-dir.
    #[arg(long, value_name = "FILE")]
    conflist: PathBuf,

    /// This node's name; by default the conflist's ipam.nodeName, the environment's `NODE_NAME`,
    /// or the host name.
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,

    /// An address by which peers reach this node; several with commas or by repeating it. By
    /// default those of the link with the default route.
    #[arg(long = "node-address", value_name = "ADDRESS", env = "NODE_IP")]
    node_addresses: Vec<Addresses>,

    /// Where the container runtime looks for conflists.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/cni/net.d")]
    cni_dir: PathBuf,

    /// Where the plugins are: those that come after ours are asked what they know.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/cni/bin")]
    cni_bin: PathBuf,

    /// How long peers take this node for present after its routed was killed; as long, no other
    /// machine can take over its name. 2 to 3600.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(2..=3600)
    )]
    presence_ttl: u16,

    /// Where /healthz, /readyz and /metrics are served, or none.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "ROUTED_LISTEN",
        default_value_t = Listen::DEFAULT
    )]
    listen: Listen,

    /// How the log on standard error is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// Where HTTP is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listen(Option<SocketAddr>);

impl Listen {
    const DEFAULT: Self = Self(Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9470)));
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("none"),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    /// An empty text, as an unset variable of a manifest is, means the default.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Ok(Self::DEFAULT),
            "none" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|address| Self(Some(address)))
                .map_err(|_| {
                    "write an IP address and a port, as in 127.0.0.1:9470 or [::1]:9470, or none"
                        .to_owned()
                }),
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object per line, for machines.
    Json,
}

/// Addresses that commas separate; none if the text is empty, as an unset variable of a manifest
/// is.
#[derive(Debug, Clone)]
struct Addresses(Vec<IpAddr>);

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(address).collect::<Result<_, _>>().map(Self)
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is no IP address"))?;
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let useless = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    if useless || broadcast || link_local {
        return Err(format!("no peer can reach a node by {address}"));
    }
    Ok(address)
}

/// Everything the daemon needs to know, checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// The conflist.
    pub(crate) conflist: Conflist,
    /// Where the conflist is installed: a file of the same name in the runtime's folder.
    pub(crate) installed: PathBuf,
    /// Where the plugins are.
    pub(crate) plugins: PathBuf,
    /// This node.
    pub(crate) node: NodeName,
    /// The addresses that were given for it.
    pub(crate) hints: Vec<IpAddr>,
    /// How long it counts as present after its last sign of life.
    pub(crate) presence_ttl: Duration,
    /// Where HTTP is served, if it is.
    pub(crate) listen: Option<SocketAddr>,
}

impl Config {
    /// Reads and checks what `args` say. The error is for the person who wrote them.
    pub(crate) fn read(args: RunArgs) -> Result<Self, cni::Error> {
        let conflist = Conflist::read(&args.conflist)?;
        let name = installed_name(&args.conflist, &args.cni_dir)?;
        let explicit = args.node_name.or_else(|| conflist.ipam().node_name.clone());
        let mut hints = Vec::new();
        for address in args
            .node_addresses
            .into_iter()
            .flat_map(|addresses| addresses.0)
        {
            refuse_pods_address(address, &conflist)?;
            if !hints.contains(&address) {
                hints.push(address);
            }
        }
        Ok(Self {
            node: node::node_name(explicit.as_deref())?,
            installed: args.cni_dir.join(name),
            plugins: args.cni_bin,
            hints,
            presence_ttl: Duration::from_secs(args.presence_ttl.into()),
            listen: args.listen.0,
            conflist,
        })
    }
}

/// Peers give no route to a node that is where pods are: the way to it would lead over itself.
fn refuse_pods_address(address: IpAddr, conflist: &Conflist) -> Result<(), cni::Error> {
    let cidrs = &conflist.ipam().pod_cidrs;
    let Some(cidr) = cidrs.iter().find(|cidr| cidr.contains(&address)) else {
        return Ok(());
    };
    let msg = format!("node address {address} is inside the pod CIDR {cidr}");
    Err(cni::Error::new(cni::code::INVALID_CONFIG, msg)
        .advise("give the address by which other machines reach this node"))
}

/// The source's own name, if a runtime would read it, and if the source is not what the runtime
/// reads already: the node would be taken for ready before its network is.
fn installed_name<'a>(source: &'a Path, cni_dir: &Path) -> Result<&'a OsStr, cni::Error> {
    let refused = |msg: String, advice: &str| {
        Err(cni::Error::new(cni::code::INVALID_CONFIG, msg).advise(advice))
    };
    let shown = source.display();
    let is_list = source
        .extension()
        .is_some_and(|extension| extension == "conflist");
    let Some(name) = source.file_name().filter(|_| is_list) else {
        return refused(
            format!("{shown} is not named like a conflist"),
            "rename it to NAME.conflist: container runtimes read lists from no other files",
        );
    };
    let folder = source
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok();
    if folder.is_some() && folder == fs::canonicalize(cni_dir).ok() {
        return refused(
            format!(
                "{shown} is in {}, where the container runtime looks",
                cni_dir.display()
            ),
            "keep it elsewhere, such as /etc/flatland: routed installs it once the network works",
        );
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFLIST: &str = r#"{"cniVersion":"1.1.0","name":"flatland","plugins":[
        {"type":"flatland","ipam":{"type":"flatland-ipam","podCIDRs":["10.244.0.0/16"]}}]}"#;

    fn parse(args: &[&str]) -> Result<RunArgs, clap::Error> {
        let all = ["routed", "run"].iter().chain(args);
        Cli::try_parse_from(all).map(|cli| match cli.command {
            Command::Run(args) => args,
            _ => unreachable!(),
        })
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn addresses_come_by_commas_and_by_repetition_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("10-flatland.conflist");
        fs::write(&source, CONFLIST).unwrap();
        let args = parse(&[
            "--conflist",
            source.to_str().unwrap(),
            "--node-name",
            "n1",
            "--node-address",
            "192.168.1.1, fd00::1",
            "--node-address",
            "",
            "--node-address",
            "fd00::1,192.168.1.2",
        ]);
        let config = Config::read(args.unwrap()).unwrap();
        let hints: Vec<_> = config.hints.iter().map(ToString::to_string).collect();
        assert_eq!(hints, ["192.168.1.1", "fd00::1", "192.168.1.2"]);
        assert_eq!(
            config.installed,
            Path::new("/etc/cni/net.d/10-flatland.conflist")
        );
        assert_eq!(config.node.as_str(), "n1");
    }

    #[test]
    fn addresses_that_nobody_can_reach_are_refused() {
        for bad in [
            "127.0.0.1",
            "::",
            "ff02::1",
            "255.255.255.255",
            "fe80::1",
            "n1",
            "10.0.0.1/24",
        ] {
            let error = parse(&["--conflist", "x", "--node-address", bad]).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
        }
    }

    #[test]
    fn an_address_among_the_pods_is_refused_with_their_cidr() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("10-flatland.conflist");
        fs::write(&source, CONFLIST).unwrap();
        let flags = ["--conflist", source.to_str().unwrap(), "--node-address"];
        let args = parse(&[&flags[..], &["10.244.1.1"]].concat()).unwrap();
        let error = Config::read(args).unwrap_err();
        assert_eq!(error.code, cni::code::INVALID_CONFIG);
        assert!(
            error
                .msg
                .contains("10.244.1.1 is inside the pod CIDR 10.244.0.0/16")
        );
    }

    #[test]
    fn a_source_that_the_runtime_would_miss_or_already_reads_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let name = |file: &Path| installed_name(file, folder.path()).map(OsStr::to_owned);
        let error = name(&elsewhere.path().join("flatland.json")).unwrap_err();
        assert!(error.msg.contains("flatland.json"), "{error}");
        let error = name(&folder.path().join("10-flatland.conflist")).unwrap_err();
        assert!(error.details.contains("/etc/flatland"), "{error}");
        assert_eq!(
            name(&elsewhere.path().join("a.conflist")).unwrap(),
            "a.conflist"
        );
    }
}
