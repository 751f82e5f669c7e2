//! Nodes with chained plugins after ours, and pods on them.

use lab::{Attached, CommandOutput, Lab, Node, Pod, Result, Runtime};
use serde_json::{Value, json};

/// A cluster with the shipped conflist and the plugins that it names.
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

/// A single node without `routed`, with `plugin` after ours in the conflist.
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

/// A pod with `runtimeConfig`, and the runtime that added it.
pub(crate) struct Chained<'a> {
    pub(crate) pod: Pod<'a>,
    pub(crate) attached: Attached,
    pub(crate) runtime: Runtime<'a>,
}

impl<'a> Chained<'a> {
    /// Calls ADD through the whole chain, and CHECK of our plugin.
    pub(crate) fn add(node: &'a Node, name: &str, runtime_config: &Value) -> Result<Self> {
        Self::add_by(
            Runtime::of(node)?.with_runtime_config(runtime_config),
            node,
            name,
        )
    }

    /// As [`Chained::add`], with the given runtime.
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

    /// Calls CHECK of the first plugin, which is ours.
    pub(crate) fn check_first(&self) -> Result {
        let mut outputs = self.check_each()?;
        outputs.swap_remove(0).success().map(drop)
    }

    /// Calls CHECK of each plugin. A failed CHECK is no error.
    pub(crate) fn check_each(&self) -> Result<Vec<CommandOutput>> {
        self.runtime.check_each(self.pod.target(), &self.attached)
    }

    /// Calls CHECK through the whole chain.
    pub(crate) fn check(&self) -> Result {
        self.runtime.check(self.pod.target(), &self.attached)
    }

    /// Calls DEL through the whole chain, twice, as runtimes may.
    pub(crate) fn delete(self) -> Result {
        for _ in 0..2 {
            self.runtime.del(self.pod.target(), Some(&self.attached))?;
        }
        self.pod.delete_netns()
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> Vec<std::net::IpAddr> {
        let ips = self.attached.result.ips.iter();
        ips.map(|ip| ip.address.ip()).collect()
    }
}

/// An empty `runtimeConfig`.
pub(crate) fn no_runtime_config() -> Value {
    json!({})
}
