//! The node that contenders attach pods to.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use lab::{DEADLINE, wait_until};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use wire::netlink::{LinkChange, Request, Socket};

const NAMESPACES: &str = "/run/netns";

/// A pod's network namespace. It is used again and again: what is timed is not how it is made.
#[derive(Debug)]
pub(crate) struct Pod {
    /// Its name.
    pub(crate) name: String,
    /// Tells it from the others that one contender has.
    pub(crate) number: u16,
    /// How many others had its namespace before it.
    life: u32,
}

impl Pod {
    /// One without a namespace.
    pub(crate) fn unmade(group: &str, number: u16) -> Self {
        Self {
            name: format!("{group}{number}"),
            number,
            life: 0,
        }
    }

    /// Another pod in its namespace, which is the only thing that it has in common with it.
    pub(crate) fn successor(&self) -> Self {
        Self {
            name: self.name.clone(),
            number: self.number,
            life: self.life + 1,
        }
    }

    /// Its container id, which no other pod ever has.
    pub(crate) fn container(&self) -> String {
        format!("{}-{}", self.name, self.life)
    }

    /// The name of its host end, if the floor makes it.
    pub(crate) fn floor_link(&self, contender: u8) -> String {
        format!("fl{contender}x{}x{}", self.number, self.life)
    }

    /// Makes its namespace.
    pub(crate) fn make(group: &str, number: u16) -> Result<Self, String> {
        Self::make_by(group, number, without_dad)
    }

    /// Makes it as it is for pods of ours: nobody writes a setting in it. The kernel keeps each that was
    /// used under one name with those of all other namespaces, and goes through them at every look-up.
    pub(crate) fn make_untouched(group: &str, number: u16) -> Result<Self, String> {
        Self::make_by(group, number, || Ok(()))
    }

    fn make_by(
        group: &str,
        number: u16,
        settle_in: impl FnOnce() -> io::Result<()> + Send,
    ) -> Result<Self, String> {
        let pod = Self::unmade(group, number);
        let path = pod.netns();
        fs::create_dir_all(NAMESPACES).map_err(|error| error.to_string())?;
        let isolated = thread::scope(|scope| scope.spawn(|| isolate(&path, settle_in)).join());
        isolated
            .unwrap_or_else(|_| Err("the thread panicked".to_owned()))
            .map_err(|why| format!("making {}: {why}", path.display()))?;
        Ok(pod)
    }

    /// Makes several.
    pub(crate) fn make_all(
        group: &str,
        numbers: std::ops::Range<u16>,
    ) -> Result<Vec<Self>, String> {
        numbers.map(|number| Self::make(group, number)).collect()
    }

    /// Lets go of its namespace.
    pub(crate) fn unmake(self) -> Result<(), String> {
        let path = self.netns();
        umount(&path).map_err(|errno| format!("{}: {errno}", path.display()))?;
        fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Where its namespace is.
    pub(crate) fn netns(&self) -> PathBuf {
        Path::new(NAMESPACES).join(&self.name)
    }
}

/// Else `ptp` and `bridge` wait a second or two for the kernel's look-out for duplicates.
fn without_dad() -> io::Result<()> {
    fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
}

/// Moves the calling thread into a fresh network namespace and keeps that at `path`.
fn isolate(path: &Path, settle_in: impl FnOnce() -> io::Result<()>) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    File::create(path).map_err(|error| words(&error))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| words(&error))?;
    settle_in().map_err(|error| words(&error))?;
    let up = Request::ChangeLink {
        index: 1,
        change: LinkChange {
            up: Some(true),
            ..LinkChange::default()
        },
    };
    Socket::open()
        .and_then(|mut socket| socket.apply_all(&[up]))
        .map_err(|error| words(&error))?;
    let (none, own) = (None::<&str>, Path::new("/proc/thread-self/ns/net"));
    mount(Some(own), path, none, MsFlags::MS_BIND, none).map_err(|error| words(&error))
}

/// Destroys what was taken out of use, and waits for whoever was about to: nobody who is timed next
/// has to wait for it.
pub(crate) fn settle() -> Result<(), String> {
    let request = Request::DelLinkGroup {
        group: wire::REMOVED_GROUP,
    };
    let destroyed = Socket::open().and_then(|mut socket| socket.apply_all(&[request]));
    match destroyed {
        Err(error) if error.errno() != Some(Errno::ENODEV) => return Err(error.to_string()),
        _ => {}
    }
    wait_until("end of what DEL leaves to be done", DEADLINE, || {
        !is_gathering()
    })
    .map_err(|error| error.to_string())
}

/// Whether a process of ours gathers, or has gathered and destroys: it is started as
/// `/proc/self/exe`, which names it.
fn is_gathering() -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut names =
        processes.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
    names.any(|name| name == "exe\n")
}

/// How many interfaces the node has.
pub(crate) fn links() -> Result<usize, String> {
    let links = Socket::open().and_then(|mut socket| socket.links());
    links
        .map(|links| links.len())
        .map_err(|error| error.to_string())
}
