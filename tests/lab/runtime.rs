//! The CNI calls of a container runtime: runs the plugins of a conflist in order, with the
//! environment and the configuration that the CNI spec defines.

use serde_json::{Map, Value, json};
use wire::cni::{CniVersion, Success};

use crate::command::CommandOutput;
use crate::error::Doing;
use crate::{Error, Machine, Result};

/// Where a machine has its conflists and plugins.
const CONFLISTS: &str = "/etc/cni/net.d";
const PLUGINS: &str = "/opt/cni/bin";

/// The runtime of one machine, for one network.
#[derive(Debug)]
pub struct Runtime<'a> {
    machine: &'a Machine,
    conflist: Value,
    version: CniVersion,
    /// `runtimeConfig`, by capability.
    capability_args: Map<String, Value>,
}

/// An attachment, as a runtime stores it.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The result of ADD.
    pub result: Success,
    raw: Value,
}

/// The parameters of one call; all empty for verbs that concern the whole network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Target<'a> {
    /// `CNI_CONTAINERID`.
    pub container_id: &'a str,
    /// `CNI_NETNS`; empty leaves it out.
    pub netns: &'a str,
    /// `CNI_IFNAME`.
    pub interface: &'a str,
    /// `CNI_ARGS`; empty leaves it out.
    pub args: &'a str,
}

impl<'a> Runtime<'a> {
    /// A runtime with the machine's first conflist in the order of file names, as kubelet's
    /// runtimes have it.
    pub fn of(machine: &'a Machine) -> Result<Self> {
        let folder = machine.path(CONFLISTS);
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .doing(folder.display())?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "conflist")
            })
            .collect();
        names.sort();
        let none = || Error::new(format!("{} has no conflist in {CONFLISTS}", machine.name()));
        let text = std::fs::read(names.first().ok_or_else(none)?).doing("reading the conflist")?;
        Self::with(
            machine,
            serde_json::from_slice(&text).doing("reading the conflist")?,
        )
    }

    /// A runtime with another conflist.
    pub fn with(machine: &'a Machine, conflist: Value) -> Result<Self> {
        let version = conflist["cniVersion"].as_str().unwrap_or_default();
        let version = version.parse().doing("cniVersion of the conflist")?;
        Ok(Self {
            machine,
            conflist,
            version,
            capability_args: Map::new(),
        })
    }

    /// The network's name.
    pub fn network(&self) -> &str {
        self.conflist["name"].as_str().unwrap_or_default()
    }

    /// ADD through the whole chain.
    pub fn add(&self, target: Target<'_>) -> Result<Attached> {
        let mut previous = Value::Null;
        for plugin in self.plugins() {
            let output = self.call("ADD", plugin, target, &previous)?;
            previous = serde_json::from_str(&output.clone().success()?)
                .doing(format!("result of {}: {}", output.command, output.stdout))?;
        }
        let result = Success::parse(&previous, self.version).doing("result of ADD")?;
        Ok(Attached {
            result,
            raw: previous,
        })
    }

    /// DEL through the chain, last plugin first; `attached` is the result of ADD, if there is one.
    pub fn del(&self, target: Target<'_>, attached: Option<&Attached>) -> Result {
        let previous = attached.map_or(Value::Null, |attached| attached.raw.clone());
        for plugin in self.plugins().rev() {
            self.call("DEL", plugin, target, &previous)?.success()?;
        }
        Ok(())
    }

    /// The same runtime with another version of the spec.
    #[must_use]
    pub fn with_version(self, version: CniVersion) -> Self {
        Self { version, ..self }
    }

    /// The same runtime, supporting the spec up to `newest`: of the versions in the conflist it
    /// uses the newest one that it supports, as libcni 1.2 and later do.
    pub fn supporting(self, newest: CniVersion) -> Result<Self> {
        let named = self.conflist["cniVersions"]
            .as_array()
            .into_iter()
            .flatten();
        let named = named.map(|version| version.as_str().unwrap_or_default().parse());
        let named = named
            .collect::<std::result::Result<Vec<CniVersion>, _>>()
            .doing("cniVersions of the conflist")?;
        let known = named.into_iter().filter(|version| *version <= newest);
        let version = known.fold(self.version, CniVersion::max);
        Ok(self.with_version(version))
    }

    /// The version of the spec that it uses.
    pub fn version(&self) -> CniVersion {
        self.version
    }

    /// The same runtime with these values for `runtimeConfig`, each passed to the plugins that have
    /// the capability of its name.
    #[must_use]
    pub fn with_runtime_config(self, runtime_config: &Value) -> Self {
        let capability_args = runtime_config.as_object().cloned().unwrap_or_default();
        Self {
            capability_args,
            ..self
        }
    }

    /// CHECK through the chain.
    pub fn check(&self, target: Target<'_>, attached: &Attached) -> Result {
        for plugin in self.plugins() {
            self.call("CHECK", plugin, target, &attached.raw)?
                .success()?;
        }
        Ok(())
    }

    /// CHECK by every plugin of the chain, with the output of each. A failed CHECK is no error.
    pub fn check_each(
        &self,
        target: Target<'_>,
        attached: &Attached,
    ) -> Result<Vec<CommandOutput>> {
        self.plugins()
            .map(|plugin| self.call("CHECK", plugin, target, &attached.raw))
            .collect()
    }

    /// STATUS of every plugin.
    pub fn status(&self) -> Result {
        for plugin in self.plugins() {
            self.call("STATUS", plugin, Target::default(), &Value::Null)?
                .success()?;
        }
        Ok(())
    }

    /// GC by every plugin, with the attachments `valid` as the only ones to keep.
    pub fn gc(&self, valid: &[Target<'_>]) -> Result {
        let valid: Vec<Value> = valid
            .iter()
            .map(|target| json!({ "containerID": target.container_id, "ifname": target.interface }))
            .collect();
        for plugin in self.plugins() {
            let mut plugin = plugin.clone();
            plugin.insert("cni.dev/valid-attachments".into(), json!(valid));
            self.call("GC", &plugin, Target::default(), &Value::Null)?
                .success()?;
        }
        Ok(())
    }

    /// One call of one plugin. A failed call is no error.
    pub fn call(
        &self,
        command: &str,
        plugin: &Map<String, Value>,
        target: Target<'_>,
        previous: &Value,
    ) -> Result<CommandOutput> {
        let mut config = plugin.clone();
        config.insert("cniVersion".into(), json!(self.version.as_str()));
        config.insert("name".into(), json!(self.network()));
        if !previous.is_null() {
            config.insert("prevResult".into(), previous.clone());
        }
        let passed = self.runtime_config_for(plugin);
        if !passed.is_empty() {
            config.insert("runtimeConfig".into(), Value::Object(passed));
        }
        let name = plugin
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        execute(
            self.machine,
            name,
            command,
            target,
            Value::Object(config).to_string().as_bytes(),
        )
    }

    /// The part of `runtimeConfig` that a plugin receives by its capabilities.
    fn runtime_config_for(&self, plugin: &Map<String, Value>) -> Map<String, Value> {
        let capabilities = plugin.get("capabilities");
        let capable = |name: &str| capabilities.is_some_and(|all| all[name] == true);
        let passed = self
            .capability_args
            .iter()
            .filter(|(name, _)| capable(name));
        passed
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The plugins of the conflist.
    pub fn plugins(&self) -> impl DoubleEndedIterator<Item = &Map<String, Value>> {
        self.conflist["plugins"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }
}

/// Runs a plugin of the machine with `stdin`, as a runtime does.
pub(crate) fn execute(
    machine: &Machine,
    plugin: &str,
    command: &str,
    target: Target<'_>,
    stdin: &[u8],
) -> Result<CommandOutput> {
    let mut words = vec![
        "env".to_owned(),
        format!("CNI_PATH={PLUGINS}"),
        format!("CNI_COMMAND={command}"),
    ];
    for (variable, value) in [
        ("CNI_CONTAINERID", target.container_id),
        ("CNI_NETNS", target.netns),
        ("CNI_IFNAME", target.interface),
        ("CNI_ARGS", target.args),
    ] {
        if !value.is_empty() {
            words.push(format!("{variable}={value}"));
        }
    }
    words.push(format!("{PLUGINS}/{plugin}"));
    machine.run_with(&words, stdin)
}
