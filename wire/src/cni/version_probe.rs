//! Runs a plugin to get the versions of the spec that it supports (SPEC.md, section 3, "VERSION"),
//! or a Flatland program to get its version.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use crate::cni::CniVersion;
use crate::timeouts::VERSION_PROBE_TIMEOUT;

/// The most output that is read, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// The versions that both we and the plugin at `path` support. `None` if it cannot be run, or does
/// not reply as the spec requires within two seconds.
pub fn supported_versions(path: &Path) -> Option<BTreeSet<CniVersion>> {
    let mut command = Command::new(path);
    command.env("CNI_COMMAND", "VERSION");
    parse(&output_of(command, br#"{"cniVersion":"1.0.0"}"#)?)
}

/// The version of the Flatland program at `path`, in the form of [`crate::VERSION`]. `None` if it
/// cannot be run, or does not print one within two seconds.
pub fn program_version(path: &Path) -> Option<String> {
    let mut command = Command::new(path);
    command.arg("--version").env_remove("CNI_COMMAND");
    let printed = output_of(command, b"")?;
    let mut lines = std::str::from_utf8(&printed).ok()?.lines();
    lines.find_map(|line| line.strip_prefix("version ").map(str::to_owned))
}

/// The standard output of a command that gets `input`; `None` after [`VERSION_PROBE_TIMEOUT`].
fn output_of(mut command: Command, input: &[u8]) -> Option<Vec<u8>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A plugin need not read its input.
        let _ = stdin.write_all(input);
    }
    let (send, receive) = mpsc::channel();
    let stdout = child.stdout.take();
    thread::spawn(move || {
        let mut printed = Vec::new();
        let read = stdout.map(|stdout| stdout.take(MAX_OUTPUT).read_to_end(&mut printed));
        // The receiver is gone after a time-out.
        let _ = send.send(read.map(|_| printed));
    });
    let printed = receive.recv_timeout(VERSION_PROBE_TIMEOUT);
    // It has closed its output or takes too long. Waiting leaves no zombie behind.
    let _ = child.kill();
    let _ = child.wait();
    printed.ok()?
}

fn parse(printed: &[u8]) -> Option<BTreeSet<CniVersion>> {
    let answer: Value = serde_json::from_slice(printed).ok()?;
    let versions = answer.get("supportedVersions")?.as_array()?;
    let known = versions
        .iter()
        .filter_map(|version| version.as_str()?.parse().ok());
    Some(known.collect())
}

#[cfg(test)]
mod tests;
