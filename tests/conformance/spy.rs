//! A program in front of the IPAM plugin: it writes down how it is called, and calls the real one,
//! changes its answer or fails as it is told to.

use serde_json::Value;

use super::call::Call;
use super::stage::{PLUGINS, Stage};
use super::verdict::Judged;
use crate::error::Doing;

/// Where it is. The folder comes before [`PLUGINS`] in `CNI_PATH`.
const FOLDER: &str = "/opt/cni/spy";
/// Where it writes to: a folder for each call, numbered from 0.
const NOTES: &str = "/run/spy";

/// What it says on standard error.
pub(super) const WHISPER: &str = "the delegated plugin was here";

/// A spy in front of the IPAM plugin.
pub(super) struct Spy<'s> {
    stage: &'s Stage<'s>,
}

/// What the spy saw of one call.
#[derive(Debug)]
pub(super) struct Sighting {
    /// `CNI_COMMAND`.
    pub(super) command: String,
    /// The lines of `env`.
    pub(super) environment: Vec<String>,
    /// Standard input.
    pub(super) stdin: String,
    /// What it answered.
    pub(super) stdout: String,
}

impl<'s> Spy<'s> {
    /// Puts it in front of the IPAM plugin that the configuration names.
    pub(super) fn install(stage: &'s Stage<'s>) -> Judged<Self> {
        let ipam = stage.ipam()?;
        let script = format!(
            "#!/bin/sh\n\
             notes={NOTES}/$(ls {NOTES} | wc -l)\n\
             mkdir \"$notes\"\n\
             env >\"$notes/environment\"\n\
             cat >\"$notes/stdin\"\n\
             : >\"$notes/stdout\"\n\
             echo '{WHISPER}' >&2\n\
             if test -e {FOLDER}/refuse-$CNI_COMMAND; then\n\
             \x20   echo '{{\"cniVersion\": \"{version}\", \"code\": 142, \"msg\": \"told to fail\"}}'\n\
             \x20   exit 1\n\
             fi\n\
             {PLUGINS}/{ipam} <\"$notes/stdin\" >\"$notes/answer\"\n\
             status=$?\n\
             sed -f {FOLDER}/edit \"$notes/answer\" >\"$notes/stdout\"\n\
             cat \"$notes/stdout\"\n\
             exit $status\n",
            version = stage.version(),
        );
        // Written by a process of the machine, which is gone when the spy is first called: a script
        // that anybody has open for writing cannot be started.
        let path = format!("{FOLDER}/{ipam}");
        let write = format!(
            "mkdir -p {FOLDER} {NOTES} && : >{FOLDER}/edit && cat >{path} && chmod 755 {path}"
        );
        let machine = &stage.machine;
        machine
            .run_with(&["sh", "-c", &write], script.as_bytes())?
            .success()?;
        Ok(Self { stage })
    }

    /// The call, with the spy first in `CNI_PATH`.
    #[allow(clippy::unused_self, reason = "there has to be a spy to watch")]
    pub(super) fn watch<'c>(&self, call: Call<'c>) -> Call<'c> {
        call.with("CNI_PATH", format!("{FOLDER}:{PLUGINS}"))
    }

    /// From now on it fails for this `CNI_COMMAND`.
    pub(super) fn refuse(&self, command: &str) -> Judged {
        let path = format!("{FOLDER}/refuse-{command}");
        Ok(self.stage.machine.write(path, "")?)
    }

    /// From now on it changes what the real plugin answers by this `sed` script.
    pub(super) fn edit(&self, script: &str) -> Judged {
        let path = format!("{FOLDER}/edit");
        Ok(self.stage.machine.write(path, script)?)
    }

    /// What it has seen, in order.
    pub(super) fn sightings(&self) -> Judged<Vec<Sighting>> {
        let machine = &self.stage.machine;
        let count = machine.run(&["ls", NOTES])?.lines().count();
        let mut all = Vec::new();
        for number in 0..count {
            let note = |name: &str| machine.read(format!("{NOTES}/{number}/{name}"));
            let environment: Vec<String> =
                note("environment")?.lines().map(str::to_owned).collect();
            let command = environment
                .iter()
                .find_map(|line| line.strip_prefix("CNI_COMMAND="));
            all.push(Sighting {
                command: command.unwrap_or_default().to_owned(),
                stdin: note("stdin")?,
                stdout: note("stdout")?,
                environment,
            });
        }
        Ok(all)
    }

    /// The commands it was called with, in order.
    pub(super) fn commands(&self) -> Judged<Vec<String>> {
        Ok(self
            .sightings()?
            .into_iter()
            .map(|seen| seen.command)
            .collect())
    }
}

impl Sighting {
    /// What it answered, or the configuration that it was given, as JSON.
    pub(super) fn json(text: &str) -> Judged<Value> {
        Ok(serde_json::from_str(text).doing(format!("reading {text}"))?)
    }
}
