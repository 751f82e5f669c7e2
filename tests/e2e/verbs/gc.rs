//! GC: what it removes of attachments that the runtime does not list, and what it leaves.

use lab::{CommandOutput, Result, Runtime, Target};
use serde_json::{Value, json};
use wire::cni::CniVersion;

use crate::support::{host_local, install_ipam, lab, other, runtime, with_ipam};

#[test]
fn gc_removes_only_attachments_that_are_not_listed() -> Result {
    let lab = lab()?;
    let (node, runtime) = (lab.node(1), runtime(&lab)?);
    let (kept, stale) = (node.add_pod("kept")?, node.add_pod("stale")?);
    let mut conflist = lab.conflist();
    conflist["name"] = json!("other");
    conflist["plugins"][0]["ipam"]["podCIDRs"] = json!(["10.7.0.0/16"]);
    let other = Runtime::with(node, conflist)?;
    let neighbour = node.sandbox("neighbour")?;
    other.add(neighbour.target())?;

    runtime.gc(&[kept.target()])?;

    kept.check()?;
    let links = node.run(&["ip", "-o", "link", "show", "type", "veth"])?;
    assert!(links.contains("alias flatland kept/eth0"), "{links}");
    assert!(links.contains("alias other neighbour/eth0"), "{links}");
    assert!(!links.contains("stale"), "{links}");
    let routes = node.routes()?.join("\n");
    let files = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
    for address in stale.addresses() {
        assert!(!routes.contains(&address.to_string()), "{routes}");
        assert!(!files.contains(&address.to_string()), "{files}");
    }
    runtime.gc(&[kept.target()])?;
    runtime.gc(&[])?;
    assert_eq!(node.routes()?.len(), 1, "the other network's pod");
    stale.detach()
}

#[test]
fn gc_with_ipam_that_lacks_gc_removes_our_interfaces() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.install_plugins(&["host-local"])?;
    let runtime = || with_ipam(&lab, &host_local());
    let old = runtime()?.with_version(CniVersion::V1_0_0);
    let (kept, stale) = (node.sandbox("kept")?, node.sandbox("stale")?);
    let attached = old.add(kept.target())?;
    old.add(stale.target())?;

    runtime()?.gc(&[kept.target()])?;

    old.check(kept.target(), &attached)?;
    let links = node.run(&["ip", "-o", "link"])?;
    assert!(!links.contains("stale"), "{links}");
    let reserved = "grep -l stale /var/lib/cni/networks/flatland/10.9.0.*";
    node.run(&["sh", "-c", reserved])?;
    old.del(stale.target(), None)?;
    node.run(&["sh", "-c", reserved]).unwrap_err();
    Ok(())
}

#[test]
fn gc_with_failing_ipam_names_it_and_removes_the_rest() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let other = other(&lab);
    let fail = r#"[ $CNI_COMMAND = GC ] && { echo '{"code":5,"msg":"disk is full"}'; exit 1; }"#;
    install_ipam(node, fail)?;
    let runtime = with_ipam(&lab, &other)?;
    let stale = node.sandbox("stale")?;
    runtime.add(stale.target())?;

    let error = runtime.gc(&[]).unwrap_err().to_string();

    assert!(error.contains("other: disk is full"), "{error}");
    let links = node.run(&["ip", "-o", "link"])?;
    assert!(!links.contains("stale"), "{links}");
    let held = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
    assert!(!held.is_empty());
    install_ipam(node, "")?;
    runtime.gc(&[])?;
    let held = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
    assert_eq!(held, "");
    Ok(())
}

#[test]
fn null_list_of_valid_attachments_is_empty() -> Result {
    let lab = lab()?;
    let (node, runtime) = (lab.node(1), runtime(&lab)?);
    let entry = runtime.plugins().next().cloned().unwrap_or_default();
    let gc = |keys: &Value| -> Result<CommandOutput> {
        let mut entry = entry.clone();
        entry.extend(keys.as_object().cloned().unwrap_or_default());
        runtime.call("GC", &entry, Target::default(), &Value::Null)
    };
    let missing = gc(&json!({}))?;
    assert!(missing.stdout.contains("\"code\":7"), "{missing:?}");
    let both = json!({ "cni.dev/valid-attachments": null, "cni.dev/attachments": null });
    for keys in [
        json!({ "cni.dev/valid-attachments": null }),
        json!({ "cni.dev/attachments": [] }),
        both,
    ] {
        // Also on a node without pods of the network.
        gc(&keys)?.success()?;
        let pod = node.sandbox("stale")?;
        runtime.add(pod.target())?;
        gc(&keys)?.success()?;
        let held = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
        let links = node.run(&["ip", "-o", "link"])?;
        assert_eq!(
            (held.as_str(), links.contains("stale")),
            ("", false),
            "{keys}"
        );
        pod.delete_netns()?;
    }
    Ok(())
}
