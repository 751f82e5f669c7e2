//! What ends the daemon.

use std::io;

use wire::{cni, netlink};

use crate::lock;

/// `EX_USAGE` (sysexits.h): somebody has to change the command line or the configuration.
pub(crate) const USAGE: u8 = 64;

/// Why the daemon cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line or the conflist is wrong, or does not fit this node.
    #[error(transparent)]
    Config(#[from] cni::Error),
    /// This machine cannot say who it is.
    #[error(transparent)]
    Machine(cni::Error),
    /// The registry will not have this node with this conflist.
    #[error("{0}")]
    ConfigRejected(Box<registry::Error>),
    /// What this node owns cannot be read.
    #[error("{0}")]
    Registry(Box<registry::Error>),
    /// Another daemon runs.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// The kernel cannot be talked to.
    #[error(transparent)]
    Kernel(#[from] netlink::Error),
    /// The asynchronous runtime failed.
    #[error("cannot wait for events: {0}")]
    Runtime(#[from] io::Error),
    /// A task that never ends did.
    #[error("{0} ended by itself; this is an error in routed")]
    Ended(&'static str),
}

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl Error {
    /// 64 for what only a change of the configuration mends, else 1.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Config(_) | Self::ConfigRejected(_) => USAGE,
            _ => 1,
        }
    }
}
