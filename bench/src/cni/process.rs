//! A plugin called as a runtime calls it, and timed.

use std::io::Write;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::host::Pod;

/// Where plugins are on the node.
const PLUGINS: &str = "/opt/cni/bin";

/// A call that came to its end.
#[derive(Debug)]
pub(crate) struct Called {
    /// From the start of the process to its end.
    pub(crate) elapsed: Duration,
    /// What it printed.
    pub(crate) printed: String,
}

/// The command that calls the plugin `kind` for a pod.
pub(crate) fn plugin(kind: &str, verb: &str, pod: &Pod) -> Command {
    let mut command = Command::new(format!("{PLUGINS}/{kind}"));
    command
        .env_clear()
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", pod.container())
        .env("CNI_NETNS", pod.netns())
        .env("CNI_IFNAME", "eth0")
        .env("CNI_PATH", PLUGINS)
        // Where Debian's plugins look for programs that they run.
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Runs a command with something to read, timed from its start to its end. One that fails is an
/// error with what it printed.
pub(crate) fn run(command: Command, stdin: &[u8]) -> Result<Called, String> {
    let (called, status) = finish(command, stdin)?;
    if status.success() {
        Ok(called)
    } else {
        Err(format!("{status}: {}", called.printed))
    }
}

/// As [`run`], for a command that is expected to fail.
pub(crate) fn run_to_fail(command: Command, stdin: &[u8]) -> Result<Called, String> {
    let (called, status) = finish(command, stdin)?;
    if status.success() {
        Err(format!("it succeeded: {}", called.printed))
    } else {
        Ok(called)
    }
}

fn finish(mut command: Command, stdin: &[u8]) -> Result<(Called, ExitStatus), String> {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let start = Instant::now();
    let mut child = pipes.spawn().map_err(|error| error.to_string())?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(stdin).map_err(|error| error.to_string())?;
    }
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let elapsed = start.elapsed();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((Called { elapsed, printed }, output.status))
}
