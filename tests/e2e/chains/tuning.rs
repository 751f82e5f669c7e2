//! The tuning plugin: a later plugin changes the interface that ours made.

use lab::probe::PORT;
use lab::{Place, Result};
use serde_json::json;

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
