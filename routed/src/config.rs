//! The configuration of the daemon: the flags of `routed run` and the conflist, checked at the
//! start.

use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use daemonkit::log::LogFormat;
use wire::cni;
use wire::conf::Conflist;
use wire::node::{self, NodeName};
use wire::paths::run_dir;

use crate::daemon::state_file::StateFile;

/// The flags of `routed run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The conflist that configures the network, outside of --cni-dir.
    #[arg(long, value_name = "FILE")]
    conflist: PathBuf,

    /// This node's name.
    ///
    /// By default the conflist's ipam.nodeName, the environment's `NODE_NAME`, or the host name.
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,

    /// An address by which peers reach this node; several with commas or by repeating it.
    ///
    /// It replaces all discovered addresses of its family. By default the addresses of all links
    /// that lead to other machines, beginning with the link of the default route. With Kubernetes as
    /// the registry it is ignored: peers use the internal addresses of its Node.
    #[arg(long = "node-address", value_name = "ADDRESS", env = "NODE_IP")]
    node_addresses: Vec<AddressList>,

    /// Where the container runtime looks for conflists.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/cni/net.d")]
    cni_dir: PathBuf,

    /// The folder of the CNI plugins; those that follow ours are asked for their CNI versions.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/cni/bin")]
    cni_bin: PathBuf,

    /// How long peers treat this node as present after its routed was killed.
    ///
    /// During this time no other machine can take over its name. 2 to 3600.
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
        default_value = DEFAULT_LISTEN
    )]
    listen: Listen,

    /// The format of the log on standard error.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// Where the HTTP server listens by default.
const DEFAULT_LISTEN: &str = "127.0.0.1:9470";

/// The TCP address of the HTTP server, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listen(Option<SocketAddr>);

impl FromStr for Listen {
    type Err = String;

    /// Empty text, such as an unset variable of a manifest, means the default.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => DEFAULT_LISTEN.parse(),
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

/// Addresses separated by commas; none if the text is empty, such as an unset variable of a
/// manifest.
#[derive(Debug, Clone)]
struct AddressList(Vec<IpAddr>);

impl FromStr for AddressList {
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

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Config {
    /// The conflist.
    pub(crate) conflist: Conflist,
    /// The path of the installed conflist: a file of the same name in the runtime's folder.
    pub(crate) installed_conflist: PathBuf,
    /// The folder of the CNI plugins.
    pub(crate) plugin_dir: PathBuf,
    /// This node's name.
    pub(crate) node: NodeName,
    /// The configured addresses of this node.
    pub(crate) node_addresses: Vec<IpAddr>,
    /// How long this node counts as present after its `routed` was killed.
    pub(crate) presence_ttl: Duration,
    /// The TCP address of the HTTP server, unless it is switched off.
    pub(crate) listen: Option<SocketAddr>,
}

impl Config {
    /// Reads the conflist and checks it with `args`. The error names what to correct.
    pub(crate) fn read(args: RunArgs) -> Result<Self, cni::Error> {
        let conflist = Conflist::read(&args.conflist)?;
        let name = installed_name(&args.conflist, &args.cni_dir)?;
        let installed_conflist = args.cni_dir.join(name);
        let state = StateFile::load(&run_dir(conflist.network()));
        let conflist = with_derived_pod_cidrs(conflist, &state, Some(&installed_conflist));
        let explicit = args.node_name.or_else(|| conflist.ipam().node_name.clone());
        let mut node_addresses = Vec::new();
        let given = args.node_addresses.into_iter();
        for address in given.flat_map(|addresses| addresses.0) {
            refuse_pod_cidr_address(address, &conflist)?;
            if !node_addresses.contains(&address) {
                node_addresses.push(address);
            }
        }
        Ok(Self {
            node: node::node_name(explicit.as_deref())?,
            installed_conflist,
            plugin_dir: args.cni_bin,
            node_addresses,
            presence_ttl: Duration::from_secs(args.presence_ttl.into()),
            listen: args.listen.0,
            conflist,
        })
    }
}

/// Reads a conflist. If it leaves the pod CIDRs to Kubernetes, they are those that `routed` saw in
/// this boot.
pub(crate) fn read_conflist(path: &Path) -> Result<Conflist, cni::Error> {
    let conflist = Conflist::read(path)?;
    if !conflist.ipam().has_derived_pod_cidrs() {
        return Ok(conflist);
    }
    let state = StateFile::load(&run_dir(conflist.network()));
    Ok(with_derived_pod_cidrs(conflist, &state, None))
}

/// `conflist` with the pod CIDRs in `state`, if it leaves them to Kubernetes. If that file is damaged,
/// `routed` wrote them into the `installed` conflist, too.
fn with_derived_pod_cidrs(
    conflist: Conflist,
    state: &StateFile,
    installed: Option<&Path>,
) -> Conflist {
    let installed = installed.filter(|_| state.is_damaged());
    let installed = installed.and_then(|path| Conflist::read(path).ok());
    match installed.filter(|it| it.network() == conflist.network()) {
        Some(installed) => conflist.with_pod_cidrs(&installed.ipam().pod_cidrs),
        None => conflist.with_pod_cidrs(state.pod_cidrs()),
    }
}

/// A node address inside a pod CIDR is useless: the route to it would lead through that node.
fn refuse_pod_cidr_address(address: IpAddr, conflist: &Conflist) -> Result<(), cni::Error> {
    let cidrs = &conflist.ipam().pod_cidrs;
    let Some(cidr) = cidrs.iter().find(|cidr| cidr.contains(&address)) else {
        return Ok(());
    };
    let msg = format!("node address {address} is inside the pod CIDR {cidr}");
    Err(cni::Error::new(cni::code::INVALID_CONFIG, msg)
        .advise("give the address by which other machines reach this node"))
}

/// The file name of the source, if a runtime would read a file of that name. Refuses a source in
/// the runtime's own folder: the node would count as ready before its network works.
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
mod tests;
