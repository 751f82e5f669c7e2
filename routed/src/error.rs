//! The errors that end the daemon, and their exit statuses.

use std::io;

use wire::cni::{self, code};
use wire::netlink;

use crate::host::cni_watch::FolderReplaced;
use crate::lock;

/// `EX_USAGE` (sysexits.h): the command line or the configuration has to be changed.
pub(crate) const USAGE: u8 = 64;

/// Why the daemon ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line or the conflist is wrong, or does not fit this node.
    #[error(transparent)]
    Config(#[from] cni::Error),
    /// The machine id cannot be read.
    #[error(transparent)]
    Machine(cni::Error),
    /// The conflist disagrees with the registry, or names one that cannot be used.
    #[error("{0}")]
    ConfigRejected(Box<registry::Error>),
    /// The registry cannot be opened.
    #[error("{0}")]
    Registry(Box<registry::Error>),
    /// Another daemon runs, or the lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// A request to the kernel failed.
    #[error(transparent)]
    Kernel(#[from] netlink::Error),
    /// The asynchronous runtime failed.
    #[error("cannot wait for events: {0}")]
    Runtime(#[from] io::Error),
    /// A folder of the container runtime was replaced.
    #[error(transparent)]
    FolderReplaced(#[from] FolderReplaced),
    /// A task ended that should never end.
    #[error("{0} ended by itself; this is an error in routed")]
    Ended(&'static str),
}

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl Error {
    /// 64 if a restart is useless until the configuration is changed, otherwise 1: then the unit and
    /// kubelet start `routed` again. A file that cannot be read, and a host name that is no node's,
    /// may be other ones the next time.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Config(error) if error.code == code::IO => 1,
            Self::Config(_) | Self::ConfigRejected(_) => USAGE,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests;
