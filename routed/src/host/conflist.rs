//! Installs the conflist into the container runtime's folder, which makes the node ready for pods,
//! and puts it back when another program takes it away.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use daemonkit::OnChange;
use tracing::{error, info, warn};
use wire::atomic_file;
use wire::conf::Conflist;

use crate::config::Config;
use crate::host::cni_folder::{self, FolderView, OwnFile};
use crate::host::cni_versions::CniVersions;
use crate::host::restore_limit::RestoreLimit;

/// What helps against a program that keeps changing the file.
const ADVICE: &str = "stop it from doing so; what it adds belongs into the conflist that routed is \
                      started with";

/// Writes the conflist, and writes it again when it changes or was taken away.
#[derive(Debug, Default)]
pub(super) struct ConflistInstaller {
    versions: CniVersions,
    /// What the folder holds.
    view: FolderView,
    /// What this process has installed, or found installed, with its inode number.
    installed: Option<(String, Option<u64>)>,
    /// Why a container runtime does not find our conflist in the folder; `None` if it does.
    missing: Option<String>,
    /// What another program did to the file, until it is put back.
    tampering: Option<String>,
    limit: RestoreLimit,
    fight: OnChange,
    obstacle: OnChange,
    failure: OnChange,
}

impl ConflistInstaller {
    /// The plugins are in `plugin_dir`. Nothing is installed yet.
    pub(super) fn new(plugin_dir: PathBuf) -> Self {
        Self {
            versions: CniVersions::new(plugin_dir),
            ..Self::default()
        }
    }

    /// Why a container runtime does not find the conflist; `None` if it does.
    pub(super) fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Why a container runtime takes another file although ours is there.
    pub(super) fn obstacle(&self) -> Option<&str> {
        self.obstacle.current()
    }

    /// Why the last attempt failed, and that another program keeps changing the file.
    pub(super) fn troubles(&self) -> impl Iterator<Item = &str> {
        let all = [self.failure.current(), self.fight.current()];
        all.into_iter().flatten()
    }

    /// Reads what the folder holds now.
    pub(super) fn look(&mut self, config: &Config, now: Instant) {
        let path = &config.installed_conflist;
        let shown = path.display();
        self.view = match cni_folder::read(path, config.conflist.network()) {
            Ok(view) => view,
            Err(error) => FolderView {
                own: OwnFile::Unreadable(error.to_string()),
                ..FolderView::default()
            },
        };
        match &self.view.obstacle {
            Some(why) if self.obstacle.changed(why) => warn!(path = %shown, "{why}"),
            None if self.obstacle.clear() => {
                info!(path = %shown, "nothing sorts before {shown} any more");
            }
            _ => {}
        }
        self.limit.forget(now);
        if !self.limit.is_fight() && self.fight.clear() {
            info!(path = %shown, "{shown} is left alone now");
        }
        let own = path.file_name().unwrap_or_default().to_string_lossy();
        self.tampering = self
            .installed
            .as_ref()
            .and_then(|(content, inode)| cni_folder::tampering(&self.view, &own, content, *inode));
        self.missing = match (&self.tampering, &self.view.own) {
            (Some(how), _) => Some(format!(
                "the conflist is not in place: another program {how}; routed puts it back"
            )),
            (None, OwnFile::Unreadable(why)) => Some(format!("{shown} cannot be read: {why}")),
            (None, OwnFile::Found { content, .. })
                if self.installed.is_some() || is_of_node(content, config) =>
            {
                None
            }
            _ => Some("the conflist is not installed yet".to_owned()),
        };
    }

    /// Installs the conflist of `config`, with the node's name and `addresses`, without the plugins
    /// `left_out`, and with those CNI versions only that all its plugins support. Returns whether that succeeded; if not, the
    /// caller tries again later.
    pub(super) fn install(
        &mut self,
        config: &Config,
        addresses: &[IpAddr],
        left_out: &[&str],
        now: Instant,
    ) -> bool {
        let (path, node) = (&config.installed_conflist, &config.node);
        let conflist = config.conflist.clone().without_plugins(left_out);
        let conflist = self.versions.restrict(&conflist);
        let content = conflist.with_node(node, addresses);
        let before = self.installed.as_ref().map(|(content, _)| content);
        if before == Some(&content) && self.missing.is_none() {
            return true;
        }
        if self.tampering.is_some() && !self.limit.allows(now) {
            return false;
        }
        let shown = path.display();
        match atomic_file::replace(path, content.as_bytes()) {
            Ok(changed) => {
                let is_first = before.is_none();
                if let Some(how) = self.tampering.take() {
                    self.limit.restored(now);
                    self.log_restored(config, &how);
                } else if is_first {
                    let state = if changed { "installed" } else { "in place" };
                    info!(%node, path = %shown, "node {node} is ready for pods, {shown} is {state}");
                } else if changed {
                    info!(path = %shown, "{shown} brought up to date");
                }
                self.failure.clear();
                self.installed = Some((content, None));
                self.look(config, now);
                if let (OwnFile::Found { inode, .. }, Some(installed)) =
                    (&self.view.own, &mut self.installed)
                {
                    installed.1 = Some(*inode);
                }
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

    fn log_restored(&mut self, config: &Config, how: &str) {
        let shown = config.installed_conflist.display();
        if !self.limit.is_fight() {
            warn!(path = %shown, "{shown} put back: another program {how}");
            return;
        }
        let text =
            format!("another program keeps changing {shown}: the last time it {how}; {ADVICE}");
        if self.fight.changed(&text) {
            error!(path = %shown, "{text}");
        }
    }
}

/// Whether this is a conflist of the same network and node, such as an earlier daemon installed.
fn is_of_node(content: &[u8], config: &Config) -> bool {
    Conflist::parse(content).is_ok_and(|found| {
        let node = found.ipam().node_name.as_deref();
        found.network() == config.conflist.network() && node == Some(config.node.as_str())
    })
}
