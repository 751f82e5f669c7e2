//! Network namespaces of pods. Work in one runs on a new thread: the calling thread never
//! moves.

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

use crate::netlink::{self, NetlinkSocket};

/// An open network namespace. It exists at least as long as this value.
#[derive(Debug)]
pub struct Netns {
    namespace: NetNs,
    inode: u64,
}

/// Why a network namespace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path could not be opened.
    #[error("cannot open the network namespace {}: {source}", path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The path is not a network namespace.
    #[error("{} is no network namespace: it is {what}", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The namespace could not be entered. It takes `CAP_SYS_ADMIN`.
    #[error("cannot enter the network namespace {}: {why}", path.display())]
    Enter {
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        why: String,
    },
    /// The netlink socket could not be opened inside.
    #[error("in the network namespace {}: {source}", path.display())]
    Socket {
        /// The path.
        path: PathBuf,
        /// The error of the socket.
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
        // Checked before opening: opening a FIFO would block.
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
        // Below /proc the link's target has the kind, `net:[4026531840]` or `mnt:[...]`. A bind
        // mount is not a link: there the kernel refuses a namespace of another kind on entering.
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

    /// Its inode number: the same for every path to it, and unique while it exists.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Whether it is the network namespace of the calling thread, whatever path it was opened by.
    pub fn is_own(&self) -> bool {
        let own = fs::metadata("/proc/thread-self/ns/net");
        own.is_ok_and(|own| own.ino() == self.inode)
    }

    /// A netlink socket that belongs to it.
    pub fn socket(&self) -> Result<NetlinkSocket, Error> {
        self.run(NetlinkSocket::open)?
            .map_err(|source| Error::Socket {
                path: self.path().to_owned(),
                source,
            })
    }

    /// Runs `work` inside it on a new thread that ends with the work. A panic of the work continues
    /// in the calling thread, which stays in its namespace.
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
