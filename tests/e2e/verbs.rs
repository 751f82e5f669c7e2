//! STATUS: what it says of a node.

use lab::{Lab, Result, Runtime};
use serde_json::json;
use wire::cni::Version;

/// A node alone, with its claims in a local file.
fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    Ok(lab)
}

/// A runtime that knows every verb.
fn runtime(lab: &Lab) -> Result<Runtime<'_>> {
    Ok(Runtime::of(lab.node(1))?.speaking(Version::V1_1_0))
}

#[test]
fn status_is_fine_before_the_first_pod_and_after_it() -> Result {
    let lab = lab()?;
    runtime(&lab)?.status()?;
    lab.node(1).add_pod("a")?;
    runtime(&lab)?.status()
}

#[test]
fn status_says_what_would_fail_an_add() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.244.0.0/28"]);
    conflist["plugins"][0]["ipam"]["subnetLengths"] = json!([30]);
    lab.node_mut(1).set_conflist(&conflist)?;
    let lab = lab;
    lab.node(1).install_conflist()?;
    // A subnet of four addresses holds one or two pods; then the next subnet is claimed.
    for number in 0.. {
        if let Err(error) = lab.node(1).add_pod(&format!("p{number}")) {
            assert!(number > 0, "{error}");
            break;
        }
    }
    let full = runtime(&lab)?.status().unwrap_err().to_string();
    assert!(full.contains("\"code\":50"), "{full}");

    lab.node(1).run(&["rm", "/opt/cni/bin/flatland-ipam"])?;
    let missing = runtime(&lab)?.status().unwrap_err().to_string();
    assert!(
        missing.contains("\"code\":50") && missing.contains("flatland-ipam is not in CNI_PATH"),
        "{missing}"
    );
    lab.node(1).run(&["ip", "link", "del", "eth0"])?;
    let lonely = runtime(&lab)?.status().unwrap_err().to_string();
    assert!(
        lonely.contains("\"code\":50") && lonely.contains("uplink"),
        "{lonely}"
    );
    Ok(())
}
