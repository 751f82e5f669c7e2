//! Other network namespaces, without ever moving the calling thread into one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::panic;
use std::path::{Path, PathBuf};
use std::thread;

use netns_rs::NetNs;
use nix::errno::Errno;
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
        let metadata = namespace.file().metadata().map_err(open)?;
        // Below /proc the name tells the kind, `net:[4026531840]` or `mnt:[...]`. That of a bind
        // mount is just its path: there the kernel tells when the namespace is entered.
        let name = fs::read_link(path).unwrap_or_default();
        let name = name.to_string_lossy();
        if name.ends_with(']') && !name.starts_with("net:[") {
            return Err(foreign(format!("the namespace {name}")));
        }
        Ok(Self {
            namespace,
            inode: metadata.ino(),
        })
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
        let inside = || -> Result<T, netns_rs::Error> {
            self.namespace.enter()?;
            Ok(work())
        };
        let outcome =
            thread::scope(
                |scope| match thread::Builder::new().spawn_scoped(scope, inside) {
                    Ok(thread) => Ok(thread.join()),
                    Err(error) => Err(self.not_entered(format!("cannot start a thread: {error}"))),
                },
            )?;
        outcome
            .unwrap_or_else(|panic| panic::resume_unwind(panic))
            .map_err(|error| match error {
                netns_rs::Error::SetnsError(errno) if errno as i32 == Errno::EINVAL as i32 => {
                    Error::Foreign {
                        path: self.path().to_owned(),
                        what: "a namespace of another kind".to_owned(),
                    }
                }
                other => self.not_entered(other.to_string()),
            })
    }

    fn not_entered(&self, why: String) -> Error {
        Error::Enter {
            path: self.path().to_owned(),
            why,
        }
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
