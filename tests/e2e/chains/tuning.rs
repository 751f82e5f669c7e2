//! tuning: a later plugin that changes what ours has made.

use lab::probe::PORT;
use lab::{Place, Result};
use serde_json::json;

use crate::support::{Chained, node_with, plain};

#[test]
fn what_tuning_changes_holds_and_our_check_allows_it() -> Result {
    let lab = node_with(&json!({
        "type": "tuning",
        "mac": "02:00:00:00:00:07",
        "mtu": 1400,
        "allmulti": true,
        "sysctl": { "net.ipv4.conf.eth0.arp_filter": "1", "net.core.somaxconn": "500" },
    }))?;
    let node = lab.node(1);
    let first = Chained::add(node, "first", &plain())?;
    first.delete()?;
    let before = node.traces()?;
    let a = Chained::add(node, "a", &plain())?;

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
    // The node takes the new MAC from the first that the pod says.
    for address in node.addresses() {
        a.pod.run(&["ping", "-c1", "-W5", &address.to_string()])?;
    }
    let _server = Place::from(&a.pod).serve(PORT)?;
    let seen = Place::from(&**node).seen_by(&a.addresses(), PORT)?;
    assert_eq!(seen, node.addresses());

    a.check()?;
    a.delete()?;
    assert_eq!(node.traces()?, before);
    Ok(())
}
