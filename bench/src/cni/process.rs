//! Calls a plugin as a container runtime does, and measures the time.

use std::io::Write;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::host::BenchPod;

/// The folder of plugins on the node.
const PLUGINS: &str = "/opt/cni/bin";

/// A finished call.
#[derive(Debug)]
pub(crate) struct Called {
    /// From the start of the process to its end.
    pub(crate) elapsed: Duration,
    /// The standard output.
    pub(crate) printed: String,
}

/// The command that calls the plugin `kind` for a pod.
pub(crate) fn plugin(kind: &str, verb: &str, pod: &BenchPod) -> Command {
    let mut command = Command::new(format!("{PLUGINS}/{kind}"));
    command
        .env_clear()
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", pod.container())
        .env("CNI_NETNS", pod.netns())
        .env("CNI_IFNAME", "eth0")
        .env("CNI_PATH", PLUGINS)
        // The PATH in which Debian's plugins find the programs that they run.
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Runs a command with `stdin` as its input, measured from its start to its end. A failed command
/// is an error with its output.
pub(crate) fn run(command: Command, stdin: &[u8]) -> Result<Called, String> {
    let (called, status) = finish(command, stdin)?;
    if status.success() {
        Ok(called)
    } else {
        Err(format!("{status}: {}", called.printed))
    }
}

/// As [`run`], for a command that must fail.
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
