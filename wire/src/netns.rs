//! Other network namespaces, without ever moving the calling thread into one.

use std::any::Any;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic;
use std::path::{Path, PathBuf};
use std::thread;

use netns_rs::NetNs;
use nix::sys::statfs::{NSFS_MAGIC, statfs};

use crate::netlink::{self, Socket};

/// A network namespace, held open: it exists for at least as long as this does.
#[derive(Debug)]
pub struct Netns {
    namespace: NetNs,
    inode: u64,
}

/// A network namespace that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path could not be opened.
    #[error("cannot open the network namespace {}: {source}", path.display())]
    Open {
        /// Which path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The path leads to something else.
    #[error("{} is no network namespace: it is {what}", path.display())]
    Foreign {
        /// Which path.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The namespace could not be entered, which takes `CAP_SYS_ADMIN`.
    #[error("cannot enter the network namespace {}: {why}", path.display())]
    Enter {
        /// Which path.
        path: PathBuf,
        /// What the operating system said.
        why: String,
    },
    /// The netlink socket could not be opened inside.
    #[error("in the network namespace {}: {source}", path.display())]
    Socket {
        /// Which path.
        path: PathBuf,
        /// What failed.
        source: netlink::Error,
    },
}

impl Netns {
    /// Opens the network namespace at `path`, such as `/var/run/netns/NAME` or `/proc/PID/ns/net`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = |source| Error::Open {
            path: path.to_owned(),
            source,
        };
        let foreign = |what| Error::Foreign {
            path: path.to_owned(),
            what,
        };
        // Before it is opened: opening a FIFO would wait for ever.
        let kind = statfs(path)
            .map_err(|errno| open(errno.into()))?
            .filesystem_type();
        if kind != NSFS_MAGIC {
            return Err(foreign(describe(path)));
        }
        let namespace = netns_rs::get_from_path(path).map_err(|error| match error {
            netns_rs::Error::OpenNsError(_, source) => open(source),
            other => open(io::Error::other(other.to_string())),
        })?;
        // Reads `net:[4026531840]`; of another kind of namespace `mnt:[...]`.
        let name = fs::read_link(format!("/proc/self/fd/{}", namespace.file().as_raw_fd()))
            .map_err(open)?;
        let name = name.to_string_lossy();
        let inode = inode(&name).ok_or_else(|| foreign(format!("the namespace {name}")))?;
        Ok(Self { namespace, inode })
    }

    /// The path it was opened at.
    pub fn path(&self) -> &Path {
        self.namespace.path()
    }

    /// Its inode number, the same for every path to it, which no other namespace has while this
    /// one exists.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// A netlink socket that belongs to it.
    pub fn socket(&self) -> Result<Socket, Error> {
        self.run(Socket::open)?.map_err(|source| Error::Socket {
            path: self.path().to_owned(),
            source,
        })
    }

    /// Does `work` inside it, on a thread of its own that ends with the work. A panic of the work
    /// goes on in the calling thread, which has not moved.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        let inside = || -> Result<T, String> {
            self.namespace.enter().map_err(|error| error.to_string())?;
            Ok(work())
        };
        let outcome: thread::Result<Result<T, String>> =
            thread::scope(
                |scope| match thread::Builder::new().spawn_scoped(scope, inside) {
                    Ok(thread) => thread.join(),
                    Err(error) => Ok(Err(format!("cannot start a thread: {error}"))),
                },
            );
        outcome
            .unwrap_or_else(|panic: Box<dyn Any + Send>| panic::resume_unwind(panic))
            .map_err(|why| Error::Enter {
                path: self.path().to_owned(),
                why,
            })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.namespace.file().as_fd()
    }
}

impl AsRawFd for Netns {
    fn as_raw_fd(&self) -> RawFd {
        self.namespace.file().as_raw_fd()
    }
}

/// The number in `net:[4026531840]`.
fn inode(name: &str) -> Option<u64> {
    name.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

fn describe(path: &Path) -> String {
    let Ok(metadata) = fs::metadata(path) else {
        return "gone".to_owned();
    };
    if metadata.is_dir() {
        "a directory".to_owned()
    } else if metadata.is_file() {
        "an ordinary file; a namespace mounted there may have been unmounted".to_owned()
    } else {
        "a special file".to_owned()
    }
}
