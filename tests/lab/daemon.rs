//! A program that runs in the background on a machine.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::Doing;
use crate::namespaces::child_of;
use crate::{DEADLINE, Result, wait_until};

/// A running program. It ends with the lab at the latest.
#[derive(Debug)]
pub struct Process {
    /// The process that entered the machine and waits for the program.
    entered: Mutex<Child>,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts the program. Its standard output and error are appended to `log`; its standard input
    /// stays open.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .doing(log.display())?;
        let child = command
            .stdin(Stdio::piped())
            .stdout(file.try_clone().doing(log.display())?)
            .stderr(file)
            .spawn()
            .doing("starting a daemon")?;
        let pid = child_of(child.id())?;
        Ok(Self {
            entered: Mutex::new(child),
            pid,
            log: log.to_owned(),
        })
    }

    /// The process id in the caller's pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Everything in the log, including earlier runs with the same log file.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether the program still runs.
    pub fn running(&self) -> bool {
        matches!(self.entered().try_wait(), Ok(None))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result {
        let pid = i32::try_from(self.pid).doing("process id")?;
        match kill(Pid::from_raw(pid), signal) {
            Err(Errno::ESRCH) => Ok(()),
            outcome => outcome.doing(format!("sending {signal} to {pid}")),
        }
    }

    /// Sends `signal` and waits until the program has ended.
    pub fn end(self, signal: Signal) -> Result {
        self.signal(signal)?;
        wait_until(
            format!("end of process {} after {signal}", self.pid),
            DEADLINE,
            || !self.running(),
        )
    }

    fn entered(&self) -> MutexGuard<'_, Child> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.running() && self.signal(Signal::SIGKILL).is_ok() {
            // SIGKILL has been sent; waiting leaves no zombie behind.
            let _ = self.entered().wait();
        }
    }
}
