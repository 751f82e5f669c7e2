use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn version_reply_outside_the_spec_is_none() {
    let (old, new) = (CniVersion::V1_0_0, CniVersion::V1_1_0);
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
    let known = Some(BTreeSet::from([CniVersion::V1_0_0]));
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
