use std::fs::Permissions;

use serde_json::json;

use super::*;

#[test]
fn missing_programs_of_the_chain_and_loopback_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"cniVersion":"1.0.0","name":"flatland","plugins":[
            {"type":"flatland","ipam":{"type":"flatland-ipam","podCIDRs":["10.244.0.0/16"]}},
            {"type":"tuning"},{"type":"portmap"},{"type":"../x"}]}"#;
    let conflist = Conflist::parse(text.as_bytes()).unwrap();
    let missing = || {
        let found = find_missing(folder.path(), Some(&conflist));
        let all = found.chain.into_iter().chain(found.loopback);
        all.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = [
        "flatland-claim",
        "flatland-ipam",
        "flatland",
        "tuning",
        "loopback",
    ];
    assert_eq!(missing(), all);
    for name in all {
        let path = folder.path().join(name);
        fs::write(&path, "").unwrap();
        assert!(missing().contains(&name.to_owned()), "{name} cannot be run");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        assert!(!missing().contains(&name.to_owned()), "{name}");
    }
    assert_eq!(chain_message(&[]), None);
}

#[test]
fn optional_plugins_that_are_missing_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    for (plugins, present, expected) in [
        (
            &["portmap", "bandwidth"][..],
            &[][..],
            &["portmap", "bandwidth"][..],
        ),
        (&["bandwidth", "portmap"], &["portmap"], &["bandwidth"]),
        (&["portmap"], &["portmap"], &[]),
        (&["tuning"], &["portmap"], &[]),
        (&[], &[], &[]),
    ] {
        let ipam = json!({ "type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"] });
        let ours = json!({ "type": "flatland", "ipam": ipam });
        let others = plugins.iter().map(|name| json!({ "type": name }));
        let chain: Vec<_> = [ours].into_iter().chain(others).collect();
        let list = json!({ "cniVersion": "1.0.0", "name": "flatland", "plugins": chain });
        let conflist = Conflist::parse(list.to_string().as_bytes()).unwrap();
        for name in present {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        let found = find_missing(folder.path(), Some(&conflist)).optional;
        assert_eq!(found, expected, "{plugins:?}");
        let installed = conflist.without_plugins(&found);
        let kept: Vec<_> = plugins
            .iter()
            .copied()
            .filter(|name| !expected.contains(name))
            .collect();
        assert_eq!(installed.others().collect::<Vec<_>>(), kept, "{plugins:?}");
    }
    let message = optional_message(&["portmap", "bandwidth"], Path::new("/b")).unwrap();
    let parts = "no hostPort and no bandwidth limits: /b has no portmap and no bandwidth, which";
    assert!(message.contains(parts), "{message}");
    assert_eq!(optional_message(&[], Path::new("/b")), None);
}

#[test]
fn containerd_is_known_by_its_mounts_and_its_setting() {
    let containerd = "600 500 0:52 / / ro,relatime - overlay overlay rw,lowerdir=/var/lib/\
            containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/40/fs\n";
    let crio = "600 500 0:52 / / ro,relatime - overlay overlay rw,lowerdir=/var/lib/\
            containers/storage/overlay/l/X\n";
    let host = "600 500 0:52 / /run/containerd/io.containerd.runtime.v2.task/x rw - overlay o \
            rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/1\n";
    for (mounts, expected) in [
        (containerd, true),
        (crio, false),
        (host, false),
        ("", false),
    ] {
        assert_eq!(is_of_containerd(mounts), expected, "{mounts}");
    }
    for (config, expected) in [
        ("  use_internal_loopback = true # new", true),
        ("use_internal_loopback = false", false),
        ("# use_internal_loopback = true", false),
        ("", false),
    ] {
        assert_eq!(has_internal_loopback(config), expected, "{config}");
    }
}
