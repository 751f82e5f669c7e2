//! Nodes without IPv6.

use lab::{Lab, Result, Runtime};
use serde_json::json;

#[test]
fn node_without_ipv6_adds_ipv4_pods_and_refuses_ipv6() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let off = ["all", "default"].map(|which| format!("net.ipv6.conf.{which}.disable_ipv6=1"));
    for setting in &off {
        lab.node(1).run(&["sysctl", "-qw", setting])?;
    }
    lab.node(1).install_conflist()?;
    let mut pod = lab.node(1).sandbox("dual")?;
    let refused = pod.attach().unwrap_err().to_string();
    assert!(refused.contains("IPv6"), "{refused}");
    drop(pod);

    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.244.0.0/16"]);
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.install_conflist()?;
    node.run(&["rm", "-r", "/run/flatland", "/var/lib/flatland"])?;
    let pod = node.sandbox("v4")?;
    for setting in &off {
        pod.run(&["sysctl", "-qw", setting])?;
    }
    let attached = Runtime::of(node)?.add(pod.target())?;
    Runtime::of(node)?.check(pod.target(), &attached)?;
    let address = attached.result.ips[0].address.ip().to_string();
    node.run(&["ping", "-c1", "-W2", &address])?;
    pod.detach()
}

#[test]
fn mtu_too_small_for_ipv6_works_for_ipv4() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["mtu"] = json!(600);
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.244.0.0/16"]);
    lab.node_mut(1).set_conflist(&conflist)?;
    lab.node(1).install_conflist()?;
    let pod = lab.node(1).add_pod("a")?;
    pod.check()
}
