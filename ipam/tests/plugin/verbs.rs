//! What each verb does.

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

fn dual() -> Sandbox {
    Sandbox::new(&["10.9.0.0/16", "fd00::/56"], &[24, 80])
}

/// The configuration with these keys added.
fn with(sandbox: &Sandbox, additions: &Value) -> Value {
    let mut config = sandbox.config.clone();
    for (key, value) in additions.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

#[test]
fn add_returns_one_address_per_pod_cidr_with_its_length() {
    let sandbox = dual();
    let answer = sandbox.call("ADD", "a");
    let addresses = answer.addresses();
    assert!(
        addresses[0].starts_with("10.9.") && addresses[0].ends_with(".2/24"),
        "{answer:?}"
    );
    assert!(
        addresses[1].starts_with("fd00:") && addresses[1].ends_with(":2/80"),
        "{answer:?}"
    );
    assert_eq!(answer.json["cniVersion"], "1.1.0");
    assert_eq!(answer.stderr, "");
    let keys: Vec<_> = answer.json["ips"][0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["address"],
        "gateway and routes are up to the interface plugin"
    );
}

#[test]
fn address_file_names_its_holder() {
    let sandbox = dual();
    let address = sandbox.add("a")[0].clone();
    let (address, _) = address.split_once('/').unwrap();
    let text = sandbox.shell(&format!("cat /run/flatland/net/addresses/{address}"));
    let allocation: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(allocation["containerId"], "a");
    assert_eq!(allocation["interface"], "eth0");
    assert_eq!(allocation["podNamespace"], "default");
    assert_eq!(allocation["podName"], "a");
    assert_eq!(allocation["podUid"], "uid-of-a");
    assert_eq!(allocation["netns"], "/proc/self/ns/net");
    assert!(
        allocation["netnsInode"].is_u64() && allocation["since"].is_u64(),
        "{text}"
    );
    let link = sandbox.shell("readlink /run/flatland/net/attachments/a@eth0.4");
    assert_eq!(link.trim(), format!("../addresses/{address}"));
}

#[test]
fn second_add_is_refused_and_changes_nothing() {
    let sandbox = dual();
    let first = sandbox.add("a");
    let answer = sandbox.call("ADD", "a");
    assert_eq!(answer.code(), 100);
    let (address, _) = first[0].split_once('/').unwrap();
    assert!(
        answer.message().contains(address) && answer.message().contains("DEL"),
        "{answer:?}"
    );
    assert_eq!(sandbox.names("addresses").len(), 2);
}

#[test]
fn del_works_twice_without_state_or_valid_configuration() {
    let sandbox = dual();
    sandbox.del("never-seen");
    sandbox.add("a");
    sandbox.add("b");
    sandbox.shell("rm -r /var/lib/flatland");
    sandbox.del("a");
    sandbox.del("a");
    let answer = sandbox.call_with(
        "DEL",
        "b",
        &with(&sandbox, &json!({"ipam": {"nonsense": 1}})),
    );
    assert!(answer.ok, "{answer:?}");
    assert!(sandbox.names("addresses").is_empty() && sandbox.names("attachments").is_empty());
}

#[test]
fn full_node_claims_further_subnets_until_none_are_left() {
    // Two subnets of two addresses each, in one of the families.
    let sandbox = Sandbox::new(&["10.9.0.0/16", "fd00::/125"], &[24, 126]);
    sandbox.add("a");
    let subnet = |answer: &[String]| answer[1].parse::<IpNet>().unwrap().trunc().to_string();
    let first = subnet(&sandbox.add("b"));
    assert!(sandbox.call("STATUS", "").ok, "ADD would claim another");
    let second = subnet(&sandbox.add("c"));
    assert_ne!(first, second);
    assert_eq!(subnet(&sandbox.add("d")), second);

    let answer = sandbox.call("ADD", "e");
    assert_eq!(answer.code(), 101);
    let parts = [
        &first,
        &second,
        "all 2 subnets of pod CIDR fd00::/125",
        "2 by n1",
    ];
    for part in parts {
        assert!(answer.message().contains(part), "{answer:?} lacks {part}");
    }
    assert_eq!(sandbox.names("addresses").len(), 8);
    let status = sandbox.call("STATUS", "");
    assert_eq!(status.code(), 50);
    assert!(status.message().contains("2 by n1"), "{status:?}");

    sandbox.del("a");
    assert!(sandbox.call("STATUS", "").ok);
    assert_eq!(subnet(&sandbox.add("e")), first);
}

#[test]
fn concurrent_adds_claim_no_more_subnets_than_needed() {
    let sandbox = Sandbox::new(&["10.9.0.0/16"], &[28]);
    let start = |n| sandbox.start("ADD", &format!("pod{n}"), &sandbox.config);
    let crowd: Vec<_> = (0..60).map(start).collect();
    for child in crowd {
        let answer = crate::sandbox::PluginOutput::from(child.wait_with_output().unwrap());
        assert!(answer.ok, "{answer:?}");
    }
    let owned = sandbox.shell("cat /var/lib/flatland/net/subnets.json");
    let owned: Value = serde_json::from_str(&owned).unwrap();
    assert_eq!(
        owned["subnets"].as_array().unwrap().len(),
        60_usize.div_ceil(13)
    );
}

#[test]
fn status_succeeds_before_the_first_add() {
    let answer = dual().call("STATUS", "");
    assert!(answer.ok && answer.json.is_null(), "{answer:?}");
}

#[test]
fn check_compares_the_ledger_with_the_result_of_add() {
    let sandbox = dual();
    // The interface plugin turns them into host addresses.
    let ips = |addresses: &[String]| -> Value {
        let host = |it: &String| match it.split_once('/').unwrap() {
            (address, "24") => json!({"address": format!("{address}/32")}),
            (address, _) => json!({"address": format!("{address}/128")}),
        };
        json!({"prevResult": {"cniVersion": "1.1.0", "ips": addresses.iter().map(host).collect::<Vec<_>>()}})
    };
    let (a, b) = (sandbox.add("a"), sandbox.add("b"));
    let check = |pod, result: &Value| sandbox.call_with("CHECK", pod, &with(&sandbox, result));
    assert!(check("a", &ips(&a)).ok);
    assert_eq!(check("a", &ips(&b)).code(), 104);
    assert_eq!(check("c", &ips(&a)).code(), 104);
    assert_eq!(sandbox.call("CHECK", "a").code(), 7);
    sandbox.del("a");
    assert_eq!(check("a", &ips(&a)).code(), 104);
}

#[test]
fn gc_frees_unlisted_attachments_and_reports_foreign_files() {
    let sandbox = dual();
    for pod in ["a", "b", "c"] {
        sandbox.add(pod);
    }
    // Left by an operator, and by an interrupted ADD.
    sandbox.shell(
        "cd /run/flatland/net/attachments; rm b@eth0.4; ln -s ../addresses/10.9.9.9 z@eth0.4",
    );
    let attachment = |id: &str| json!({"containerID": id, "ifname": "eth0"});
    let list = |list: &[&str]| {
        let list: Vec<_> = list.iter().map(|id| attachment(id)).collect();
        with(&sandbox, &json!({"cni.dev/valid-attachments": list}))
    };
    let answer = sandbox.call_with("GC", "", &list(&["a", "unknown"]));
    assert!(answer.ok, "{answer:?}");
    assert_eq!(sandbox.names("attachments"), ["a@eth0.4", "a@eth0.6"]);
    assert_eq!(sandbox.names("addresses").len(), 2);
    assert_eq!(
        sandbox.call("GC", "").code(),
        7,
        "a missing list is not an empty one"
    );
    sandbox
        .shell("echo > /run/flatland/net/addresses/10.9.9.9; echo > /run/flatland/net/addresses/x");
    let answer = sandbox.call_with("GC", "", &list(&[]));
    let message = answer.message();
    assert!(
        message.contains("10.9.9.9") && message.contains("addresses/x"),
        "{answer:?}"
    );
    assert_eq!(sandbox.names("addresses"), ["10.9.9.9", "x"]);
    assert!(sandbox.names("attachments").is_empty());
}

#[test]
fn requested_address_is_given_or_its_holder_is_named() {
    let sandbox = dual();
    let a = sandbox.add("a");
    let (v4, v6) = (a[0].replace(".2/24", ".77"), a[1].replace(":2/80", ":77"));
    let runtime = |ips: &[&str]| with(&sandbox, &json!({"runtimeConfig": {"ips": ips}}));
    let answer = sandbox.call_with("ADD", "b", &runtime(&[&v4]));
    assert_eq!(answer.addresses()[0], format!("{v4}/24"));
    let args = with(&sandbox, &json!({"args": {"cni": {"ips": [v6]}}}));
    let answer = sandbox.call_with("ADD", "c", &args);
    assert_eq!(answer.addresses()[1], format!("{v6}/80"));
    assert!(answer.addresses()[0].ends_with(".3/24"), "{answer:?}");

    let both = runtime(&[&v4.replace(".77", ".78"), &v6]);
    let answer = sandbox.call_with("ADD", "d", &both);
    assert_eq!(answer.code(), 105);
    assert!(
        answer.message().contains(&v6) && answer.message().contains("(pod default/c)"),
        "{answer:?}"
    );
    assert_eq!(sandbox.names("attachments").len(), 6);

    for (address, culprit) in [
        ("10.200.0.1", "no subnet of this node"),
        (&v4.replace(".77", ".1"), "the node's"),
    ] {
        let answer = sandbox.call_with("ADD", "d", &runtime(&[address]));
        assert_eq!(answer.code(), 105);
        assert!(answer.message().contains(culprit), "{answer:?}");
    }
    sandbox.del("b");
    let answer = sandbox.call_with("ADD", "b", &runtime(&[&v4]));
    assert_eq!(
        answer.addresses()[0],
        format!("{v4}/24"),
        "its own cool-down does not count"
    );
}

#[test]
fn excluded_address_is_not_handed_out_nor_on_request() {
    let mut sandbox = dual();
    let a = sandbox.add("a");
    let excluded = a[0].replace(".2/24", ".0/29");
    sandbox.config["ipam"]["exclude"] = json!([excluded]);
    let b = sandbox.add("b");
    assert!(b[0].ends_with(".8/24") && b[1].ends_with(":3/80"), "{b:?}");
    let address = excluded.replace(".0/29", ".5");
    let answer = sandbox.call_with(
        "ADD",
        "c",
        &with(&sandbox, &json!({"runtimeConfig": {"ips": [address]}})),
    );
    assert_eq!(answer.code(), 105);
    assert!(answer.message().contains(&excluded), "{answer:?}");
    sandbox.del("a");
}

#[test]
fn version_lists_the_supported_versions() {
    let answer = dual().call("VERSION", "");
    assert_eq!(
        answer.json["supportedVersions"],
        json!(["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
    );
}

#[test]
fn subnet_is_claimed_once_and_survives_a_reboot() {
    let sandbox = dual();
    let before = sandbox.add("a");
    sandbox.shell("rm -r /run/flatland");
    assert_eq!(
        sandbox.add("b"),
        before,
        "the ledger is empty, the subnets are the same"
    );
}

#[test]
fn damaged_subnets_file_is_rebuilt_and_reported() {
    let sandbox = dual();
    let before = sandbox.add("a");
    sandbox.shell("echo '{' > /var/lib/flatland/net/subnets.json");
    let answer = sandbox.call("ADD", "b");
    let subnet = |address: &str| address.parse::<IpNet>().unwrap().trunc();
    assert_eq!(subnet(&answer.addresses()[0]), subnet(&before[0]));
    assert!(answer.stderr.contains("subnets.json"), "{answer:?}");
    assert_eq!(sandbox.call("ADD", "c").stderr, "");
}
