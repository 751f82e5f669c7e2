//! The configurations of other plugins sort before ours.

use lab::{Lab, Result};

use crate::support::{doctor, sh, wait_readyz, wait_said};

#[test]
fn configuration_before_ours_makes_the_node_unready() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    wait_readyz(node, 200, "ok")?;
    let flannel = r#"{"name":"cbr0","cniVersion":"1.0.0","plugins":[{"type":"flannel"}]}"#;
    let bridge = r#"{"name":"b","cniVersion":"1.0.0","type":"bridge"}"#;
    let multus = r#"{"name":"multus","type":"multus","delegates":[{"name":"flatland"}]}"#;
    for (name, content, expected) in [
        (
            "10-flannel.conflist",
            flannel,
            Some(r#"takes 10-flannel.conflist (network "cbr0", plugin flannel)"#),
        ),
        ("05-bridge.conf", bridge, Some("takes 05-bridge.conf")),
        (
            "05-empty.json",
            "",
            Some("05-empty.json, which sorts before"),
        ),
        ("20-flannel.conflist", flannel, None),
        ("00-multus.conf", multus, None),
        ("05-cilium.conflist.bak", flannel, None),
    ] {
        node.write(format!("/etc/cni/net.d/{name}"), content)?;
        if let Some(expected) = expected {
            wait_readyz(node, 503, expected)?;
            wait_said(
                node,
                &["status"],
                &[": not well", "ready      no", expected],
            )?;
            let found = doctor(node, "installed conflist")?;
            assert!(
                found.starts_with("broken") && found.contains(expected),
                "{found}"
            );
        } else {
            // It is seen, and nothing follows from it.
            sh(node, "touch /etc/cni/net.d/00-marker.conf")?;
            wait_readyz(node, 503, "00-marker.conf")?;
            sh(node, "rm /etc/cni/net.d/00-marker.conf")?;
        }
        wait_readyz(node, if expected.is_some() { 503 } else { 200 }, "")?;
        sh(node, &format!("rm /etc/cni/net.d/{name}"))?;
        wait_readyz(node, 200, "ok")?;
        let found = doctor(node, "installed conflist")?;
        assert!(found.starts_with("ok"), "{found}");
    }
    Ok(())
}

#[test]
fn default_network_of_crio_counts_more_than_the_order() -> Result {
    let lab = Lab::builder().nodes(1).etcd(0).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let set = |network: &str| {
        let script = format!(
            "mkdir -p /etc/crio && echo 'cni_default_network = \"{network}\"' > \
             /etc/crio/crio.conf && touch /etc/cni/net.d/05-other.conf"
        );
        sh(node, &script)
    };
    sh(node, "touch /etc/cni/net.d/05-other.conf")?;
    wait_readyz(node, 503, "05-other.conf")?;
    set("flatland")?;
    wait_readyz(node, 200, "ok")?;
    set("other")?;
    wait_readyz(node, 503, r#"CRI-O takes the network "other""#)
}
