//! A single node, its runtime, and third-party IPAM plugins.

use lab::{Lab, Node, Result, Runtime};
use serde_json::{Value, json};
use wire::cni::CniVersion;

/// A single node, with its claims in a local file.
pub(crate) fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    Ok(lab)
}

/// A runtime with the newest version of the spec.
pub(crate) fn runtime(lab: &Lab) -> Result<Runtime<'_>> {
    Ok(Runtime::of(lab.node(1))?.with_version(CniVersion::V1_1_0))
}

/// A runtime with the newest version of the spec and another IPAM plugin in the conflist.
pub(crate) fn with_ipam<'a>(lab: &'a Lab, ipam: &Value) -> Result<Runtime<'a>> {
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"] = ipam.clone();
    Ok(Runtime::with(lab.node(1), conflist)?.with_version(CniVersion::V1_1_0))
}

/// Debian 12's host-local, which supports 1.0.0 at most.
pub(crate) fn host_local() -> Value {
    json!({ "type": "host-local", "ranges": [[{ "subnet": "10.9.0.0/24" }]] })
}

/// The section of IPAM plugin `other`, see [`install_ipam`].
pub(crate) fn other(lab: &Lab) -> Value {
    let mut ipam = lab.conflist()["plugins"][0]["ipam"].clone();
    ipam["type"] = json!("other");
    ipam
}

/// Installs a script as IPAM plugin `other`, which runs `script` first and then does what ours
/// does.
pub(crate) fn install_ipam(node: &Node, script: &str) -> Result {
    let rename = r#"sed 's/"type":"other"/"type":"flatland-ipam"/'"#;
    let script = format!("#!/bin/sh\n{script}\n{rename} | /opt/cni/bin/flatland-ipam\n");
    node.write("/opt/cni/bin/other", script)?;
    node.run(&["chmod", "+x", "/opt/cni/bin/other"]).map(drop)
}
