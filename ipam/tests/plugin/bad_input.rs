//! Invalid input is refused with a code and a culprit, and changes nothing.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

fn node() -> Sandbox {
    Sandbox::new(&["10.9.0.0/16"], &[24])
}

/// All files of the plugin.
fn all_files(sandbox: &Sandbox) -> String {
    sandbox.shell("find /run /var/lib -path '*flatland*' | sort")
}

#[test]
fn invalid_configuration_is_refused_by_name() {
    let sandbox = node();
    let ipam = |key: &str, value: Value| {
        let mut config = sandbox.config.clone();
        config["ipam"][key] = value;
        config
    };
    for (config, code, culprit) in [
        (json!("hello"), 6, "JSON object"),
        (ipam("podCIDR", json!("10.9.0.0/16")), 2, "podCIDR"),
        (ipam("podCIDRs", json!(["10.9.0.1/16"])), 7, "10.9.0.1/16"),
        (ipam("subnetLengths", json!([31])), 7, "31"),
        (ipam("subnetLengths", json!([32])), 7, "32"),
        (ipam("nodeName", json!("N 1")), 7, "N 1"),
        (ipam("coolDown", json!("long")), 7, "coolDown"),
        (ipam("type", json!("host-local")), 7, "host-local"),
    ] {
        let answer = sandbox.call_with("ADD", "a", &config);
        assert_eq!(answer.code(), code, "{answer:?}");
        assert!(
            answer.message().contains(culprit),
            "{answer:?} does not name {culprit}"
        );
    }
    assert_eq!(sandbox.call("ADD", "../a").code(), 4);
    assert_eq!(all_files(&sandbox), "");
}

#[test]
fn pod_cidr_that_overlaps_the_nodes_network_is_not_claimed() {
    let sandbox = Sandbox::new(&["10.9.0.0/16"], &[24]);
    sandbox.shell("ip link set lo up; ip address add 10.9.3.1/24 dev lo");
    let answer = sandbox.call("ADD", "a");
    assert_eq!(answer.code(), 7);
    for part in ["10.9.0.0/16", "10.9.3.1/24", "lo", "choose a pod CIDR"] {
        assert!(answer.message().contains(part), "{answer:?}");
    }
    assert_eq!(sandbox.call("STATUS", "").code(), 50);
    assert_eq!(all_files(&sandbox), "");
    sandbox.shell("ip address del 10.9.3.1/24 dev lo");
    assert!(sandbox.call("STATUS", "").ok);
    sandbox.add("a");
}

#[test]
fn add_without_subnets_and_etcd_fails_within_5_seconds() {
    let mut sandbox = Sandbox::sharing_network(&["10.9.0.0/16"], &[24]);
    // A listener that never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    sandbox.config["ipam"]["etcd"] = json!({"endpoints": [endpoint]});
    let start = std::time::Instant::now();
    let answer = sandbox.call("ADD", "a");
    assert!(start.elapsed().as_secs() < 7, "{:?}", start.elapsed());
    assert_eq!(answer.code(), 11);
    assert!(answer.message().contains(&endpoint), "{answer:?}");
    // What tells this machine from a clone is all that is left.
    let left = sandbox.shell("find /run/flatland -type f -printf '%f '");
    assert_eq!(left, "session.json session.lock ");
    sandbox.del("a");
}

#[test]
fn etcd_is_not_needed_while_the_node_owns_subnets() {
    let mut sandbox = node();
    sandbox.add("a");
    sandbox.config["ipam"]["etcd"] = json!({"endpoints": ["http://127.0.0.1:9"]});
    sandbox.add("b");
    sandbox.del("a");
}

#[test]
fn full_disk_fails_add_cleanly_and_lets_del_free() {
    let sandbox = node();
    let (a, b) = (sandbox.add("a"), sandbox.add("b"));
    sandbox.shell("dd if=/dev/zero of=/run/fill bs=4096 2>/dev/null || true");
    let answer = sandbox.call("ADD", "c");
    assert_eq!(answer.code(), 5);
    assert!(
        answer.message().contains("/run/flatland/net/"),
        "{answer:?}"
    );
    assert_eq!(sandbox.names("attachments"), ["a@eth0.4", "b@eth0.4"]);
    sandbox.del("a");
    assert_eq!(sandbox.names("attachments"), ["b@eth0.4"]);
    sandbox.shell("rm /run/fill");
    let c = sandbox.add("c");
    assert!(c != a && c != b, "{c:?}");
}

#[test]
fn read_only_disk_fails_add_cleanly_and_del_if_needed() {
    let sandbox = node();
    sandbox.add("a");
    sandbox.shell("mount -o remount,bind,ro /run");
    for verb in ["ADD", "DEL"] {
        let answer = sandbox.call(verb, if verb == "ADD" { "b" } else { "a" });
        assert_eq!(answer.code(), 5, "{answer:?}");
        assert!(answer.message().contains("remount"), "{answer:?}");
    }
    sandbox.del("b");
    sandbox.shell("mount -o remount,bind,rw /run");
    sandbox.del("a");
    assert!(sandbox.names("addresses").is_empty());
}

#[test]
fn damage_is_reported_on_standard_error() {
    let sandbox = node();
    let first = sandbox.add("a")[0].replace(".2/24", ".3");
    sandbox.shell(&format!("touch /run/flatland/net/addresses/{first}"));
    let answer = sandbox.call("ADD", "b");
    assert!(answer.addresses()[0].ends_with(".4/24"), "{answer:?}");
    assert!(
        answer
            .stderr
            .contains(&format!("addresses/{first} is damaged")),
        "{answer:?}"
    );
}
