//! What Flatland leaves on a node: how `routed uninstall` finds and removes it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use wire::atomic_file;
use wire::conf::Conflist;
use wire::netlink::{Error, Link, NetlinkRequest, NetlinkSocket, Route};
use wire::{REMOVED_GROUP, ROUTE_PROTOCOL, pod_link};

use crate::cli::{CommandError, footprint};
use crate::fib::plan;
use crate::{firewall, lock};

/// The folders of all networks, on tmpfs and on disk.
const FOLDERS: [&str; 2] = ["/run/flatland", "/var/lib/flatland"];

/// The folder of the files for etcd.
const ETCD_FOLDER: &str = "/etc/flatland/etcd";

/// The folders of the container runtime.
#[derive(Debug)]
pub(super) struct SearchPaths<'a> {
    pub(super) cni_dir: &'a Path,
    pub(super) cni_bin: &'a Path,
}

/// Something of ours on the node.
#[derive(Debug)]
pub(super) enum Leftover {
    /// A conflist that a container runtime reads.
    Conflist(PathBuf),
    /// The host end of a pod's veth pair, also one that waits for its deletion.
    Interface(Link),
    /// A route of ours, in the main table.
    Route(Route),
    /// A table, chain or rule of the packet filter.
    Filter(firewall::FirewallLeftover),
    /// A folder with state.
    Folder(PathBuf),
    /// A plugin or `flatland-claim`.
    Program(PathBuf),
    /// A certificate or key for etcd, or our folder of them, which is empty.
    EtcdFile(PathBuf),
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflist(path) => write!(f, "conflist {}", path.display()),
            Self::Interface(link) => {
                let holder = link.alias.as_deref().unwrap_or("no alias");
                write!(f, "interface {} ({holder})", link.name)
            }
            Self::Route(route) => write!(f, "route to {}", route.dst),
            Self::Filter(leftover) => leftover.fmt(f),
            Self::Folder(path) => write!(f, "folder {}", path.display()),
            Self::Program(path) => write!(f, "program {}", path.display()),
            Self::EtcdFile(path) => write!(f, "file for etcd {}", path.display()),
        }
    }
}

/// Everything that is left, in the order of removal; and what could not be read, with the reason.
/// The conflist is first, so that no pod is added meanwhile, and the plugins last, so that DEL works.
pub(super) fn find_leftovers(
    paths: &SearchPaths<'_>,
) -> Result<(Vec<Leftover>, Vec<String>), CommandError> {
    let conflists = conflists(paths.cni_dir)?;
    let sources = self::conflists(Path::new(footprint::FOLDER)).unwrap_or_default();
    let all = conflists.iter().chain(&sources);
    let etcd = all.filter_map(|(_, conflist)| conflist.ipam().etcd.as_ref());
    let (etcd_files, others) = footprint::all_etcd_files(etcd);
    let paths_of_conflists = conflists.into_iter().map(|(path, _)| path);
    let mut found: Vec<Leftover> = with_temporary(paths_of_conflists)
        .map(Leftover::Conflist)
        .collect();
    let mut socket = NetlinkSocket::open()?;
    let links = socket.links()?.into_iter();
    found.extend(links.filter(is_ours).map(Leftover::Interface));
    let routes = socket.routes(Some(ROUTE_PROTOCOL))?.into_iter();
    let routes = routes.filter(|it| !plan::is_within_pod(it));
    found.extend(routes.map(Leftover::Route));
    let (leftovers, mut hidden) = firewall::leftovers()?;
    found.extend(leftovers.into_iter().map(Leftover::Filter));
    let folders = FOLDERS.map(PathBuf::from);
    found.extend(
        folders
            .into_iter()
            .filter(|path| has_content(path))
            .map(Leftover::Folder),
    );
    let programs = footprint::programs(paths.cni_bin).into_iter().rev();
    found.extend(with_temporary(programs).map(Leftover::Program));
    found.extend(with_temporary(etcd_files.into_iter()).map(Leftover::EtcdFile));
    found.extend(empty_folders().map(Leftover::EtcdFile));
    let others = others.iter().filter(|path| path.exists());
    hidden.extend(others.map(|path| {
        let path = path.display();
        format!(
            "{path} stays: it is outside of {}, and may be used by others",
            footprint::FOLDER
        )
    }));
    Ok((found, hidden))
}

/// The files that exist, each after the hidden one that a crash left beside it.
fn with_temporary(paths: impl Iterator<Item = PathBuf>) -> impl Iterator<Item = PathBuf> {
    let each = paths.flat_map(|path| [atomic_file::temporary(&path), Some(path)]);
    each.flatten()
        .filter(|path| path.symlink_metadata().is_ok())
}

/// Our folders of files for etcd, the inner one first, as far as they are empty.
fn empty_folders() -> impl Iterator<Item = PathBuf> {
    let folders = [ETCD_FOLDER, footprint::FOLDER].map(PathBuf::from);
    let is_empty = |path: &PathBuf| fs::read_dir(path).is_ok_and(|mut it| it.next().is_none());
    folders.into_iter().filter(is_empty)
}

/// Whether it holds more than the daemon's locks, which `routed uninstall` itself may hold.
fn has_content(folder: &Path) -> bool {
    let locks = [
        Path::new(lock::PATH).file_name(),
        Some(lock::OLD_NAME.as_ref()),
    ];
    let is_other = |entry: fs::DirEntry| !locks.contains(&Some(&*entry.file_name()));
    let entries = fs::read_dir(folder);
    entries.is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(is_other)))
}

fn conflists(folder: &Path) -> Result<Vec<(PathBuf, Conflist)>, CommandError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let text = format!("cannot list {}: {error}", folder.display());
            return Err(CommandError::new(1, text));
        }
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let read = |path: PathBuf| Conflist::read(&path).ok().map(|conflist| (path, conflist));
    Ok(paths.filter_map(read).collect())
}

/// Whether it is a host end. Its alias names the attachment, from which its name follows; one that
/// has no alias yet is recognised by its name, which no other program would give to a veth.
fn is_ours(link: &Link) -> bool {
    if link.kind.as_deref() != Some("veth") {
        return false;
    }
    let is_named = link.alias.as_deref().map_or_else(
        || pod_link::is_host_interface_name(&link.name),
        |alias| name_from_alias(alias).as_deref() == Some(&link.name),
    );
    link.group == REMOVED_GROUP || is_named
}

/// The name of the host end whose alias this is: `NETWORK CONTAINER/INTERFACE`.
fn name_from_alias(alias: &str) -> Option<String> {
    let (network, attachment) = alias.split_once(' ')?;
    let (container_id, interface) = attachment.split_once('/')?;
    let attachment = wire::cni::Attachment::new(container_id, interface).ok()?;
    Some(pod_link::host_interface_name(network, &attachment))
}

impl Leftover {
    /// Whether it is the interface of a pod.
    pub(super) fn is_pod(&self) -> bool {
        matches!(self, Self::Interface(link) if link.group != REMOVED_GROUP)
    }

    /// Removes it. It is no error if it is gone already.
    pub(super) fn remove(&self) -> Result<(), String> {
        let ignore_missing = |removed: io::Result<()>| match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        };
        match self {
            Self::Conflist(path) | Self::Program(path) => ignore_missing(fs::remove_file(path)),
            Self::Folder(path) => ignore_missing(fs::remove_dir_all(path)),
            Self::EtcdFile(path) => {
                let removed = if path.is_dir() {
                    fs::remove_dir(path)
                } else {
                    fs::remove_file(path)
                };
                ignore_missing(removed)?;
                // The folders may hold files of others.
                empty_folders().for_each(|folder| drop(fs::remove_dir(folder)));
                Ok(())
            }
            Self::Interface(link) => {
                remove_from_kernel(NetlinkRequest::DelLink { index: link.index })
            }
            Self::Route(route) => remove_from_kernel(NetlinkRequest::DelRoute(route.clone())),
            Self::Filter(leftover) => leftover.remove(),
        }
    }
}

/// Sends the request. It is no error if the kernel has removed it already, with a pod's interface.
fn remove_from_kernel(request: NetlinkRequest) -> Result<(), String> {
    let removed = NetlinkSocket::open().and_then(|mut socket| socket.apply_all(&[request]));
    let is_gone = |error: &Error| matches!(error.errno(), Some(Errno::ENODEV | Errno::ESRCH));
    match removed {
        Err(error) if !is_gone(&error) => Err(error.to_string()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
