//! SIGTERM and SIGINT, which end the daemon: also in the moment in which it starts itself anew.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::time::timeout;

use crate::timeouts::LAST_SIGNAL_TIMEOUT;

/// The signals that end the daemon.
#[derive(Debug)]
pub struct EndSignals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl EndSignals {
    /// Takes the signals from now on, and those that came while they were blocked.
    pub fn open() -> io::Result<Self> {
        let signals = Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        both().thread_unblock()?;
        Ok(signals)
    }

    /// Waits for a signal, and returns its name.
    pub async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Blocks the signals, so that they wait for the program that replaces this one: its handlers are
    /// gone with it, and the first process of a container ignores signals without a handler. Returns
    /// whether one has come before.
    pub async fn block(&mut self) -> io::Result<bool> {
        both().thread_block()?;
        Ok(timeout(LAST_SIGNAL_TIMEOUT, self.recv()).await.is_ok())
    }
}

fn both() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT].into_iter().collect()
}

#[cfg(test)]
mod tests;
