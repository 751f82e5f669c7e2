//! STATUS: whether an ADD would succeed, including the STATUS of the IPAM plugin.

use lab::{Lab, Result};
use serde_json::json;

use crate::support::{host_local, install_ipam, lab, other, runtime, with_ipam};

#[test]
fn status_before_and_after_the_first_pod_succeeds() -> Result {
    let lab = lab()?;
    runtime(&lab)?.status()?;
    lab.node(1).add_pod("a")?;
    runtime(&lab)?.status()
}

#[test]
fn status_names_what_would_fail_add() -> Result {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.244.0.0/28"]);
    conflist["plugins"][0]["ipam"]["subnetLengths"] = json!([30]);
    lab.node_mut(1).set_conflist(&conflist)?;
    let lab = lab;
    lab.node(1).install_conflist()?;
    // A subnet of four addresses has room for one or two pods; then the next subnet is claimed.
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

#[test]
fn status_with_ipam_that_lacks_status_or_cannot_add_differs() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.install_plugins(&["host-local"])?;
    // It would fail every ADD of this version.
    let old = with_ipam(&lab, &host_local())?.status().unwrap_err();
    let old = old.to_string();
    assert!(
        old.contains("\"code\":50") && old.contains("host-local does not speak CNI 1.1.0"),
        "{old}"
    );

    let other = other(&lab);
    let answers = |verb: &str, answer: &str| -> Result {
        let script = format!("[ $CNI_COMMAND = {verb} ] && {{ echo '{answer}'; exit 1; }}");
        install_ipam(node, &script)
    };
    for code in [4, 3, 1] {
        answers("STATUS", &format!(r#"{{"code":{code},"msg":"STATUS?"}}"#))?;
        with_ipam(&lab, &other)?.status()?;
    }
    for code in [50, 51] {
        answers("STATUS", &format!(r#"{{"code":{code},"msg":"no room"}}"#))?;
        let error = with_ipam(&lab, &other)?.status().unwrap_err().to_string();
        let expected = format!("\"code\":{code}");
        assert!(
            error.contains(&expected) && error.contains("other: no room"),
            "{error}"
        );
    }
    answers("STATUS", r#"{"code":11,"msg":"not yet"}"#)?;
    let error = with_ipam(&lab, &other)?.status().unwrap_err().to_string();
    assert!(
        error.contains("\"code\":50") && error.contains("ADD would fail: other: not yet"),
        "{error}"
    );
    Ok(())
}
