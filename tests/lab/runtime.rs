//! What a container runtime does with a conflist: calls its plugins in order, as executables, with
//! the environment and the configuration of the CNI spec.

use serde_json::{Map, Value, json};
use wire::cni::{Success, Version};

use crate::command::Output;
use crate::error::Doing;
use crate::{Error, Machine, Result};

/// Where a machine's conflists and plugins are.
const CONFLISTS: &str = "/etc/cni/net.d";
const PLUGINS: &str = "/opt/cni/bin";

/// The runtime of one machine, for one network.
#[derive(Debug)]
pub struct Runtime<'a> {
    machine: &'a Machine,
    conflist: Value,
    version: Version,
    /// What the runtime has to say about the pod, by capability.
    wishes: Map<String, Value>,
}

/// An attachment, as a runtime remembers it.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The result of ADD.
    pub result: Success,
    raw: Value,
}

/// What identifies one call; all empty for the verbs that are about the network.
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
    /// The runtime that has read the machine's first conflist, by name, as kubelet's do.
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

    /// A runtime with a conflist of its own.
    pub fn with(machine: &'a Machine, conflist: Value) -> Result<Self> {
        let version = conflist["cniVersion"].as_str().unwrap_or_default();
        let version = version.parse().doing("cniVersion of the conflist")?;
        Ok(Self {
            machine,
            conflist,
            version,
            wishes: Map::new(),
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

    /// DEL through the chain, last plugin first; `attached` is what ADD returned, if it did.
    pub fn del(&self, target: Target<'_>, attached: Option<&Attached>) -> Result {
        let previous = attached.map_or(Value::Null, |attached| attached.raw.clone());
        for plugin in self.plugins().rev() {
            self.call("DEL", plugin, target, &previous)?.success()?;
        }
        Ok(())
    }

    /// The same runtime, speaking another version of the spec.
    #[must_use]
    pub fn speaking(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// The same runtime, knowing the spec up to `newest`: of the versions that the conflist names it
    /// speaks the newest one that it knows, as libcni 1.2 and later do.
    pub fn knowing(self, newest: Version) -> Result<Self> {
        let named = self.conflist["cniVersions"]
            .as_array()
            .into_iter()
            .flatten();
        let named = named.map(|version| version.as_str().unwrap_or_default().parse());
        let named = named
            .collect::<std::result::Result<Vec<Version>, _>>()
            .doing("cniVersions of the conflist")?;
        let known = named.into_iter().filter(|version| *version <= newest);
        let version = known.fold(self.version, Version::max);
        Ok(self.speaking(version))
    }

    /// The version that it speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The same runtime, for a pod about which it has this to say: the members of `wishes`, each
    /// for the plugins that have the capability of its name.
    #[must_use]
    pub fn wishing(self, wishes: &Value) -> Self {
        let wishes = wishes.as_object().cloned().unwrap_or_default();
        Self { wishes, ..self }
    }

    /// CHECK through the chain.
    pub fn check(&self, target: Target<'_>, attached: &Attached) -> Result {
        for plugin in self.plugins() {
            self.call("CHECK", plugin, target, &attached.raw)?
                .success()?;
        }
        Ok(())
    }

    /// CHECK by every plugin of the chain, each however it ends: who was asked, and its answer.
    pub fn check_each(&self, target: Target<'_>, attached: &Attached) -> Result<Vec<Output>> {
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

    /// GC by every plugin: only what is in `valid` stays.
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

    /// One call of one plugin, however it ends.
    pub fn call(
        &self,
        command: &str,
        plugin: &Map<String, Value>,
        target: Target<'_>,
        previous: &Value,
    ) -> Result<Output> {
        let mut config = plugin.clone();
        config.insert("cniVersion".into(), json!(self.version.as_str()));
        config.insert("name".into(), json!(self.network()));
        if !previous.is_null() {
            config.insert("prevResult".into(), previous.clone());
        }
        let heard = self.heard_by(plugin);
        if !heard.is_empty() {
            config.insert("runtimeConfig".into(), Value::Object(heard));
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

    /// What a plugin is told of the wishes.
    fn heard_by(&self, plugin: &Map<String, Value>) -> Map<String, Value> {
        let capabilities = plugin.get("capabilities");
        let capable = |name: &str| capabilities.is_some_and(|all| all[name] == true);
        let heard = self.wishes.iter().filter(|(name, _)| capable(name));
        heard
            .map(|(name, wish)| (name.clone(), wish.clone()))
            .collect()
    }

    /// The entries of the conflist.
    pub fn plugins(&self) -> impl DoubleEndedIterator<Item = &Map<String, Value>> {
        self.conflist["plugins"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }
}

/// Runs a plugin of the machine with `stdin`, as a runtime would.
pub(crate) fn execute(
    machine: &Machine,
    plugin: &str,
    command: &str,
    target: Target<'_>,
    stdin: &[u8],
) -> Result<Output> {
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
