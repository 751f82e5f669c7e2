//! A wrapper script in front of the IPAM plugin. It records each call, and then calls the real
//! plugin, changes its output or fails, as the test demands.

use serde_json::Value;

use super::call::PluginCall;
use super::testbed::{PLUGINS, Testbed};
use super::verdict::Judged;
use crate::error::Doing;

/// The folder of the wrapper, which comes before [`PLUGINS`] in `CNI_PATH`.
const FOLDER: &str = "/opt/cni/wrapper";
/// The folder of the records: a subfolder for each call, numbered from 0.
const RECORDS: &str = "/run/wrapper";

/// The wrapper writes this to standard error.
pub(super) const STDERR_MARKER: &str = "the delegated plugin was here";

/// The wrapper in front of the IPAM plugin.
pub(super) struct IpamWrapper<'s> {
    testbed: &'s Testbed<'s>,
}

/// The record of one call.
#[derive(Debug)]
pub(super) struct RecordedCall {
    /// `CNI_COMMAND`.
    pub(super) command: String,
    /// The lines of `env`.
    pub(super) environment: Vec<String>,
    /// Standard input.
    pub(super) stdin: String,
    /// The output of the wrapper.
    pub(super) stdout: String,
}

impl<'s> IpamWrapper<'s> {
    /// Installs the wrapper under the name of the IPAM plugin in the configuration.
    pub(super) fn install(testbed: &'s Testbed<'s>) -> Judged<Self> {
        let ipam = testbed.ipam()?;
        let script = format!(
            "#!/bin/sh\n\
             record={RECORDS}/$(ls {RECORDS} | wc -l)\n\
             mkdir \"$record\"\n\
             env >\"$record/environment\"\n\
             cat >\"$record/stdin\"\n\
             : >\"$record/stdout\"\n\
             echo '{STDERR_MARKER}' >&2\n\
             if test -e {FOLDER}/fail_on-$CNI_COMMAND; then\n\
             \x20   echo '{{\"cniVersion\": \"{version}\", \"code\": 142, \"msg\": \"failing on request\"}}'\n\
             \x20   exit 1\n\
             fi\n\
             {PLUGINS}/{ipam} <\"$record/stdin\" >\"$record/answer\"\n\
             status=$?\n\
             sed -f {FOLDER}/edit \"$record/answer\" >\"$record/stdout\"\n\
             cat \"$record/stdout\"\n\
             exit $status\n",
            version = testbed.version(),
        );
        // Written by a process of the machine, which has ended when the wrapper is first called: a
        // script that is open for writing cannot be executed (ETXTBSY).
        let path = format!("{FOLDER}/{ipam}");
        let write = format!(
            "mkdir -p {FOLDER} {RECORDS} && : >{FOLDER}/edit && cat >{path} && chmod 755 {path}"
        );
        let machine = &testbed.machine;
        machine
            .run_with(&["sh", "-c", &write], script.as_bytes())?
            .success()?;
        Ok(Self { testbed })
    }

    /// Makes a call use the wrapper: puts its folder first in `CNI_PATH`.
    #[allow(clippy::unused_self, reason = "the wrapper must be installed first")]
    pub(super) fn wrap<'c>(&self, call: PluginCall<'c>) -> PluginCall<'c> {
        call.with("CNI_PATH", format!("{FOLDER}:{PLUGINS}"))
    }

    /// Makes the wrapper fail for this `CNI_COMMAND`.
    pub(super) fn fail_on(&self, command: &str) -> Judged {
        let path = format!("{FOLDER}/fail_on-{command}");
        Ok(self.testbed.machine.write(path, "")?)
    }

    /// Makes the wrapper change the real plugin's output with this `sed` script.
    pub(super) fn edit(&self, script: &str) -> Judged {
        let path = format!("{FOLDER}/edit");
        Ok(self.testbed.machine.write(path, script)?)
    }

    /// The recorded calls, in order.
    pub(super) fn recorded_calls(&self) -> Judged<Vec<RecordedCall>> {
        let machine = &self.testbed.machine;
        let count = machine.run(&["ls", RECORDS])?.lines().count();
        let mut all = Vec::new();
        for number in 0..count {
            let file = |name: &str| machine.read(format!("{RECORDS}/{number}/{name}"));
            let environment: Vec<String> =
                file("environment")?.lines().map(str::to_owned).collect();
            let command = environment
                .iter()
                .find_map(|line| line.strip_prefix("CNI_COMMAND="));
            all.push(RecordedCall {
                command: command.unwrap_or_default().to_owned(),
                stdin: file("stdin")?,
                stdout: file("stdout")?,
                environment,
            });
        }
        Ok(all)
    }

    /// The `CNI_COMMAND` of each recorded call, in order.
    pub(super) fn commands(&self) -> Judged<Vec<String>> {
        Ok(self
            .recorded_calls()?
            .into_iter()
            .map(|seen| seen.command)
            .collect())
    }
}

impl RecordedCall {
    /// The output or the configuration of a recorded call, as JSON.
    pub(super) fn json(text: &str) -> Judged<Value> {
        Ok(serde_json::from_str(text).doing(format!("reading {text}"))?)
    }
}
