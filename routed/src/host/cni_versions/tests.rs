use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;

const OLD: CniVersion = CniVersion::V1_0_0;
const NEW: CniVersion = CniVersion::V1_1_0;

fn conflist() -> Conflist {
    let file = json!({
        "cniVersion": "1.0.0",
        "cniVersions": ["1.0.0", "1.1.0"],
        "name": "flatland",
        "plugins": [
            { "type": "flatland", "ipam": { "type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"] } },
            { "type": "portmap" },
            { "type": "not-there" },
            { "type": "../outside" },
        ],
    });
    Conflist::parse(file.to_string().as_bytes()).unwrap()
}

#[test]
fn unsupported_version_is_listed_with_its_plugins() {
    let answers = |all: &[(&str, &[CniVersion])]| {
        let all = all.iter();
        all.map(|(name, known)| ((*name).to_owned(), known.iter().copied().collect()))
            .collect()
    };
    let unknown = |all| unknown(&[OLD, OLD, NEW], &answers(all));
    assert!(unknown(&[]).is_empty());
    assert!(unknown(&[("portmap", &[OLD, NEW])]).is_empty());
    let found = unknown(&[
        ("portmap", &[OLD]),
        ("tuning", &[OLD]),
        ("sbr", &[OLD, NEW]),
    ]);
    let expected = vec!["portmap".to_owned(), "tuning".to_owned()];
    assert_eq!(found, BTreeMap::from([(NEW, expected)]));
}

#[test]
fn replaced_plugin_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let install = |script: &str| {
        let script = format!("#!/bin/sh\n{script}\n");
        let (draft, path) = (folder.path().join("new"), folder.path().join("portmap"));
        fs::write(&draft, script).unwrap();
        fs::set_permissions(&draft, Permissions::from_mode(0o755)).unwrap();
        fs::rename(draft, path).unwrap();
    };
    let mut versions = CniVersions::new(folder.path().to_owned());
    assert_eq!(versions.restrict(&conflist()).versions(), [OLD, OLD, NEW]);
    install("exit 1");
    assert_eq!(versions.restrict(&conflist()).versions(), [OLD, OLD]);
    install(r#"echo '{"supportedVersions":["1.0.0"]}'"#);
    assert_eq!(versions.restrict(&conflist()).versions(), [OLD, OLD]);
    assert_eq!(versions.restrict(&conflist()).versions(), [OLD, OLD]);
    install(r#"echo '{"supportedVersions":["1.0.0","1.1.0"]}'"#);
    assert_eq!(versions.restrict(&conflist()).versions(), [OLD, OLD, NEW]);
}
