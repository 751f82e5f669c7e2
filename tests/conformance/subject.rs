//! The plugin under test.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Doing;
use crate::{Error, Result, command};

/// The kind of a plugin, which determines the requirements that concern it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PluginKind {
    /// It makes an interface in the container.
    Interface,
    /// Called by other plugins; hands out addresses.
    Ipam,
    /// Changes an interface that an earlier plugin of the chain has made.
    Chained,
}

/// A plugin, its configuration and the plugins that it delegates to.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The name of the plugin in the table.
    pub name: String,
    /// The kind of the plugin.
    pub kind: PluginKind,
    /// The executable.
    pub plugin: PathBuf,
    /// Further executables: the plugins that it delegates to, and what these run.
    pub delegates: Vec<PathBuf>,
    /// The plugin configuration object, with `name`; the suite fills in `cniVersion`.
    pub config: Value,
}

impl Subject {
    /// A plugin with its configuration. If the configuration names an IPAM plugin and this one is
    /// none, the IPAM plugin is taken from `folder`, by default the plugin's own.
    pub fn new(
        kind: PluginKind,
        plugin: &Path,
        config: Value,
        folder: Option<&Path>,
    ) -> Result<Self> {
        let name = plugin.file_name().unwrap_or_default().to_string_lossy();
        if !config.is_object() || !config["name"].is_string() {
            let what = format!("the configuration of {name} is no object with a \"name\"");
            return Err(Error::new(what));
        }
        let folder = folder.or(plugin.parent()).unwrap_or(Path::new("."));
        let delegates = match config["ipam"]["type"].as_str() {
            Some(ipam) if kind != PluginKind::Ipam => vec![folder.join(ipam)],
            _ => Vec::new(),
        };
        for program in delegates.iter().map(PathBuf::as_path).chain([plugin]) {
            std::fs::metadata(program).doing(program.display())?;
        }
        Ok(Self {
            name: name.into_owned(),
            kind,
            plugin: plugin.to_owned(),
            delegates,
            config,
        })
    }

    /// Adds executables that the plugin needs.
    pub fn with(mut self, programs: &[PathBuf]) -> Result<Self> {
        for program in programs {
            std::fs::metadata(program).doing(program.display())?;
        }
        self.delegates.extend_from_slice(programs);
        Ok(self)
    }

    /// Copies the plugin and its delegates to a folder, which the machines share.
    pub(super) fn install(&self, folder: &Path) -> Result {
        for program in self.delegates.iter().chain([&self.plugin]) {
            let name = program.file_name().unwrap_or_default();
            command::install(program, &folder.join(name))?;
        }
        Ok(())
    }

    /// The name of the IPAM plugin that it delegates to.
    pub(super) fn ipam(&self) -> Option<&str> {
        match self.kind {
            PluginKind::Ipam => None,
            PluginKind::Interface | PluginKind::Chained => self.config["ipam"]["type"].as_str(),
        }
    }
}
