//! Wrong input: the error code of the spec, a message that names the culprit and the cure, and no
//! change of state.

use std::time::{Duration, Instant};

use lab::{CommandOutput, Lab, Node, Result, Target};
use serde_json::{Value, json};

const POD: Target<'static> = Target {
    container_id: "bad",
    netns: "/run/netns/bad",
    interface: "eth0",
    args: "",
};

/// The state of a node that must not change.
fn state(node: &Node) -> Result<String> {
    // The lock of ADDs is one file for the whole node, empty, and stays.
    let script = "ip -o link; ip route; ip -6 route; \
                  find /run/flatland /var/lib/flatland -type f,l ! -name .add.lock | sort";
    Ok(node.run_with(&["sh", "-c", script], b"")?.stdout)
}

fn config() -> Value {
    json!({
        "cniVersion": "1.0.0", "name": "flatland", "type": "flatland",
        "ipam": { "type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"] }
    })
}

/// The code and the whole text of an expected error.
fn refusal(output: &CommandOutput) -> (u64, String) {
    assert!(!output.status.success(), "{output:?}");
    let error: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    let text = format!(
        "{} | {}",
        error["msg"].as_str().unwrap_or(""),
        error["details"].as_str().unwrap_or("")
    );
    (error["code"].as_u64().unwrap_or_default(), text)
}

#[test]
fn wrong_configuration_is_refused_naming_the_key() -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    let _pod = node.sandbox("bad")?;
    let before = state(node)?;
    let with = |pointer: &str, value: Value| {
        let mut config = config();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[key] = value;
        config.to_string()
    };
    let cases = [
        ("{ \"cniVersion\": ".to_owned(), 6, "EOF"),
        (with("/cniVersion", json!("0.1.0")), 1, "0.1.0"),
        (with("/cniVersion", json!("9.0.0")), 1, "9.0.0"),
        (with("/name", json!("no/slash")), 7, "no/slash"),
        (with("/mtuu", json!(1400)), 2, "mtuu"),
        (with("/mtu", json!(12)), 7, "12"),
        (
            with("/ipam", json!({ "type": "flatland-ipam" })),
            7,
            "podCIDRs",
        ),
        (with("/ipam/podCIDR", json!("10.0.0.0/8")), 2, "podCIDR"),
        (
            with("/ipam/podCIDRs", json!(["10.244.0.1/16"])),
            7,
            "10.244.0.0/16",
        ),
        (
            with("/ipam/podCIDRs", json!(["10.244.0.0/16", "10.245.0.0/16"])),
            7,
            "10.245.0.0/16",
        ),
        (
            with("/ipam/podCIDRs", json!(["127.0.0.0/8"])),
            7,
            "127.0.0.0/8",
        ),
        (with("/ipam/subnetLengths", json!([12])), 7, "12"),
        (with("/ipam/subnetLengths", json!([31])), 7, "31"),
        (
            with("/ipam/subnetLengths", json!([24, 80])),
            7,
            "subnetLengths",
        ),
        (
            with("/ipam/etcd", json!({ "endpoints": [] })),
            7,
            "endpoints",
        ),
        (
            with("/ipam/etcd", json!({ "endpoints": ["10.0.0.1:2379"] })),
            7,
            "10.0.0.1:2379",
        ),
        (with("/ipam/type", json!("no-such-ipam")), 7, "no-such-ipam"),
    ];
    for (config, code, culprit) in cases {
        let (actual, text) = refusal(&node.call_plugin("flatland", "ADD", POD, &config)?);
        assert_eq!(
            (actual, text.contains(culprit)),
            (code, true),
            "{config}\n{text}"
        );
    }
    assert_eq!(state(node)?, before);
    Ok(())
}

#[test]
fn wrong_environment_is_refused_naming_the_variable() -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    let _pod = node.sandbox("bad")?;
    node.write("/run/file", "")?;
    let before = state(node)?;
    let of_container = |container_id| Target {
        container_id,
        ..POD
    };
    let of_interface = |interface| Target { interface, ..POD };
    let of_netns = |netns| Target { netns, ..POD };
    let args = "nonsense";
    let cases = [
        (of_container("a b"), "a b"),
        (of_container("../x"), "../x"),
        (of_container(""), "CNI_CONTAINERID"),
        (of_interface("sixteen-letters-"), "sixteen-letters-"),
        (of_interface("a/b"), "a/b"),
        (of_interface("a b"), "a b"),
        (of_interface(""), "CNI_IFNAME"),
        (of_netns(""), "CNI_NETNS"),
        (of_netns("/run/netns/none"), "/run/netns/none"),
        (of_netns("/run/file"), "/run/file is no network namespace"),
        (
            of_netns("/proc/self/ns/mnt"),
            "/proc/self/ns/mnt is no network namespace",
        ),
        (Target { args, ..POD }, "nonsense"),
    ];
    for (target, culprit) in cases {
        let (code, text) =
            refusal(&node.call_plugin("flatland", "ADD", target, &config().to_string())?);
        assert_eq!(
            (code, text.contains(culprit)),
            (4, true),
            "{target:?}\n{text}"
        );
    }
    let unknown = node.call_plugin("flatland", "FROB", POD, &config().to_string())?;
    assert!(refusal(&unknown).1.contains("FROB"), "{unknown:?}");
    assert_eq!(state(node)?, before);
    Ok(())
}

#[test]
fn add_without_subnet_and_etcd_fails_within_five_seconds() -> Result {
    let lab = Lab::builder().etcd(1).start()?;
    let node = lab.node(1);
    node.install_conflist()?;
    lab.etcd()[0].stop()?;
    let mut pod = node.sandbox("a")?;
    let before = state(node)?;

    let start = Instant::now();
    let refused = pod.attach().unwrap_err().to_string();

    // Five seconds for etcd, and one for the processes of a busy machine.
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
    assert!(refused.contains("\"code\":11"), "{refused}");
    assert!(refused.contains("http://192.168.1.2:2379"), "{refused}");
    assert_eq!(pod.run(&["ip", "-o", "link"])?.lines().count(), 1);
    let links = |state: &str| state.lines().filter(|line| line.contains("link/")).count();
    assert_eq!(links(&state(node)?), links(&before));
    Ok(())
}

#[test]
fn conflist_that_disagrees_with_the_network_is_refused() -> Result {
    let mut lab = Lab::builder().nodes(2).start()?;
    lab.node(1).install_conflist()?;
    lab.node(1).add_pod("a")?;
    let mut other = lab.conflist();
    other["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.99.0.0/16"]);
    lab.node_mut(2).set_conflist(&other)?;
    let node = lab.node(2);
    node.install_conflist()?;
    let keys = lab.etcd()[0].keys("/flatland")?;

    let refused = node.add_pod("b").unwrap_err().to_string();

    assert!(refused.contains("\"code\":102"), "{refused}");
    assert!(
        refused.contains("10.99.0.0/16") && refused.contains("10.244.0.0/16"),
        "{refused}"
    );
    assert_eq!(lab.etcd()[0].keys("/flatland")?, keys);
    Ok(())
}

#[test]
fn pod_cidr_that_overlaps_the_nodes_own_network_is_not_claimed() -> Result {
    let mut lab = Lab::builder().start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["192.168.0.0/16"]);
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);

    node.spawn_routed(&[])?;
    node.wait_log("pod CIDR 192.168.0.0/16 overlaps 192.168.1.")?;
    assert_eq!(lab.etcd()[0].keys("/flatland")?, Vec::<String>::new());
    assert_eq!(node.routes()?, Vec::<String>::new());

    node.install_conflist()?;
    let refused = node.add_pod("a").unwrap_err().to_string();
    assert!(
        refused.contains("192.168.0.0/16") && refused.contains("192.168.1."),
        "{refused}"
    );
    Ok(())
}

#[test]
fn namespace_of_the_node_is_refused_however_it_is_spelled() -> Result {
    let lab = Lab::builder().etcd(0).start()?;
    let node = lab.node(1);
    node.install_conflist()?;
    node.add_pod("first")?.delete()?;
    let prepare = "mkdir -p /run/netns; touch /run/netns/own; mount --bind /proc/self/ns/net \
                   /run/netns/own; ln -s /run/netns/own /run/own";
    node.run(&["sh", "-ec", prepare])?;
    // An interface of the node with the name that the runtime wants for the pod.
    node.run(&[
        "ip", "link", "add", "own0", "type", "veth", "peer", "name", "own1",
    ])?;
    let before = node.attachment_state()?;
    let mut check = config();
    check["prevResult"] = json!({ "ips": [] });
    for netns in [
        "/proc/self/ns/net",
        "/proc/thread-self/ns/net",
        "/proc/self/../self/ns/net",
        "/run/netns/own",
        "/run/own",
    ] {
        let target = Target {
            netns,
            interface: "own0",
            ..POD
        };
        for command in ["ADD", "CHECK"] {
            let (code, text) =
                refusal(&node.call_plugin("flatland", command, target, &check.to_string())?);
            assert_eq!(code, 4, "{command} {netns}: {text}");
            let expected = format!("{netns} is the network namespace of the node");
            assert!(text.contains(&expected), "{command}: {text}");
            assert_eq!(node.attachment_state()?, before, "{command} {netns}");
        }
        node.call_plugin("flatland", "DEL", target, &config().to_string())?
            .success()?;
        assert_eq!(node.attachment_state()?, before, "DEL {netns}");
    }
    Ok(())
}
