//! Installs the conflist into the container runtime's folder, which makes the node ready for pods.

use std::net::IpAddr;
use std::path::PathBuf;

use tracing::{error, info};
use wire::atomic_file;

use crate::config::Config;
use crate::host::cni_versions::CniVersions;
use crate::log::OnChange;

/// Writes the conflist, and writes it again when it changes or was removed.
#[derive(Debug)]
pub(super) struct ConflistInstaller {
    versions: CniVersions,
    /// The content of the installed file; `None` if it has to be compared.
    content: Option<String>,
    /// Whether it was installed, or found installed, at least once.
    is_ready: bool,
    failure: OnChange,
}

impl ConflistInstaller {
    /// The plugins are in `plugin_dir`. Nothing is installed yet.
    pub(super) fn new(plugin_dir: PathBuf) -> Self {
        Self {
            versions: CniVersions::new(plugin_dir),
            content: None,
            is_ready: false,
            failure: OnChange::default(),
        }
    }

    /// Lets the next [`Self::install`] compare the file again: another program may have changed it.
    pub(super) fn recheck(&mut self) {
        self.content = None;
    }

    /// Whether the conflist is installed and up to date.
    pub(super) fn installed(&self) -> bool {
        self.is_ready && self.failure.current().is_none()
    }

    /// Why the last attempt failed.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.current()
    }

    /// Installs the conflist of `config`, with the node's name and `addresses`, and with those CNI
    /// versions only that all its plugins support. Returns whether that succeeded.
    pub(super) fn install(&mut self, config: &Config, addresses: &[IpAddr]) -> bool {
        let (path, node) = (&config.installed_conflist, &config.node);
        let conflist = self.versions.restrict(&config.conflist);
        let content = conflist.with_node(node, addresses);
        if self.content.as_ref() == Some(&content) {
            return true;
        }
        let shown = path.display();
        match atomic_file::replace(path, content.as_bytes()) {
            Ok(changed) => {
                if !self.is_ready {
                    let state = if changed { "installed" } else { "in place" };
                    info!(%node, path = %shown, "node {node} is ready for pods, {shown} is {state}");
                } else if changed {
                    info!(path = %shown, "{shown} brought up to date");
                }
                self.is_ready = true;
                self.failure.clear();
                self.content = Some(content);
                true
            }
            Err(error) => {
                let text =
                    format!("cannot install {shown}: {error}; the node is not ready for pods");
                if self.failure.changed(&text) {
                    error!(path = %shown, %error, "{text}");
                }
                false
            }
        }
    }
}
