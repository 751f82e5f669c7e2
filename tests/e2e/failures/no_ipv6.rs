//! Nodes without IPv6.

use lab::{Lab, Result, Runtime};
use serde_json::json;

#[test]
fn node_with_ipv6_disabled_by_default_adds_pods_of_both_kinds() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let off = ["all", "default"].map(|which| format!("net.ipv6.conf.{which}.disable_ipv6=1"));
    for setting in &off {
        lab.node(1).run(&["sysctl", "-qw", setting])?;
    }
    lab.node(1).install_conflist()?;
    // IPv6 is enabled on the pod's own interfaces.
    let mut dual = lab.node(1).sandbox("dual")?;
    dual.attach()?;
    dual.delete()?;

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
