//! Nodes whose conflist goes on after our plugin, and pods of theirs.

use lab::{Attached, Lab, Node, Output, Pod, Result, Runtime};
use serde_json::{Value, json};

/// A cluster with the shipped conflist, and the plugins it names.
pub(crate) fn cluster(nodes: u8) -> Result<Lab> {
    let mut lab = Lab::builder().nodes(nodes).start()?;
    let conflist = lab.shipped_conflist()?;
    for number in 1..=usize::from(nodes) {
        lab.node_mut(number).set_conflist(&conflist)?;
        lab.node(number)
            .install_plugins(&["portmap", "bandwidth"])?;
    }
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

/// A node alone, without `routed`, whose conflist goes on with `plugin`.
pub(crate) fn node_with(plugin: &Value) -> Result<Lab> {
    let mut lab = Lab::builder().etcd(0).start()?;
    let mut conflist = lab.conflist();
    if let Some(plugins) = conflist["plugins"].as_array_mut() {
        plugins.push(plugin.clone());
    }
    let node = lab.node_mut(1);
    node.set_conflist(&conflist)?;
    node.install_conflist()?;
    node.install_plugins(&[plugin["type"].as_str().unwrap_or_default()])?;
    Ok(lab)
}

/// A pod of which the runtime has something to say, and its way back.
pub(crate) struct Chained<'a> {
    pub(crate) pod: Pod<'a>,
    pub(crate) attached: Attached,
    pub(crate) runtime: Runtime<'a>,
}

impl<'a> Chained<'a> {
    /// ADD through the whole chain, and CHECK by our plugin.
    pub(crate) fn add(node: &'a Node, name: &str, wishes: &Value) -> Result<Self> {
        Self::add_by(Runtime::of(node)?.wishing(wishes), node, name)
    }

    /// As [`Chained::add`], by a runtime of one's own.
    pub(crate) fn add_by(runtime: Runtime<'a>, node: &'a Node, name: &str) -> Result<Self> {
        let pod = node.sandbox(name)?;
        let attached = runtime.add(pod.target())?;
        let chained = Self {
            pod,
            attached,
            runtime,
        };
        chained.check_first()?;
        Ok(chained)
    }

    /// CHECK by the first plugin, ours.
    pub(crate) fn check_first(&self) -> Result {
        let mut outputs = self.check_each()?;
        outputs.swap_remove(0).success().map(drop)
    }

    /// CHECK by each plugin, however it ends.
    pub(crate) fn check_each(&self) -> Result<Vec<Output>> {
        self.runtime.check_each(self.pod.target(), &self.attached)
    }

    /// CHECK through the whole chain.
    pub(crate) fn check(&self) -> Result {
        self.runtime.check(self.pod.target(), &self.attached)
    }

    /// DEL through the whole chain, twice, as runtimes do that are not sure.
    pub(crate) fn delete(self) -> Result {
        for _ in 0..2 {
            self.runtime.del(self.pod.target(), Some(&self.attached))?;
        }
        self.pod.vanish()
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> Vec<std::net::IpAddr> {
        let ips = self.attached.result.ips.iter();
        ips.map(|ip| ip.address.ip()).collect()
    }
}

/// Nothing to say.
pub(crate) fn plain() -> Value {
    json!({})
}
