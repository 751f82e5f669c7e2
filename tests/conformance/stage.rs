//! The machine on which one requirement is judged.

use std::cell::Cell;
use std::path::Path;

use serde_json::Value;

use super::call::Call;
use super::kernel::{Link, links};
use super::pod::Pod;
use super::spec::Spec;
use super::subject::{Kind, Subject};
use super::verdict::{Judged, fail, skip};
use crate::error::Doing;
use crate::{Lab, Machine, Result};

/// Where the plugins are on the machine.
pub(super) const PLUGINS: &str = "/opt/cni/bin";

/// A fresh machine with the plugin on it.
pub(super) struct Stage<'a> {
    pub(super) machine: Machine,
    pub(super) subject: &'a Subject,
    /// What the plugin announces, of what the suite judges; oldest first.
    pub(super) versions: Vec<Spec>,
    pods: Cell<u32>,
}

impl<'a> Stage<'a> {
    /// Boots machine number `number` of the lab with the plugin, which is in `folder`. `versions`
    /// are those that it announces.
    pub(super) fn boot(
        lab: &Lab,
        number: usize,
        subject: &'a Subject,
        folder: &Path,
        versions: &[Spec],
    ) -> Result<Self> {
        // The switch has room for 55 strangers at a time; nobody looks at their addresses.
        let host = 200 + u8::try_from(number % 55).doing("numbering a machine")?;
        let machine = lab.add_plugin_machine(&format!("c{number}"), host, folder)?;
        Ok(Self {
            machine,
            subject,
            versions: versions.to_vec(),
            pods: Cell::new(0),
        })
    }

    /// The newest version that plugin and suite speak.
    pub(super) fn version(&self) -> Spec {
        self.versions.last().copied().unwrap_or(Spec::V1_0_0)
    }

    /// A container that nobody has attached yet: a network namespace, and for a chained plugin an
    /// interface in it.
    pub(super) fn pod(&self) -> Judged<Pod<'_>> {
        let number = self.pods.get() + 1;
        self.pods.set(number);
        Ok(Pod::new(self, number)?)
    }

    /// ADD of a container of its own, to be run.
    pub(super) fn add(&self) -> Judged<Call<'_>> {
        Ok(self.pod()?.call("ADD"))
    }

    /// A call that is about no container.
    pub(super) fn call(&self, command: &str) -> Call<'_> {
        Call::new(self, command)
    }

    /// Where the plugin is on the machine.
    pub(super) fn plugin(&self) -> String {
        let plugin = self.subject.plugin.file_name().unwrap_or_default();
        format!("{PLUGINS}/{}", plugin.to_string_lossy())
    }

    /// The links of the machine itself.
    pub(super) fn links(&self) -> Judged<Vec<Link>> {
        links(&self.machine, None)
    }

    /// The IPAM plugin that this one delegates to; without one the requirement is none.
    pub(super) fn ipam(&self) -> Judged<&str> {
        match self.subject.ipam() {
            Some(ipam) => Ok(ipam),
            None => skip("its configuration names no IPAM plugin"),
        }
    }

    /// Attaches containers until the plugin has nothing left to give. Returns those that are
    /// attached, with their results.
    pub(super) fn exhaust(&self) -> Judged<Vec<(Pod<'_>, Value)>> {
        let mut attached = Vec::new();
        while attached.len() < MOST {
            let pod = self.pod()?;
            let answer = pod.add()?;
            if answer.is_success() {
                attached.push((pod, answer.result()?));
            } else if attached.is_empty() {
                return fail(answer.tell("ADD fails"));
            } else {
                // What a runtime does after an ADD that failed.
                pod.del().run()?;
                return Ok(attached);
            }
        }
        skip(format!(
            "{MOST} ADDs do not use up what the configuration has to give"
        ))
    }

    /// Whether it is an IPAM plugin.
    pub(super) fn is_ipam(&self) -> bool {
        self.subject.kind == Kind::Ipam
    }
}

/// How many containers [`Stage::exhaust`] attaches at most.
const MOST: usize = 64;
