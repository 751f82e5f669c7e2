//! The node of the CNI benchmark, and the network namespaces of its pods.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use lab::{DEADLINE, wait_until};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use wire::netlink::{LinkChange, NetlinkRequest, NetlinkSocket};

const NAMESPACES: &str = "/run/netns";

/// A pod's network namespace. It is reused, as its creation is not measured.
#[derive(Debug)]
pub(crate) struct BenchPod {
    /// Its name.
    pub(crate) name: String,
    /// Unique among the pods of one contender.
    pub(crate) number: u16,
    /// The number of earlier pods in this namespace.
    life: u32,
}

impl BenchPod {
    /// A pod without a namespace.
    pub(crate) fn without_netns(group: &str, number: u16) -> Self {
        Self {
            name: format!("{group}{number}"),
            number,
            life: 0,
        }
    }

    /// A new pod in the same namespace, with another container id.
    pub(crate) fn successor(&self) -> Self {
        Self {
            name: self.name.clone(),
            number: self.number,
            life: self.life + 1,
        }
    }

    /// The container id, which is never reused.
    pub(crate) fn container(&self) -> String {
        format!("{}-{}", self.name, self.life)
    }

    /// The name of its host interface, if the floor makes it.
    pub(crate) fn floor_link(&self, contender: u8) -> String {
        format!("fl{contender}x{}x{}", self.number, self.life)
    }

    /// Makes the namespace.
    pub(crate) fn make(group: &str, number: u16) -> Result<Self, String> {
        Self::make_by(group, number, without_dad)
    }

    /// Makes the namespace as for our pods, in which no sysctl setting is written. The kernel keeps
    /// every setting that was used in one list for all namespaces, and each look-up of its name
    /// walks through that list.
    pub(crate) fn make_untouched(group: &str, number: u16) -> Result<Self, String> {
        Self::make_by(group, number, || Ok(()))
    }

    fn make_by(
        group: &str,
        number: u16,
        prepare: impl FnOnce() -> io::Result<()> + Send,
    ) -> Result<Self, String> {
        let pod = Self::without_netns(group, number);
        let path = pod.netns();
        fs::create_dir_all(NAMESPACES).map_err(|error| error.to_string())?;
        let isolated = thread::scope(|scope| scope.spawn(|| isolate(&path, prepare)).join());
        isolated
            .unwrap_or_else(|_| Err("the thread panicked".to_owned()))
            .map_err(|why| format!("making {}: {why}", path.display()))?;
        Ok(pod)
    }

    /// Makes several pods.
    pub(crate) fn make_all(
        group: &str,
        numbers: std::ops::Range<u16>,
    ) -> Result<Vec<Self>, String> {
        numbers.map(|number| Self::make(group, number)).collect()
    }

    /// Deletes the namespace.
    pub(crate) fn unmake(self) -> Result<(), String> {
        let path = self.netns();
        umount(&path).map_err(|errno| format!("{}: {errno}", path.display()))?;
        fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The path of the namespace.
    pub(crate) fn netns(&self) -> PathBuf {
        Path::new(NAMESPACES).join(&self.name)
    }
}

/// Turns off duplicate address detection, for which `ptp` and `bridge` wait a second or two.
fn without_dad() -> io::Result<()> {
    fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
}

/// Moves the calling thread into a new network namespace and keeps that at `path`.
fn isolate(path: &Path, prepare: impl FnOnce() -> io::Result<()>) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    File::create(path).map_err(|error| words(&error))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| words(&error))?;
    prepare().map_err(|error| words(&error))?;
    let up = NetlinkRequest::ChangeLink {
        index: 1,
        change: LinkChange {
            up: Some(true),
            ..LinkChange::default()
        },
    };
    NetlinkSocket::open()
        .and_then(|mut socket| socket.apply_all(&[up]))
        .map_err(|error| words(&error))?;
    let (none, own) = (None::<&str>, Path::new("/proc/thread-self/ns/net"));
    mount(Some(own), path, none, MsFlags::MS_BIND, none).map_err(|error| words(&error))
}

/// Destroys the interfaces that DEL took out of use, and waits for background processes that do so:
/// the next measured call must not wait for them.
pub(crate) fn wait_for_deferred_delete() -> Result<(), String> {
    let request = NetlinkRequest::DelLinkGroup {
        group: wire::REMOVED_GROUP,
    };
    let destroyed = NetlinkSocket::open().and_then(|mut socket| socket.apply_all(&[request]));
    match destroyed {
        Err(error) if error.errno() != Some(Errno::ENODEV) => return Err(error.to_string()),
        _ => {}
    }
    wait_until("end of deferred deletes", DEADLINE, || !is_deleting())
        .map_err(|error| error.to_string())
}

/// Whether a background process of ours waits to destroy interfaces or does so. It is started as
/// `/proc/self/exe`, which names it.
fn is_deleting() -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut names =
        processes.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
    names.any(|name| name == "exe\n")
}

/// The number of interfaces of the node.
pub(crate) fn links() -> Result<usize, String> {
    let links = NetlinkSocket::open().and_then(|mut socket| socket.links());
    links
        .map(|links| links.len())
        .map_err(|error| error.to_string())
}
