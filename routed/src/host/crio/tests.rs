use super::*;

#[test]
fn default_network_counts_more_than_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let default = || default_network_in(folder.path());
    assert_eq!(default(), None);
    fs::write(
        folder.path().join("crio.conf"),
        "[crio.network]\n# cni_default_network = \"x\"\ncni_default_network = \"\"\n",
    )
    .unwrap();
    assert_eq!(default(), None);
    fs::create_dir(folder.path().join("crio.conf.d")).unwrap();
    let write = |name: &str, value: &str| {
        let text = format!("[crio.network]\ncni_default_network = \"{value}\" # chosen\n");
        fs::write(folder.path().join("crio.conf.d").join(name), text).unwrap();
    };
    write("10-a.conf", "flatland");
    assert_eq!(default().as_deref(), Some("flatland"));
    assert_eq!(obstacle(default(), Some("x".into()), "flatland"), None);
    write("20-b.conf", "cilium");
    let found = obstacle(default(), None, "flatland").unwrap();
    assert!(
        found.contains(r#"CRI-O takes the network "cilium""#),
        "{found}"
    );
    assert_eq!(obstacle(None, Some("x".into()), "flatland").unwrap(), "x");
}

#[test]
fn container_of_crio_is_known_by_its_mounts() {
    let root = "600 500 0:52 / / ro,relatime - overlay overlay rw,lowerdir=/var/lib/containers/\
                storage/overlay/l/X\n";
    let log = "620 600 8:1 /var/lib/kubelet/pods/7c/containers/routed/1 /dev/termination-log rw - \
               ext4 /dev/sda1 rw\n";
    let containerd = "600 500 0:52 / / ro,relatime - overlay overlay rw,lowerdir=/var/lib/\
                      containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/40/fs\n";
    for (mounts, expected) in [
        (format!("{root}{log}"), true),
        (format!("{containerd}{log}"), false),
        // Podman.
        (root.to_owned(), false),
        (String::new(), false),
    ] {
        assert_eq!(is_of_crio(&mounts), expected, "{mounts}");
    }
}
