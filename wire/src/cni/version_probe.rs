//! Runs a plugin to get the versions of the spec that it supports (SPEC.md, section 3, "VERSION"),
//! or a Flatland program to get its version.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cni::Version;

/// How long a program may take; a thousand times the usual time.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The most output that is read, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// The versions that both we and the plugin at `path` support. `None` if it cannot be run, or does
/// not reply as the spec requires within two seconds.
pub fn supported_versions(path: &Path) -> Option<BTreeSet<Version>> {
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

/// The standard output of a command that gets `input`; `None` after [`PROBE_TIMEOUT`].
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
    let printed = receive.recv_timeout(PROBE_TIMEOUT);
    // It has closed its output or takes too long. Waiting leaves no zombie behind.
    let _ = child.kill();
    let _ = child.wait();
    printed.ok()?
}

fn parse(printed: &[u8]) -> Option<BTreeSet<Version>> {
    let answer: Value = serde_json::from_slice(printed).ok()?;
    let versions = answer.get("supportedVersions")?.as_array()?;
    let known = versions
        .iter()
        .filter_map(|version| version.as_str()?.parse().ok());
    Some(known.collect())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    #[test]
    fn version_reply_outside_the_spec_is_none() {
        let (old, new) = (Version::V1_0_0, Version::V1_1_0);
        for (printed, expected) in [
            (
                r#"{"supportedVersions":["0.1.0","1.0.0"]}"#,
                Some(vec![old]),
            ),
            (
                r#"{"supportedVersions":["1.1.0","1.0.0","9.0.0"]}"#,
                Some(vec![old, new]),
            ),
            (r#"{"supportedVersions":[]}"#, Some(vec![])),
            (r#"{"code":4,"msg":"unknown CNI_COMMAND"}"#, None),
            ("usage: portmap", None),
            ("", None),
        ] {
            let expected = expected.map(BTreeSet::from_iter);
            assert_eq!(parse(printed.as_bytes()), expected, "{printed}");
        }
    }

    #[test]
    fn silent_plugin_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let probe = |name: &str, script: &str| {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            supported_versions(&path)
        };
        let answer = r#"echo "{\"supportedVersions\":[\"1.0.0\"]}""#;
        let known = Some(BTreeSet::from([Version::V1_0_0]));
        let correct = format!("test $CNI_COMMAND = VERSION && grep -q cniVersion && {answer}");
        assert_eq!(probe("correct", &correct), known);
        assert_eq!(probe("fails", "exit 1"), None);
        let start = Instant::now();
        assert_eq!(probe("silent", "exec sleep 600"), None);
        assert!(start.elapsed() < Duration::from_secs(60));
        assert_eq!(supported_versions(&folder.path().join("missing")), None);
    }

    #[test]
    fn version_line_is_found_in_the_output_of_our_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let version_of = |script: &str| {
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            program_version(&path)
        };
        let ours = r#"test "$1" = --version && printf 'What it is.\nversion 0.1.0 (abc)\nmore\n'"#;
        assert_eq!(version_of(ours), Some("0.1.0 (abc)".to_owned()));
        assert_eq!(version_of("echo true 9.1"), None);
        assert_eq!(program_version(&folder.path().join("missing")), None);
    }
}
