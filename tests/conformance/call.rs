//! One call of the plugin, by default as a container runtime makes it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::Answer;
use super::spec::Spec;
use super::testbed::{PLUGINS, Testbed};
use super::verdict::{Judged, fail};
use crate::Machine;

/// The PATH in which plugins find the programs that they run.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The time limit of a call, in seconds.
const CALL_TIMEOUT: &str = "60";

/// The exit status of `timeout` when it had to end the plugin.
const TIMED_OUT: i32 = 124;

/// One call of the plugin.
pub(super) struct PluginCall<'s> {
    testbed: &'s Testbed<'s>,
    variables: BTreeMap<String, String>,
    config: Value,
    input: StandardInput,
}

/// What the plugin reads from standard input.
enum StandardInput {
    /// The configuration.
    Config,
    /// Other bytes.
    Bytes(String),
    /// A folder, which cannot be read.
    Unreadable,
}

impl<'s> PluginCall<'s> {
    /// A call that concerns no container.
    pub(super) fn new(testbed: &'s Testbed<'s>, command: &str) -> Self {
        let variables = [
            ("CNI_COMMAND", command),
            ("CNI_PATH", PLUGINS),
            ("PATH", PATH),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            testbed,
            variables: variables.into_iter().map(own).collect(),
            config: testbed.subject.config.clone(),
            input: StandardInput::Config,
        }
        .with_version(testbed.version())
    }

    /// Sets an environment variable.
    pub(super) fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.variables.insert(variable.to_owned(), value.into());
        self
    }

    /// Removes an environment variable.
    pub(super) fn without(mut self, variable: &str) -> Self {
        self.variables.remove(variable);
        self
    }

    /// Sets a key of the configuration.
    pub(super) fn key(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    /// Changes the configuration.
    pub(super) fn edit(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.config);
        self
    }

    /// Uses another version of the spec, also for the prevResult that is set already.
    pub(super) fn with_version(mut self, version: Spec) -> Self {
        if self.config["prevResult"].is_object() {
            version.translate(&mut self.config["prevResult"]);
        }
        self.key("cniVersion", version.to_string())
    }

    /// Sets prevResult.
    pub(super) fn after(self, result: &Value) -> Self {
        self.key("prevResult", result.clone())
    }

    /// Sends other bytes on standard input.
    pub(super) fn stdin(mut self, bytes: impl Into<String>) -> Self {
        self.input = StandardInput::Bytes(bytes.into());
        self
    }

    /// Makes reading from standard input fail: it is a folder.
    pub(super) fn unreadable(mut self) -> Self {
        self.input = StandardInput::Unreadable;
        self
    }

    /// The configuration that is sent.
    pub(super) fn config(&self) -> &Value {
        &self.config
    }

    /// The environment variables that are set.
    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Makes the call. A failed call is no error.
    pub(super) fn run(self) -> Judged<Answer> {
        let machine = &self.testbed.machine;
        self.prepare().run(machine)
    }

    /// The call, to be made later.
    pub(super) fn prepare(self) -> PreparedCall {
        let mut words: Vec<String> = ["/usr/bin/timeout", CALL_TIMEOUT].map(str::to_owned).into();
        if matches!(self.input, StandardInput::Unreadable) {
            words.extend(["/bin/sh", "-c", "exec \"$@\" < /", "sh"].map(str::to_owned));
        }
        words.push(self.testbed.plugin());
        PreparedCall {
            sent: self.summary(),
            variables: self.variables,
            words,
            stdin: match self.input {
                StandardInput::Config => self.config.to_string(),
                StandardInput::Bytes(bytes) => bytes,
                StandardInput::Unreadable => String::new(),
            },
        }
    }

    /// The call as text, for failure messages.
    fn summary(&self) -> String {
        let variables = self.variables.iter().filter(|(name, _)| *name != "PATH");
        let mut text: Vec<String> = variables
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        text.push(match &self.input {
            StandardInput::Config => self.config.to_string(),
            StandardInput::Bytes(bytes) => format!("{bytes:?}"),
            StandardInput::Unreadable => "a folder on standard input".to_owned(),
        });
        text.join(" ")
    }
}

/// A call that is ready to be made.
pub(super) struct PreparedCall {
    sent: String,
    /// The whole environment.
    variables: BTreeMap<String, String>,
    words: Vec<String>,
    stdin: String,
}

impl PreparedCall {
    /// Makes the call on a machine. A failed call is no error.
    pub(super) fn run(self, machine: &Machine) -> Judged<Answer> {
        let output = machine.run_with_env(&self.variables, &self.words, self.stdin.as_bytes())?;
        if output.status.code() == Some(TIMED_OUT) {
            return fail(format!(
                "no end after {CALL_TIMEOUT} seconds\nsent: {}",
                self.sent
            ));
        }
        Ok(Answer::new(self.sent, &output))
    }
}
