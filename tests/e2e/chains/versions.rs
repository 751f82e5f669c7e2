//! The version of the spec that runtimes use with the shipped conflist. Debian 12 has no runtime
//! that supports 1.1.0, so the lab's runtime chooses a version as libcni does.

use lab::{Lab, Result, Runtime};
use serde_json::Value;
use wire::cni::CniVersion;

use crate::support::{Chained, cluster};

const OLD: CniVersion = CniVersion::V1_0_0;
const NEW: CniVersion = CniVersion::V1_1_0;

#[test]
fn chain_with_a_1_0_plugin_works_in_a_1_1_runtime() -> Result {
    let lab = cluster(1)?;
    let node = lab.node(1);
    let unknown = "does not offer CNI 1.1.0, which is unknown to bandwidth and portmap";
    node.wait_log(unknown)?;
    for (knows, name) in [(OLD, "old"), (NEW, "new")] {
        let runtime = Runtime::of(node)?.supporting(knows)?;
        assert_eq!(runtime.version(), OLD);
        Chained::add_by(runtime, node, name)?.delete()?;
    }
    Ok(())
}

#[test]
fn chain_of_1_1_plugins_offers_status_and_gc() -> Result {
    let mut lab = Lab::builder().start()?;
    let mut conflist = lab.shipped_conflist()?;
    if let Some(plugins) = conflist["plugins"].as_array_mut() {
        plugins.retain(|plugin: &Value| plugin["type"] == "flatland");
    }
    lab.node_mut(1).set_conflist(&conflist)?;
    lab.start_routed()?;
    let node = lab.node(1);

    let old = Runtime::of(node)?.supporting(OLD)?;
    assert_eq!(old.version(), OLD);
    Chained::add_by(old, node, "old")?.delete()?;
    let before = node.attachment_state()?;

    let new = || Runtime::of(node)?.supporting(NEW);
    assert_eq!(new()?.version(), NEW);
    new()?.status()?;
    let kept = Chained::add_by(new()?, node, "kept")?;
    let forgotten = Chained::add_by(new()?, node, "forgotten")?;
    new()?.gc(&[kept.pod.target()])?;
    kept.check()?;
    forgotten.check().unwrap_err();
    kept.delete()?;
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}
