//! The tuning plugin: a later plugin changes the interface that ours made.

use lab::probe::PORT;
use lab::{Place, Result, Runtime};
use serde_json::json;
use wire::cni::CniVersion;

use crate::support::{Chained, no_runtime_config, node_with};

#[test]
fn settings_changed_by_tuning_hold_and_pass_check() -> Result {
    let lab = node_with(&json!({
        "type": "tuning",
        "mac": "02:00:00:00:00:07",
        "mtu": 1400,
        "allmulti": true,
        "sysctl": { "net.ipv4.conf.eth0.arp_filter": "1", "net.core.somaxconn": "500" },
    }))?;
    let node = lab.node(1);
    let first = Chained::add(node, "first", &no_runtime_config())?;
    first.delete()?;
    let before = node.attachment_state()?;
    let a = Chained::add(node, "a", &no_runtime_config())?;

    let link = a.pod.run(&["ip", "-o", "link", "show", "eth0"])?;
    for part in ["mtu 1400", "ALLMULTI", "02:00:00:00:00:07"] {
        assert!(link.contains(part), "{part}: {link}");
    }
    for (setting, value) in [
        ("net.ipv4.conf.eth0.arp_filter", "1"),
        ("net.core.somaxconn", "500"),
    ] {
        assert_eq!(a.pod.run(&["sysctl", "-n", setting])?.trim(), value);
    }
    // The node learns the new MAC from the first packet of the pod.
    for address in node.addresses() {
        a.pod.run(&["ping", "-c1", "-W5", &address.to_string()])?;
    }
    let _server = Place::from(&a.pod).serve(PORT)?;
    let seen = Place::from(&**node).seen_by(&a.addresses(), PORT)?;
    assert_eq!(seen, node.addresses());

    a.check()?;
    a.delete()?;
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}

/// What `tuning` may do behind ours, where the runtime requests a MAC of both.
#[test]
fn check_right_after_add_with_tuning_has_no_finding() -> Result {
    const MAC: &str = "02:00:00:00:00:07";
    for (number, (tuning, request)) in [
        (json!({ "mac": MAC }), json!({})),
        // Both set the MAC that the runtime requests: the second time it is no change.
        (
            json!({ "capabilities": { "mac": true } }),
            json!({ "mac": MAC }),
        ),
        (json!({ "mtu": 1280 }), json!({})),
        (json!({ "promisc": true, "txQLen": 500 }), json!({})),
        // Ours sets it to 1, see below.
        (
            json!({ "sysctl": { "net.ipv4.conf.eth0.arp_filter": "0" } }),
            json!({}),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut plugin = tuning.clone();
        plugin["type"] = json!("tuning");
        let mut lab = node_with(&plugin)?;
        let mut conflist = lab.node(1).conflist();
        conflist["plugins"][0]["capabilities"] = json!({ "mac": true });
        conflist["plugins"][0]["sysctl"] = json!({ "net.ipv4.conf.IFNAME.arp_filter": "1" });
        lab.node_mut(1).set_conflist(&conflist)?;
        let node = lab.node(1);
        node.install_conflist()?;
        for version in [CniVersion::V0_4_0, CniVersion::V1_0_0] {
            let runtime = Runtime::of(node)?
                .with_version(version)
                .with_runtime_config(&request);
            let name = format!("p{number}");
            let pod = Chained::add_by(runtime, node, &name)
                .map_err(|error| error.doing(format!("{tuning} {version}")))?;
            pod.check()
                .map_err(|error| error.doing(format!("{tuning} {version}")))?;
            for address in node.addresses() {
                pod.pod.run(&["ping", "-c1", "-W5", &address.to_string()])?;
            }
            pod.delete()?;
        }
    }
    Ok(())
}
