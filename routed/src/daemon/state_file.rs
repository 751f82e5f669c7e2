//! The state that survives a restart of the daemon, but not a reboot (`/run/.../routed.json`):
//! which cluster and revision of the registry was read last, and which routes are held although it
//! lacks their claims.
//!
//! Without this file, a restarted daemon would trust a wiped registry as soon as this node has
//! written its own claims again, and would withdraw the routes of peers that have not yet. Like the
//! kernel's routes, the file exists until the next boot.

use std::io;
use std::path::{Path, PathBuf};

use daemonkit::OnChange;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};
use wire::atomic_file;
use wire::node::NodeName;
use wire::state_file;

use crate::rib::Rib;
use crate::rib::held::{LastSeen, Owners};
use crate::text::short_list;

/// The file, in a network's folder under `/run`, and its content.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    content: Content,
    /// Whether there was a file that could not be read.
    is_damaged: bool,
    /// What [`Rib::held_version`] was at the last update.
    version: Option<u64>,
    failure: OnChange,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// The cluster that was read: of etcd, or of Kubernetes.
    cluster: Option<u64>,
    /// The revision at which it was last read as a whole.
    #[serde(default)]
    revision: i64,
    /// The subnets whose routes stay although the registry lacks their claims.
    #[serde(default)]
    held: Owners,
    /// The pod CIDRs that follow from the Nodes of Kubernetes.
    #[serde(default)]
    pod_cidrs: Vec<IpNet>,
}

impl StateFile {
    /// Reads the file in `folder`. A missing or damaged file counts as empty.
    pub(crate) fn load(folder: &Path) -> Self {
        let path = folder.join("routed.json");
        let read = read(&path);
        if let Err(error) = &read {
            let shown = path.display();
            warn!(path = %shown, %error, "{shown} is ignored: {error}");
        }
        Self {
            path,
            is_damaged: read.is_err(),
            content: read.unwrap_or_default(),
            version: None,
            failure: OnChange::default(),
        }
    }

    /// The cluster and the revision that were read last.
    pub(crate) fn last_seen(&self) -> LastSeen {
        LastSeen {
            cluster: self.content.cluster,
            revision: self.content.revision,
        }
    }

    /// Whether there was a file that could not be read.
    pub(crate) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// The held subnets, with their nodes.
    pub(crate) fn held(&self) -> &Owners {
        &self.content.held
    }

    /// The pod CIDRs that an earlier daemon stored by [`StateFile::set_pod_cidrs`].
    pub(crate) fn pod_cidrs(&self) -> &[IpNet] {
        &self.content.pod_cidrs
    }

    /// Stores the pod CIDRs that follow from the Nodes, for the next start. Returns whether that
    /// succeeded.
    pub(crate) fn set_pod_cidrs(&mut self, pod_cidrs: &[IpNet]) -> bool {
        self.store(Content {
            pod_cidrs: pod_cidrs.to_vec(),
            ..self.content.clone()
        })
    }

    /// Why the file cannot be written.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.current()
    }

    /// Writes the state of `rib`, and logs when routes become held or are held no longer. A new
    /// revision alone is written only after the registry was read as a `whole`.
    pub(crate) fn update(&mut self, rib: &Rib, whole: bool) {
        let version = Some(rib.held_version());
        if !whole && version == self.version {
            return;
        }
        self.version = version;
        let held = rib.held();
        if !whole && held == self.content.held {
            return;
        }
        self.log_change(rib, &held);
        let seen = rib.last_seen();
        let content = Content {
            cluster: seen.cluster,
            revision: seen.revision,
            held,
            pod_cidrs: self.content.pod_cidrs.clone(),
        };
        self.store(content);
    }

    fn store(&mut self, content: Content) -> bool {
        if content == self.content && self.failure.current().is_none() {
            return true;
        }
        self.content = content;
        let text = serde_json::to_vec(&self.content).map_err(io::Error::from);
        match text.and_then(|text| atomic_file::replace(&self.path, &text)) {
            Ok(_) => {
                self.failure.clear();
                true
            }
            Err(error) => {
                let path = self.path.display();
                let text = format!("cannot write {path}: {error}");
                if self.failure.changed(&text) {
                    error!(%path, %error, "{text}; a restart would withdraw held routes as stale");
                }
                false
            }
        }
    }

    fn log_change(&self, rib: &Rib, held: &Owners) {
        let is_new = |(subnet, _): &(&IpNet, _)| !self.content.held.contains_key(subnet);
        let added: Vec<_> = held.iter().filter(is_new).map(describe).collect();
        if !added.is_empty() {
            let why = rib.distrust().map(ToString::to_string);
            let (why, subnets) = (
                why.unwrap_or_else(|| "the registry lost claims".to_owned()),
                short_list(&added),
            );
            error!(
                subnet = %subnets,
                error = %why,
                "{why}: keeping all routes. The routes to {subnets} stay until their nodes claim \
                 them again. For nodes that are gone for good: routed forget NODE"
            );
        } else if held.is_empty() && !self.content.held.is_empty() {
            info!(
                "no route is held any more: every peer has claimed its subnets again, or was \
                 forgotten"
            );
        }
    }
}

fn read(path: &Path) -> io::Result<Content> {
    match state_file::read(path, state_file::LARGE) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Content::default()),
        Err(error) => Err(error),
    }
}

/// `10.244.3.0/24 (n3)`.
fn describe((subnet, node): (&IpNet, &Option<NodeName>)) -> String {
    match node {
        Some(node) => format!("{subnet} ({node})"),
        None => subnet.to_string(),
    }
}

#[cfg(test)]
mod tests;
