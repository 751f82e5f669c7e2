use std::os::unix::fs::symlink;

use serde_json::json;

use super::*;

const OWN: &str = "10-flatland.conflist";

fn list(network: &str, plugin: &str) -> String {
    json!({ "name": network, "plugins": [{ "type": plugin }] }).to_string()
}

#[test]
fn runtime_reads_its_endings_in_the_order_of_names() {
    let names = [
        "20-x.conflist",
        "100-crio-bridge.conf",
        "10-flannel.conflist",
        "10-flatland.conflist.cilium_bak",
        "05-cilium.conflist.tmp",
        "05-a.json",
        "05-B.conf",
        ".conflist",
        "10-flatland.conflist",
    ];
    let names = names.map(str::to_owned).to_vec();
    assert_eq!(
        candidates_before(names, OWN),
        [".conflist", "05-B.conf", "05-a.json", "10-flannel.conflist"]
    );
}

#[test]
fn file_before_ours_is_named_unless_it_delegates_to_ours() {
    let multus = json!({ "name": "multus-cni-network", "type": "multus-shim",
        "clusterNetwork": "/host/etc/cni/net.d/10-flatland.conflist" });
    let thin = json!({ "name": "multus-cni-network", "type": "multus",
        "delegates": [{ "name": "flatland", "plugins": [{ "type": "flatland" }] }] });
    let other = json!({ "name": "multus-cni-network", "type": "multus",
        "delegates": [{ "name": "cbr0", "plugins": [{ "type": "flannel" }] }] });
    for (name, content, expected) in [
        (
            "05-cilium.conflist",
            list("cilium", "cilium-cni"),
            Some(r#"takes 05-cilium.conflist (network "cilium", plugin cilium-cni)"#),
        ),
        (
            "05-old.conflist",
            list("flatland", "flatland"),
            Some("takes 05-old.conflist"),
        ),
        (
            "10-bridge.conf",
            json!({ "name": "b", "type": "bridge" }).to_string(),
            Some("plugin bridge"),
        ),
        // A list in a file for one plugin.
        (
            "05-list.conf",
            list("cilium", "cilium-cni"),
            Some("05-list.conf, which sorts before"),
        ),
        ("05.conflist", String::new(), Some("(it is empty)")),
        ("05.conflist", "{".to_owned(), Some("EOF")),
        (
            "05.conflist",
            json!({ "name": "x", "plugins": [] }).to_string(),
            Some("(it names no plugin)"),
        ),
        ("00-multus.conf", multus.to_string(), None),
        ("00-multus.conf", thin.to_string(), None),
        (
            "00-multus.conf",
            other.to_string(),
            Some("plugin multus), which"),
        ),
    ] {
        let found = obstacle(name, parse(name, content.as_bytes()), OWN, "flatland");
        match (&found, expected) {
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
            _ => assert_eq!(found.as_deref(), expected, "{name}: {content}"),
        }
    }
}

#[test]
fn tampering_with_the_installed_file_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OWN);
    let ours = list("flatland", "flatland");
    let chained = json!({ "name": "flatland",
        "plugins": [{ "type": "flatland" }, { "type": "istio-cni" }] });
    let backup = folder.path().join("10-flatland.conflist.cilium_bak");
    let cases: &[(&str, &dyn Fn())] = &[
        ("removed it", &|| fs::remove_file(&path).unwrap()),
        ("renamed it to 10-flatland.conflist.cilium_bak", &|| {
            fs::rename(&path, &backup).unwrap();
        }),
        ("renamed it to other", &|| {
            fs::rename(&path, folder.path().join("other")).unwrap();
        }),
        (
            "removed it and left 10-flatland.conflist.cilium_bak",
            &|| {
                fs::copy(&path, &backup).unwrap();
                fs::remove_file(&path).unwrap();
            },
        ),
        ("emptied it", &|| fs::write(&path, "").unwrap()),
        ("changed its content", &|| fs::write(&path, "{}").unwrap()),
        ("added the plugin istio-cni to it", &|| {
            fs::write(&path, chained.to_string()).unwrap();
        }),
        ("changed its mode to 0600", &|| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&path, mode).unwrap();
        }),
        ("replaced it by a symbolic link to /tmp/x", &|| {
            fs::remove_file(&path).unwrap();
            symlink("/tmp/x", &path).unwrap();
        }),
        ("made it unreadable (it is not a regular file)", &|| {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        }),
    ];
    for (expected, tamper) in cases {
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap().path();
            fs::remove_file(&entry).unwrap();
        }
        wire::atomic_file::replace(&path, ours.as_bytes()).unwrap();
        let inode = Some(fs::metadata(&path).unwrap().ino());
        let found = || tampering(&read(&path, "flatland").unwrap(), OWN, &ours, inode);
        assert_eq!(found(), None);
        tamper();
        assert_eq!(found().as_deref(), Some(*expected));
    }
}

#[test]
fn folder_that_is_missing_is_empty_and_fifo_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.d").join(OWN);
    assert_eq!(read(&path, "flatland").unwrap(), FolderView::default());
    fs::create_dir(folder.path().join("net.d")).unwrap();
    let fifo = folder.path().join("net.d/05.conflist");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let view = read(&path, "flatland").unwrap();
    assert_eq!(view.own, OwnFile::Missing);
    let obstacle = view.obstacle.unwrap();
    assert!(
        obstacle.contains("(it is not a regular file)"),
        "{obstacle}"
    );
}
