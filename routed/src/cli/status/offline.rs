//! `routed status` while `routed` does not run: what this node's files and the kernel show.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use registry::owned::Owned;
use serde::Serialize;
use wire::node::NodeName;
use wire::paths::state_dir;

use crate::addresses::ledger;
use crate::cli::status::lines::{self, append, or_none, pods};
use crate::cli::terminal::{Terminal, Tone};
use crate::cli::{CONFLIST_FOLDER, NetworkArgs};
use crate::fib;
use crate::kernel::Netlink;
use crate::status::AddressUsage;
use crate::status::policy::PolicyStatus;
use crate::text::list;

/// What is printed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Offline {
    running: bool,
    well: bool,
    network: Option<String>,
    node: Option<NodeName>,
    /// The installed conflist, if there is one.
    conflist: Option<PathBuf>,
    subnets: Vec<IpNet>,
    /// How many of our routes are in the kernel; `None` if it cannot be read.
    routes: Option<usize>,
    pods: BTreeMap<String, AddressUsage>,
    /// The enforcement of NetworkPolicies, if the conflist has a `policy` section.
    policy: Option<PolicyStatus>,
    /// What could not be read, and why.
    unknown: Vec<String>,
}

impl Offline {
    /// Reads files and kernel. What cannot be read is added to `unknown`.
    pub(super) fn collect(network: &NetworkArgs) -> Self {
        let mut offline = Self {
            conflist: crate::cli::find_conflist(Path::new(CONFLIST_FOLDER))
                .ok()
                .map(|(path, _)| path),
            ..Self::default()
        };
        match fib::list_own(&mut Netlink::default()) {
            Ok(routes) => offline.routes = Some(routes.ours.len()),
            Err(error) => offline.unknown.push(error.to_string()),
        }
        match network.read() {
            Ok(conflist) => {
                offline.read_files(conflist.ipam());
                let policy = conflist.plugin().policy.as_ref();
                offline.policy = policy.map(|_| PolicyStatus::read());
            }
            Err(error) => offline.unknown.push(error.text),
        }
        offline
    }

    fn read_files(&mut self, conf: &wire::conf::IpamConfig) {
        self.network = Some(conf.network.clone());
        match Owned::load(&state_dir(&conf.network)) {
            Ok(Some(owned)) => (self.node, self.subnets) = (Some(owned.node), owned.subnets),
            Ok(None) => {}
            Err(error) => self.unknown.push(error.to_string()),
        }
        match ledger::usage(conf, &self.subnets) {
            Ok(usage) => self.pods = ledger::by_family(&usage),
            Err(error) => self.unknown.push(error.to_string()),
        }
    }

    /// The lines for a terminal.
    pub(super) fn render(&self, terminal: Terminal) -> String {
        let verdict = terminal.paint("routed does not run on this node", Tone::Bad);
        let mut text = match (&self.node, &self.network) {
            (Some(node), Some(network)) => format!("node {node} of network {network}: {verdict}"),
            (None, Some(network)) => format!("network {network}: {verdict}"),
            _ => verdict,
        };
        let conflist = self.conflist.as_ref().map(|path| path.display());
        let conflist = conflist.map_or_else(
            || format!("none in {CONFLIST_FOLDER}: the runtime adds no pods"),
            |path| format!("{path}: the runtime still adds pods"),
        );
        let routes = self.routes.map_or_else(
            || "unknown".to_owned(),
            |routes| format!("{routes} in the kernel; none is added, repaired or withdrawn"),
        );
        append(&mut text, "conflist", &conflist);
        append(&mut text, "subnets", &or_none(&list(&self.subnets)));
        append(&mut text, "routes", &routes);
        append(&mut text, "pods", &pods(&self.pods));
        if let Some(policy) = &self.policy {
            let trouble = policy.trouble();
            let line = trouble.as_deref().unwrap_or_else(|| lines::policy(policy));
            append(&mut text, "policy", line);
        }
        for reason in &self.unknown {
            append(&mut text, "unknown", reason);
        }
        text + "\nits log says why it does not run: journalctl -u routed, or kubectl logs"
    }
}

#[cfg(test)]
mod tests;
