//! Options of a pod's interface: MAC, sysctl settings, name servers, a second interface, other IPAM
//! plugins.

use std::net::IpAddr;

use lab::{Lab, Node, Result, Runtime, Target};
use serde_json::{Value, json};
use wire::cni::CniVersion;

/// A single node, with its claims in a local file.
fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    Ok(lab)
}

/// A runtime that merges `extra` into our plugin's configuration.
fn runtime<'a>(lab: &'a Lab, extra: &Value) -> Result<Runtime<'a>> {
    let mut conflist = lab.conflist();
    for (key, value) in extra.as_object().into_iter().flatten() {
        conflist["plugins"][0][key] = value.clone();
    }
    Ok(Runtime::with(lab.node(1), conflist)?.with_version(CniVersion::V1_1_0))
}

fn ping(node: &Node, address: &str) -> Result {
    node.run(&["ping", "-c1", "-W2", address]).map(drop)
}

#[test]
fn pod_with_a_requested_mac_has_it_and_is_reached() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = runtime(
        &lab,
        &json!({ "runtimeConfig": { "mac": "02:00:00:00:00:07" } }),
    )?;
    let pod = node.sandbox("a")?;
    let attached = runtime.add(pod.target())?;
    let mac = attached.result.interfaces[1].mac.as_deref();
    assert_eq!(mac, Some("02:00:00:00:00:07"));
    let link = pod.run(&["ip", "-o", "link", "show", "eth0"])?;
    assert!(link.contains("02:00:00:00:00:07"), "{link}");
    for ip in &attached.result.ips {
        ping(node, &ip.address.ip().to_string())?;
    }
    runtime.check(pod.target(), &attached)
}

#[test]
fn sysctls_of_the_interface_hold_and_may_be_changed_later() -> Result {
    let lab = lab()?;
    let settings = json!({ "sysctl": { "net.ipv4.conf.IFNAME.arp_ignore": "3" } });
    let runtime = runtime(&lab, &settings)?;
    let pod = lab.node(1).sandbox("a")?;
    let attached = runtime.add(pod.target())?;
    let value = pod.run(&["sysctl", "-n", "net.ipv4.conf.eth0.arp_ignore"])?;
    assert_eq!(value.trim(), "3");
    runtime.check(pod.target(), &attached)?;
    pod.run(&["sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=0"])?;
    // A later plugin of the chain may have done it.
    runtime.check(pod.target(), &attached)
}

#[test]
fn unknown_sysctl_fails_add_by_name_and_leaves_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.add_pod("first")?.delete()?;
    let before = node.attachment_state()?;
    let settings = json!({ "sysctl": { "net.ipv4.conf.IFNAME.no_such": "1" } });
    let pod = node.sandbox("a")?;
    let error = runtime(&lab, &settings)?.add(pod.target()).unwrap_err();
    assert!(
        error.to_string().contains("net/ipv4/conf/eth0/no_such"),
        "{error}"
    );
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}

#[test]
fn name_servers_of_the_conflist_are_in_the_result() -> Result {
    let lab = lab()?;
    let dns = json!({ "nameservers": ["10.96.0.10"], "search": ["cluster.local"] });
    let pod = lab.node(1).sandbox("a")?;
    let attached = runtime(&lab, &json!({ "dns": dns }))?.add(pod.target())?;
    assert_eq!(attached.result.dns.nameservers, ["10.96.0.10"]);
    assert_eq!(attached.result.dns.search, ["cluster.local"]);
    Ok(())
}

#[test]
fn second_interface_is_reached_and_adds_no_default_route() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let (pod, peer) = (node.add_pod("a")?, node.add_pod("peer")?);
    let mut other = lab.conflist();
    other["name"] = json!("other");
    other["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.7.0.0/16", "fd00:7::/56"]);
    let other = Runtime::with(node, other)?;
    let runtime = Runtime::of(node)?;

    for (runtime, interface) in [(&runtime, "net1"), (&other, "net2")] {
        let target = Target {
            interface,
            ..pod.target()
        };
        let attached = runtime.add(target)?;
        runtime.check(target, &attached)?;
        for ip in &attached.result.ips {
            let address = ip.address.ip().to_string();
            ping(node, &address)?;
            peer.run(&["ping", "-c1", "-W2", &address])?;
            let same_family = |peer: &IpAddr| peer.is_ipv4() == ip.address.is_ipv4();
            let target = peer.addresses().into_iter().find(same_family).unwrap();
            pod.run(&["ping", "-c1", "-W2", "-I", &address, &target.to_string()])?;
        }
        assert!(
            attached
                .result
                .routes
                .iter()
                .all(|route| route.dst.prefix_len() > 0),
            "{:?}",
            attached.result
        );
    }
    for family in ["-4", "-6"] {
        let defaults = pod.run(&["ip", family, "route", "show", "default"])?;
        assert_eq!(defaults.lines().count(), 1, "{defaults}");
        assert!(defaults.contains("dev eth0"), "{defaults}");
    }
    for address in pod.addresses() {
        peer.run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    pod.check()?;
    for (runtime, interface) in [(&other, "net2"), (&runtime, "net1")] {
        let target = Target {
            interface,
            ..pod.target()
        };
        runtime.del(target, None)?;
    }
    pod.check()
}

#[test]
fn other_ipam_plugins_work() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.install_plugins(&["host-local", "static"])?;
    node.add_pod("first")?.delete()?;
    let before = node.attachment_state()?;
    for (kind, ipam) in [
        (
            "host-local",
            json!({ "type": "host-local", "ranges": [[{ "subnet": "10.9.0.0/24" }], [{ "subnet": "fd00:9::/64" }]],
                    "routes": [{ "dst": "0.0.0.0/0" }, { "dst": "10.96.0.0/12" }] }),
        ),
        (
            "static",
            json!({ "type": "static", "addresses": [{ "address": "10.8.0.7/24" }, { "address": "fd00:8::7/64" }] }),
        ),
    ] {
        let mut conflist = lab.conflist();
        conflist["plugins"][0]["ipam"] = ipam;
        let runtime = Runtime::with(node, conflist)?;
        let pod = node.sandbox(kind)?;
        let attached = runtime.add(pod.target())?;
        assert_eq!(attached.result.ips.len(), 2, "{attached:?}");
        for ip in &attached.result.ips {
            ping(node, &ip.address.ip().to_string())?;
        }
        runtime.check(pod.target(), &attached)?;
        runtime.del(pod.target(), Some(&attached))?;
        assert_eq!(node.attachment_state()?, before, "{kind}");
    }
    Ok(())
}
