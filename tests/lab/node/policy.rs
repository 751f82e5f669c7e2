//! The program `flatland-policy` of a node.

use std::sync::{MutexGuard, PoisonError};

use nix::sys::signal::Signal;

use super::{CONFLIST, Node};
use crate::apiserver::cluster::server;
use crate::{CommandOutput, DEADLINE, Error, Process, Result, wait_until};

const PROGRAM: &str = "/opt/flatland/flatland-policy";

impl Node {
    /// Starts `flatland-policy run`, without waiting for anything.
    pub fn spawn_policy(&self) -> Result {
        let server = server();
        let command = [
            PROGRAM,
            "run",
            "--conflist",
            CONFLIST,
            "--api-server",
            &server,
        ];
        *self.policy() = Some(self.machine.spawn("flatland-policy", None, &command)?);
        Ok(())
    }

    /// Starts `flatland-policy` and waits until it has read the policies and has its rules in the
    /// kernel.
    pub fn start_policy(&self) -> Result {
        self.spawn_policy()?;
        wait_until(format!("policies on {}", self.name()), DEADLINE, || {
            self.policy_is_ready() || !self.policy_runs()
        })
        .and_then(|()| {
            if self.policy_runs() {
                Ok(())
            } else {
                Err(Error::new("flatland-policy ended"))
            }
        })
        .map_err(|error| error.doing(self.policy_log()))
    }

    /// Ends `flatland-policy` with a signal and waits until it is gone.
    pub fn end_policy(&self, signal: Signal) -> Result {
        let policy = self.policy().take();
        policy.map_or(Ok(()), |policy| policy.end(signal))
    }

    /// Sends a signal to `flatland-policy`.
    pub fn signal_policy(&self, signal: Signal) -> Result {
        let policy = self.policy();
        policy.as_ref().map_or(Ok(()), |it| it.signal(signal))
    }

    /// Whether `flatland-policy` runs.
    pub fn policy_runs(&self) -> bool {
        self.policy().as_ref().is_some_and(Process::running)
    }

    /// Whether `flatland-policy` answers that its rules are those of the API.
    pub fn policy_is_ready(&self) -> bool {
        self.policy_command(&["status", "--ready"])
            .is_ok_and(|output| output.clone().success().is_ok())
    }

    /// Whether `flatland-policy` answers commands.
    pub fn policy_answers(&self) -> bool {
        self.policy_command(&["rules"])
            .is_ok_and(|output| output.clone().success().is_ok())
    }

    /// Runs another command of `flatland-policy`. A failed command is no error.
    pub fn policy_command(&self, arguments: &[&str]) -> Result<CommandOutput> {
        let mut command = vec![PROGRAM];
        command.extend_from_slice(arguments);
        self.machine.run_with(&command, b"")
    }

    /// The log of `flatland-policy`, of all its runs.
    pub fn policy_log(&self) -> String {
        let log = self.machine.read("/var/log/flatland-policy.log");
        log.unwrap_or_default()
    }

    /// The process id of `flatland-policy` in the caller's pid namespace.
    pub fn policy_pid(&self) -> Result<u32> {
        let policy = self.policy();
        let none = || Error::new(format!("no flatland-policy on {}", self.name()));
        Ok(policy.as_ref().ok_or_else(none)?.pid())
    }

    fn policy(&self) -> MutexGuard<'_, Option<Process>> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
