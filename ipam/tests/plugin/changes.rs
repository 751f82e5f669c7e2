//! Changes of the configuration or the disk while addresses are in use.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A pool of two subnets of `10.9.0.0/28` with five addresses each, without a cool-down.
fn small() -> Sandbox {
    let mut sandbox = Sandbox::new(&["10.9.0.0/28"], &[29]);
    sandbox.config["ipam"]["coolDown"] = json!(0);
    sandbox
}

/// CHECK of a pod with these addresses; it has to succeed.
fn check(sandbox: &Sandbox, pod: &str, addresses: &[String]) {
    let ips: Vec<_> = addresses.iter().map(|it| json!({"address": it})).collect();
    let mut config = sandbox.config.clone();
    config["prevResult"] = json!({"cniVersion": "1.1.0", "ips": ips});
    let answer = sandbox.call_with("CHECK", pod, &config);
    assert!(answer.ok, "{answer:?}");
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[test]
fn excluded_addresses_stay_with_their_pods_until_del() {
    let mut sandbox = small();
    let (a, b) = (sandbox.add("a"), sandbox.add("b"));
    let subnet = net(&a[0]).trunc();
    sandbox.config["ipam"]["exclude"] =
        json!([&a[0].replace("/29", "/32"), &b[0].replace("/29", "/32")]);
    check(&sandbox, "a", &a);
    sandbox.del("a");
    sandbox.del("b");
    let others: BTreeSet<_> = (0..8).flat_map(|n| sandbox.add(&format!("c{n}"))).collect();
    assert!(
        !others.contains(&a[0]) && !others.contains(&b[0]),
        "{others:?}"
    );
    assert_eq!(
        others.iter().filter(|it| net(it).trunc() == subnet).count(),
        3
    );
    assert_eq!(sandbox.call("ADD", "d").code(), 101);

    sandbox.config["ipam"]["exclude"] = json!([]);
    assert!(sandbox.call("STATUS", "").ok);
    let again: BTreeSet<_> = [sandbox.add("d"), sandbox.add("e")]
        .concat()
        .into_iter()
        .collect();
    assert_eq!(again, BTreeSet::from([a[0].clone(), b[0].clone()]));
}

#[test]
fn cooling_address_is_reused_when_no_subnet_is_left() {
    let mut sandbox = small();
    sandbox.config["ipam"]["coolDown"] = json!(130);
    let first: Vec<_> = (0..5).flat_map(|n| sandbox.add(&format!("a{n}"))).collect();
    sandbox.del("a0");
    sandbox.del("a1");
    let second: Vec<_> = (0..5).flat_map(|n| sandbox.add(&format!("b{n}"))).collect();
    let subnets: BTreeSet<_> = second.iter().map(|it| net(it).trunc()).collect();
    assert_eq!(subnets.len(), 1, "a further subnet goes before a cool-down");
    assert!(!subnets.contains(&net(&first[0]).trunc()));
    assert_eq!(
        sandbox.add("c0"),
        first[..1],
        "the one that was freed first"
    );
    assert_eq!(sandbox.add("c1"), first[1..2]);
    assert_eq!(sandbox.call("ADD", "c2").code(), 101);
}

#[test]
fn families_may_change_their_order() {
    let mut sandbox = Sandbox::new(&["10.9.0.0/16", "fd00::/56"], &[24, 80]);
    let before = sandbox.add("a");
    let owned = |sandbox: &Sandbox| sandbox.shell("cat /var/lib/flatland/net/subnets.json");
    let file = owned(&sandbox);
    sandbox.config["ipam"]["podCIDRs"] = json!(["fd00::/56", "10.9.0.0/16"]);
    sandbox.config["ipam"]["subnetLengths"] = json!([80, 24]);
    check(&sandbox, "a", &before);
    let after = sandbox.add("b");
    for (before, after) in before.iter().zip(after.iter().rev()) {
        assert_eq!(net(before).trunc(), net(after).trunc());
    }
    assert_eq!(owned(&sandbox), file);
    sandbox.del("a");
}

#[test]
fn subnets_of_one_address_are_used_up_one_by_one() {
    let sandbox = Sandbox::new(&["10.9.0.0/28"], &[30]);
    let addresses: BTreeSet<_> = (0..4).flat_map(|n| sandbox.add(&format!("p{n}"))).collect();
    assert_eq!(
        addresses.into_iter().collect::<Vec<_>>(),
        ["10.9.0.10/30", "10.9.0.14/30", "10.9.0.2/30", "10.9.0.6/30"]
    );
    let answer = sandbox.call("ADD", "one-too-many");
    assert!(answer.message().contains("4 by n1"), "{answer:?}");
}

#[test]
fn address_freed_while_its_queue_is_lost_is_found_again() {
    let sandbox = Sandbox::new(&["10.9.0.0/28"], &[29]);
    let addresses: Vec<_> = (0..10)
        .flat_map(|n| sandbox.add(&format!("p{n}")))
        .collect();
    sandbox.shell("rm /run/flatland/net/queues/*");
    sandbox.del("p7");
    assert_eq!(sandbox.add("next"), addresses[7..8], "there is no other");
}

#[test]
fn gc_frees_the_others_and_names_what_it_cannot_free() {
    let sandbox = small();
    let addresses: Vec<_> = ["a", "b", "c"]
        .iter()
        .flat_map(|pod| sandbox.add(pod))
        .collect();
    let stuck = addresses[1].replace("/29", "");
    // A mount point cannot be renamed.
    sandbox.shell(&format!(
        "cd /run/flatland/net/addresses; mount --bind {stuck} {stuck}"
    ));
    let mut config = sandbox.config.clone();
    config["cni.dev/valid-attachments"] = Value::Array(Vec::new());
    let answer = sandbox.call_with("GC", "", &config);
    assert_eq!(answer.code(), 5);
    assert!(
        answer.message().contains(&format!("addresses/{stuck}")),
        "{answer:?}"
    );
    assert_eq!(sandbox.names("addresses"), [stuck.as_str()]);
    assert_eq!(sandbox.names("attachments"), ["b@eth0.4"]);

    sandbox.shell(&format!("umount /run/flatland/net/addresses/{stuck}"));
    assert!(sandbox.call_with("GC", "", &config).ok);
    assert!(sandbox.names("addresses").is_empty() && sandbox.names("attachments").is_empty());
}
