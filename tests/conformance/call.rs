//! One call of the plugin, as a runtime makes it unless told otherwise.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::Answer;
use super::spec::Spec;
use super::stage::{PLUGINS, Stage};
use super::verdict::{Judged, fail};
use crate::Machine;

/// Where programs that plugins start are.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a call may take, in seconds.
const LIMIT: &str = "60";

/// How `timeout` ends when it had to end the plugin.
const TIMED_OUT: i32 = 124;

/// One call of the plugin.
pub(super) struct Call<'s> {
    stage: &'s Stage<'s>,
    variables: BTreeMap<String, String>,
    config: Value,
    input: Input,
}

/// What is on standard input.
enum Input {
    /// The configuration.
    Config,
    /// Other bytes.
    Bytes(String),
    /// Something that cannot be read.
    Unreadable,
}

impl<'s> Call<'s> {
    /// A call that is about no container.
    pub(super) fn new(stage: &'s Stage<'s>, command: &str) -> Self {
        let variables = [
            ("CNI_COMMAND", command),
            ("CNI_PATH", PLUGINS),
            ("PATH", PATH),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            stage,
            variables: variables.into_iter().map(own).collect(),
            config: stage.subject.config.clone(),
            input: Input::Config,
        }
        .speaking(stage.version())
    }

    /// With an environment variable.
    pub(super) fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.variables.insert(variable.to_owned(), value.into());
        self
    }

    /// Without an environment variable.
    pub(super) fn without(mut self, variable: &str) -> Self {
        self.variables.remove(variable);
        self
    }

    /// With a key of the configuration.
    pub(super) fn key(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    /// With a configuration that is changed in some way.
    pub(super) fn edit(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.config);
        self
    }

    /// In another version of the spec, the prevResult that it has so far too.
    pub(super) fn speaking(mut self, version: Spec) -> Self {
        if self.config["prevResult"].is_object() {
            version.translate(&mut self.config["prevResult"]);
        }
        self.key("cniVersion", version.to_string())
    }

    /// After a plugin, or an ADD, with this result.
    pub(super) fn after(self, result: &Value) -> Self {
        self.key("prevResult", result.clone())
    }

    /// With other bytes on standard input.
    pub(super) fn stdin(mut self, bytes: impl Into<String>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// With something on standard input that cannot be read: a folder.
    pub(super) fn unreadable(mut self) -> Self {
        self.input = Input::Unreadable;
        self
    }

    /// The configuration as it is sent.
    pub(super) fn config(&self) -> &Value {
        &self.config
    }

    /// The variables as they are sent.
    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Makes the call, however it ends.
    pub(super) fn run(self) -> Judged<Answer> {
        let machine = &self.stage.machine;
        self.prepare().run(machine)
    }

    /// The call, to be made later.
    pub(super) fn prepare(self) -> Prepared {
        let mut words: Vec<String> = ["/usr/bin/timeout", LIMIT].map(str::to_owned).into();
        if matches!(self.input, Input::Unreadable) {
            words.extend(["/bin/sh", "-c", "exec \"$@\" < /", "sh"].map(str::to_owned));
        }
        words.push(self.stage.plugin());
        Prepared {
            sent: self.summary(),
            variables: self.variables,
            words,
            stdin: match self.input {
                Input::Config => self.config.to_string(),
                Input::Bytes(bytes) => bytes,
                Input::Unreadable => String::new(),
            },
        }
    }

    /// The call in words, for evidence.
    fn summary(&self) -> String {
        let variables = self.variables.iter().filter(|(name, _)| *name != "PATH");
        let mut text: Vec<String> = variables
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        text.push(match &self.input {
            Input::Config => self.config.to_string(),
            Input::Bytes(bytes) => format!("{bytes:?}"),
            Input::Unreadable => "a folder on standard input".to_owned(),
        });
        text.join(" ")
    }
}

/// A call that is ready to be made.
pub(super) struct Prepared {
    sent: String,
    /// All of its environment.
    variables: BTreeMap<String, String>,
    words: Vec<String>,
    stdin: String,
}

impl Prepared {
    /// Makes it on a machine, however it ends.
    pub(super) fn run(self, machine: &Machine) -> Judged<Answer> {
        let output = machine.run_knowing(&self.variables, &self.words, self.stdin.as_bytes())?;
        if output.status.code() == Some(TIMED_OUT) {
            return fail(format!("no end after {LIMIT} seconds\nsent: {}", self.sent));
        }
        Ok(Answer::new(self.sent, &output))
    }
}
