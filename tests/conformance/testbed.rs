//! The machine on which one requirement is tested.

use std::cell::Cell;
use std::path::Path;

use serde_json::Value;

use super::call::PluginCall;
use super::kernel::{ListedLink, links};
use super::pod::TestContainer;
use super::spec::Spec;
use super::subject::{PluginKind, Subject};
use super::verdict::{Judged, fail, skip};
use crate::error::Doing;
use crate::{Lab, Machine, Result};

/// The folder of the plugins on the machine.
pub(super) const PLUGINS: &str = "/opt/cni/bin";

/// A fresh machine with the plugin on it.
pub(super) struct Testbed<'a> {
    pub(super) machine: Machine,
    pub(super) subject: &'a Subject,
    /// The versions that the plugin supports and the suite tests, oldest first.
    pub(super) versions: Vec<Spec>,
    pods: Cell<u32>,
}

impl<'a> Testbed<'a> {
    /// Boots machine number `number` of the lab, with the plugins of `folder` in its CNI folder.
    /// `versions` are those that the plugin supports.
    pub(super) fn boot(
        lab: &Lab,
        number: usize,
        subject: &'a Subject,
        folder: &Path,
        versions: &[Spec],
    ) -> Result<Self> {
        // The switch has room for 55 machines outside of the cluster; their addresses are not used.
        let host = 200 + u8::try_from(number % 55).doing("numbering a machine")?;
        let machine = lab.add_plugin_machine(&format!("c{number}"), host, folder)?;
        Ok(Self {
            machine,
            subject,
            versions: versions.to_vec(),
            pods: Cell::new(0),
        })
    }

    /// The newest version of plugin and suite.
    pub(super) fn version(&self) -> Spec {
        self.versions.last().copied().unwrap_or(Spec::V1_0_0)
    }

    /// A container that is not attached yet: a network namespace and, for a chained plugin, an
    /// interface in it.
    pub(super) fn pod(&self) -> Judged<TestContainer<'_>> {
        let number = self.pods.get() + 1;
        self.pods.set(number);
        Ok(TestContainer::new(self, number)?)
    }

    /// An ADD call for a new container.
    pub(super) fn add(&self) -> Judged<PluginCall<'_>> {
        Ok(self.pod()?.call("ADD"))
    }

    /// A call that concerns no container.
    pub(super) fn call(&self, command: &str) -> PluginCall<'_> {
        PluginCall::new(self, command)
    }

    /// The path of the plugin on the machine.
    pub(super) fn plugin(&self) -> String {
        let plugin = self.subject.plugin.file_name().unwrap_or_default();
        format!("{PLUGINS}/{}", plugin.to_string_lossy())
    }

    /// The links of the machine's own namespace.
    pub(super) fn links(&self) -> Judged<Vec<ListedLink>> {
        links(&self.machine, None)
    }

    /// The IPAM plugin that this plugin delegates to. Without one, the requirement does not apply.
    pub(super) fn ipam(&self) -> Judged<&str> {
        match self.subject.ipam() {
            Some(ipam) => Ok(ipam),
            None => skip("its configuration names no IPAM plugin"),
        }
    }

    /// Attaches containers until the plugin has no free address. Returns the attached ones with
    /// their results.
    pub(super) fn exhaust(&self) -> Judged<Vec<(TestContainer<'_>, Value)>> {
        let mut attached = Vec::new();
        while attached.len() < MAX_PODS {
            let pod = self.pod()?;
            let answer = pod.add()?;
            if answer.is_success() {
                attached.push((pod, answer.result()?));
            } else if attached.is_empty() {
                return fail(answer.with_evidence("ADD fails"));
            } else {
                // Runtimes call DEL after a failed ADD.
                pod.del().run()?;
                return Ok(attached);
            }
        }
        skip(format!(
            "the configuration has more than {MAX_PODS} addresses"
        ))
    }

    /// Whether it is an IPAM plugin.
    pub(super) fn is_ipam(&self) -> bool {
        self.subject.kind == PluginKind::Ipam
    }
}

/// The most containers that [`Testbed::exhaust`] attaches.
const MAX_PODS: usize = 64;
