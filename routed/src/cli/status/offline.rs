//! What can be seen of a node whose `routed` does not run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use registry::owned::Owned;
use serde::Serialize;
use wire::node::NodeName;
use wire::paths::state_dir;

use crate::cli::status::{append, or_none, pods};
use crate::cli::terminal::{Terminal, Tone};
use crate::cli::{INSTALLED, Network};
use crate::fib;
use crate::http::usage;
use crate::kernel::Netlink;
use crate::status::AddressUsage;
use crate::text::list;

/// What the kernel and the files say.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Offline {
    running: bool,
    well: bool,
    network: Option<String>,
    node: Option<NodeName>,
    /// Where the container runtime finds a conflist of ours, if it does.
    conflist: Option<PathBuf>,
    subnets: Vec<IpNet>,
    /// How many routes of ours are in the kernel, where it can be asked.
    routes: Option<usize>,
    pods: BTreeMap<String, AddressUsage>,
    /// What could not be looked at, and why.
    unknown: Vec<String>,
}

impl Offline {
    /// Looks. What cannot be seen is left open.
    pub(super) fn collect(network: &Network) -> Self {
        let mut alone = Self {
            conflist: crate::cli::find(Path::new(INSTALLED))
                .ok()
                .map(|(path, _)| path),
            ..Self::default()
        };
        match fib::list_own(&mut Netlink::default()) {
            Ok(routes) => alone.routes = Some(routes.ours.len()),
            Err(why) => alone.unknown.push(why.to_string()),
        }
        match network.read() {
            Ok(conflist) => alone.read_files(conflist.ipam()),
            Err(failure) => alone.unknown.push(failure.text),
        }
        alone
    }

    fn read_files(&mut self, conf: &wire::conf::IpamConfig) {
        self.network = Some(conf.network.clone());
        match Owned::load(&state_dir(&conf.network)) {
            Ok(Some(owned)) => (self.node, self.subnets) = (Some(owned.node), owned.subnets),
            Ok(None) => {}
            Err(why) => self.unknown.push(why.to_string()),
        }
        match usage(conf, &self.subnets) {
            Ok(pods) => self.pods = pods,
            Err(why) => self.unknown.push(why.to_string()),
        }
    }

    /// For people.
    pub(super) fn render(&self, screen: Terminal) -> String {
        let verdict = screen.paint("routed does not run on this node", Tone::Bad);
        let mut text = match (&self.node, &self.network) {
            (Some(node), Some(network)) => format!("node {node} of network {network}: {verdict}"),
            (None, Some(network)) => format!("network {network}: {verdict}"),
            _ => verdict,
        };
        let conflist = self.conflist.as_ref().map(|path| path.display());
        let conflist = conflist.map_or_else(
            || format!("none in {INSTALLED}: the runtime adds no pods"),
            |path| format!("{path}: the runtime goes on adding pods"),
        );
        let routes = self.routes.map_or_else(
            || "unknown".to_owned(),
            |routes| format!("{routes} in the kernel; nobody adds, repairs or withdraws any"),
        );
        append(&mut text, "conflist", &conflist);
        append(&mut text, "subnets", &or_none(&list(&self.subnets)));
        append(&mut text, "routes", &routes);
        append(&mut text, "pods", &pods(&self.pods));
        for why in &self.unknown {
            append(&mut text, "unknown", why);
        }
        text + "\nwhat keeps it from running is in its log: journalctl -u routed, or kubectl logs"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_shown_and_what_is_not_is_left_open() {
        let alone = Offline {
            network: Some("flatland".into()),
            routes: Some(3),
            ..Offline::default()
        };
        let text = alone.render(Terminal::PIPE);
        assert!(
            text.starts_with("network flatland: routed does not run"),
            "{text}"
        );
        assert!(text.contains("\n  routes     3 in the kernel;"), "{text}");
        assert!(
            text.contains("\n  conflist   none in /etc/cni/net.d:"),
            "{text}"
        );
        let nothing = Offline::default().render(Terminal::PIPE);
        assert!(nothing.starts_with("routed does not run on this node\n"));
    }
}
