//! `routed install` and `routed uninstall`.

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

const CONFLIST: &str = "/etc/flatland/10-flatland.conflist";

/// All state that Flatland could leave on a node: kernel and files. Deleted pods leave their interfaces
/// for a moment.
fn state(node: &Node) -> Result<String> {
    node.wait_destroyed()?;
    let commands: [&[&str]; 7] = [
        &["ip", "-o", "link"],
        &["ip", "-4", "route", "show", "table", "all"],
        &["ip", "-6", "route", "show", "table", "all"],
        &["ip", "neigh", "show", "nud", "permanent"],
        &["nft", "--stateless", "list", "ruleset"],
        &["find", "/run/flatland", "/var/lib/flatland", "/etc/cni"],
        &["find", "/opt/cni/bin", "-type", "f"],
    ];
    let mut all = String::new();
    for command in commands {
        all += &node.run_with(command, b"")?.stdout;
    }
    Ok(all)
}

/// What a dry run shows on a node with one pod.
const PREVIEW: [&str; 11] = [
    "it would be refused now: 1 pod is attached",
    "conflist /etc/cni/net.d/10-flatland.conflist",
    "(flatland a/eth0)",
    "route to ",
    "table inet flatland",
    "2 rules in chain FORWARD of table ip filter",
    "2 rules in chain FORWARD of iptables-legacy",
    "folder /run/flatland",
    "folder /var/lib/flatland",
    "program /opt/cni/bin/flatland-ipam",
    "program /opt/cni/bin/flatland-claim",
];

#[test]
fn uninstall_leaves_the_node_as_before_install() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::Dual).start()?;
    let node = lab.node(1);
    prepare(node)?;
    let before = state(node)?;
    let install = ["install", "--conflist", CONFLIST];
    let printed = node.routed_command(&install)?.success()?;
    assert_eq!(printed.matches("installed").count(), 3, "{printed}");
    lab.start_routed()?;
    lab.wait_routes()?;
    wait_until("rules in FORWARD", DEADLINE, || {
        let listed = |program: &str| node.run(&[program, "-S", "FORWARD"]);
        let has = |program| listed(program).is_ok_and(|it| it.contains("flatland: pods"));
        has("iptables-nft") && has("iptables-legacy")
    })?;
    let pod = node.add_pod("a")?;
    let gone = node.add_pod("b")?;
    gone.delete()?;

    let preview = node.routed_command(&["uninstall", "--dry-run"])?;
    let preview = preview.success()?;
    let refusal = "it would be refused now: another routed runs";
    assert!(preview.contains(refusal), "{preview}");
    let refused = node.routed_command(&["uninstall"])?;
    assert_eq!(refused.status.code(), Some(75), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("another routed runs"),
        "{}",
        refused.stderr
    );
    node.end_routed(Signal::SIGTERM)?;
    let with_all = state(node)?;
    let preview = node
        .routed_command(&["uninstall", "--dry-run"])?
        .success()?;
    for part in PREVIEW {
        assert!(preview.contains(part), "{part}: {preview}");
    }
    let preview = ["uninstall", "--dry-run", "-o", "json"];
    let preview = node.routed_command(&preview)?.success()?;
    assert!(preview.contains(r#""dryRun": true"#), "{preview}");
    let refused = node.routed_command(&["uninstall"])?;
    assert_eq!(refused.status.code(), Some(75), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("1 pod is attached"),
        "{}",
        refused.stderr
    );
    assert_eq!(state(node)?, with_all, "a refusal changes nothing");

    pod.delete()?;
    let printed = node.routed_command(&["uninstall"])?.success()?;
    assert!(printed.contains("nothing of Flatland is left"), "{printed}");
    assert_eq!(state(node)?, before);
    let printed = node
        .routed_command(&["uninstall", "--dry-run"])?
        .success()?;
    assert_eq!(printed.trim(), "nothing of Flatland is on this node");
    Ok(())
}

/// Removes the programs, and adds what another administrator may have set up.
fn prepare(node: &Node) -> Result {
    let foreign = "table inet foreign { chain forward { type filter hook forward priority 0; }; }";
    for command in [
        &[
            "mv",
            "/opt/cni/bin/flatland",
            "/opt/cni/bin/flatland-ipam",
            "/opt/cni/bin/flatland-claim",
            "/opt/flatland",
        ][..],
        &[
            "ip",
            "route",
            "add",
            "10.9.0.0/24",
            "via",
            "192.168.1.1",
            "proto",
            "static",
        ],
        &[
            "ip", "link", "add", "flat0", "type", "veth", "peer", "name", "flat1",
        ],
        &["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"],
        &["iptables-nft", "-P", "FORWARD", "DROP"],
        &["iptables-legacy", "-P", "FORWARD", "DROP"],
        &["nft", foreign],
    ] {
        node.run(command)?;
    }
    Ok(())
}

#[test]
fn uninstall_with_force_removes_attached_pods() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let pod = node.add_pod("a")?;
    node.end_routed(Signal::SIGTERM)?;

    node.routed_command(&["uninstall", "--force"])?.success()?;

    assert_eq!(node.routes()?, Vec::<String>::new());
    let links = pod.run(&["ip", "-o", "link"])?;
    assert!(!links.contains("eth0"), "{links}");
    Ok(())
}

#[test]
fn uninstall_check_says_whether_the_node_is_clean() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    node.end_routed(Signal::SIGTERM)?;
    let found = node.routed_command(&["uninstall", "--check"])?;
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let conflist = "still there: conflist /etc/cni/net.d/10-flatland.conflist";
    assert!(found.stderr.contains(conflist), "{found:?}");
    node.routed_command(&["uninstall"])?.success()?;
    let found = node.routed_command(&["uninstall", "--check"])?.success()?;
    assert_eq!(found.trim(), "nothing of Flatland is on this node");
    Ok(())
}

#[test]
fn install_replaces_changed_plugins_atomically() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let node = lab.node(1);
    node.run(&["mkdir", "/opt/new"])?;
    for plugin in ["flatland", "flatland-ipam", "flatland-claim"] {
        let (old, new) = (
            format!("/opt/cni/bin/{plugin}"),
            format!("/opt/new/{plugin}"),
        );
        node.run(&["cp", &old, &new])?;
    }
    node.write("/opt/new/flatland", "a newer one")?;
    let inode =
        |plugin: &str| node.run(&["stat", "-c", "%i %a", &format!("/opt/cni/bin/{plugin}")]);
    let ipam = inode("flatland-ipam")?;
    let running = node.path("/opt/cni/bin/flatland");
    let held = std::fs::File::open(&running).map_err(|error| lab::Error::new(error.to_string()))?;
    let size = |file: &std::fs::File| file.metadata().map(|it| it.len()).unwrap_or_default();
    let before = size(&held);

    let install = ["install", "--conflist", CONFLIST, "--from", "/opt/new"];
    let printed = node.routed_command(&install)?.success()?;

    assert!(
        printed.contains("/opt/cni/bin/flatland installed"),
        "{printed}"
    );
    assert!(
        printed.contains("/opt/cni/bin/flatland-ipam is up to date"),
        "{printed}"
    );
    assert_eq!(node.read("/opt/cni/bin/flatland")?, "a newer one");
    assert_eq!(size(&held), before, "a running old version keeps its file");
    assert_eq!(inode("flatland-ipam")?, ipam);
    assert!(inode("flatland")?.ends_with(" 755\n"));
    Ok(())
}

#[test]
fn install_makes_plugins_that_are_one_file_two_names_of_it() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let node = lab.node(1);
    // As files that an image or an archive holds twice.
    node.run(&["mkdir", "/opt/new"])?;
    for plugin in ["flatland", "flatland-ipam", "flatland-claim"] {
        let old = format!("/opt/cni/bin/{plugin}");
        node.run(&["cp", &old, &format!("/opt/new/{plugin}")])?;
        node.run(&["rm", &old])?;
    }
    let inode = |plugin: &str| node.run(&["stat", "-c", "%i", &format!("/opt/cni/bin/{plugin}")]);
    let install = ["install", "--conflist", CONFLIST, "--from", "/opt/new"];
    let printed = node.routed_command(&install)?.success()?;
    assert_eq!(printed.matches(" installed").count(), 3, "{printed}");
    assert_eq!(inode("flatland")?, inode("flatland-ipam")?);
    assert_ne!(inode("flatland")?, inode("flatland-claim")?);
    let printed = node.routed_command(&install)?.success()?;
    assert_eq!(printed.matches(" is up to date").count(), 3, "{printed}");
    Ok(())
}

#[test]
fn install_with_bad_conflist_or_missing_plugin_does_nothing() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let node = lab.node(1);
    let before = state(node)?;
    node.write("/tmp/bad.conflist", "{")?;
    let bad = node.routed_command(&["install", "--conflist", "/tmp/bad.conflist"])?;
    assert_eq!(bad.status.code(), Some(64), "{}", bad.stderr);
    assert!(bad.stderr.contains("/tmp/bad.conflist"), "{}", bad.stderr);

    let install = ["install", "--conflist", CONFLIST, "--from", "/opt/nowhere"];
    let missing = node.routed_command(&install)?;
    assert_eq!(missing.status.code(), Some(1), "{}", missing.stderr);
    assert!(
        missing.stderr.contains("/opt/nowhere/flatland"),
        "{}",
        missing.stderr
    );
    assert_eq!(state(node)?, before);
    Ok(())
}

/// The files for etcd, as the shipped conflist has them.
const ETCD: [&str; 3] = ["ca.crt", "client.crt", "client.key"];

#[test]
fn uninstall_removes_the_files_for_etcd_that_install_copied() -> Result {
    let mut lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let mut conflist = lab.conflist();
    let etcd = &mut conflist["plugins"][0]["ipam"]["etcd"];
    etcd["endpoints"] = serde_json::json!(["https://192.168.1.2:2379"]);
    for (key, name) in ["caFile", "certFile", "keyFile"].into_iter().zip(ETCD) {
        etcd[key] = format!("/etc/flatland/etcd/{name}").into();
    }
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.run(&["mkdir", "/tmp/secret"])?;
    let copy = [
        "install",
        "--conflist",
        CONFLIST,
        "--from",
        "/opt/cni/bin",
        "--etcd-files",
        "/tmp/secret",
        "--host",
        "/",
    ];
    let missing = node.routed_command(&copy)?;
    for part in [
        "/tmp/secret/ca.crt",
        "Secret flatland-etcd",
        "certificates.sh",
    ] {
        assert!(missing.stderr.contains(part), "{}", missing.stderr);
    }
    for name in ETCD {
        node.write(format!("/tmp/secret/{name}"), "secret")?;
    }
    let before = node.run(&["find", "/etc/flatland"])?;
    node.routed_command(&copy)?.success()?;
    // As a crash leaves it.
    node.write("/etc/flatland/etcd/.client.key.tmp", "sec")?;

    let said = node.routed_command(&["uninstall"])?.success()?;

    assert!(said.contains("nothing of Flatland is left"), "{said}");
    assert!(
        said.contains("file for etcd /etc/flatland/etcd/client.key"),
        "{said}"
    );
    assert_eq!(node.run(&["find", "/etc/flatland"])?, before);

    // What others put there stays.
    node.run(&["rm", CONFLIST])?;
    node.run(&["mkdir", "/etc/flatland/etcd"])?;
    for name in ["ca.crt", "another.key"] {
        node.write(format!("/etc/flatland/etcd/{name}"), "secret")?;
    }
    node.routed_command(&["uninstall"])?.success()?;
    let left = node.run(&["find", "/etc/flatland", "-type", "f"])?;
    assert_eq!(left, "/etc/flatland/etcd/another.key\n");
    node.run(&["rm", "/etc/flatland/etcd/another.key"])?;
    node.routed_command(&["uninstall"])?.success()?;
    node.run(&["test", "!", "-e", "/etc/flatland"]).map(drop)
}
