//! Calling another plugin (SPEC.md, section 4, "Plugin Delegation").

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdin, Output, Stdio};
use std::thread;

use nix::errno::Errno;
use serde_json::Value;

use super::{Call, Command, Error, Success, Version, code};

/// What a new pipe takes without a reader, whatever the user's pipe limits are: one page.
const PIPE_ROOM: usize = 4096;

/// How much of a plugin's unreadable output an error quotes, in characters.
const QUOTED: usize = 200;

/// A plugin found in `CNI_PATH`.
#[derive(Debug)]
pub struct Delegate {
    path: PathBuf,
    name: String,
    /// It belongs to the plugin that runs it.
    is_part: bool,
}

/// A plugin that runs. It has to be waited for: [`Running::finish`].
#[derive(Debug)]
#[must_use]
pub struct Running<'a> {
    plugin: &'a Delegate,
    child: Child,
    input: Input<'a>,
}

/// What a running plugin is to read.
#[derive(Debug)]
enum Input<'a> {
    /// It is in the pipe, or could not be put there.
    Written(io::Result<()>),
    /// More than a pipe takes without a reader.
    Waiting(Option<ChildStdin>, &'a [u8]),
}

impl Delegate {
    /// Looks for an executable called `plugin` in the folders of `CNI_PATH`, in order. Code 7 if
    /// the name holds a `/`, or nothing is found: the message lists the folders. Code 4 if there
    /// is no `CNI_PATH`.
    pub fn find(call: &Call, plugin: &str) -> Result<Self, Error> {
        if plugin.is_empty() || plugin.contains('/') || plugin == "." || plugin == ".." {
            let msg = format!("plugin type {plugin:?} is not the name of a file");
            return Err(Error::new(code::INVALID_CONFIG, msg));
        }
        let folders = &call.environment.path;
        if folders.is_empty() {
            let msg = format!("CNI_PATH is missing: plugin {plugin} cannot be looked for");
            let error = Error::new(code::INVALID_ENVIRONMENT, msg);
            return Err(error.advise(
                "the runtime has to set it to the folders that hold plugins; by hand: \
                 CNI_PATH=/opt/cni/bin",
            ));
        }
        let mut candidates = folders.iter().map(|folder| folder.join(plugin));
        match candidates.find(|path| is_executable(path)) {
            Some(path) => Ok(Self {
                path,
                name: plugin.to_owned(),
                is_part: false,
            }),
            None => Err(not_found(plugin, folders)),
        }
    }

    /// As [`Delegate::find`], a program that belongs to the plugin which runs it: errors that it
    /// reports are passed on as if they were that plugin's own.
    pub fn part(call: &Call, program: &str) -> Result<Self, Error> {
        let found = Self::find(call, program)?;
        Ok(Self {
            is_part: true,
            ..found
        })
    }

    /// Starts it with the caller's environment, `CNI_COMMAND` set to `command`, and the caller's own
    /// configuration on its standard input. What it writes to standard error goes to ours.
    pub fn start<'a>(&'a self, call: &'a Call, command: Command) -> Result<Running<'a>, Error> {
        self.start_with(call, command, &[])
    }

    /// As [`Delegate::start`], with arguments.
    pub fn start_with<'a>(
        &'a self,
        call: &'a Call,
        command: Command,
        arguments: &[String],
    ) -> Result<Running<'a>, Error> {
        let mut child = process::Command::new(&self.path)
            .args(arguments)
            .env("CNI_COMMAND", command.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let pipe = child.stdin.take();
        let input = if call.stdin.len() <= PIPE_ROOM {
            Input::Written(write(pipe, &call.stdin))
        } else {
            Input::Waiting(pipe, &call.stdin)
        };
        Ok(Running {
            plugin: self,
            child,
            input,
        })
    }

    /// Runs it to its end: [`Delegate::start`] and [`Running::finish`].
    pub fn run(&self, call: &Call, command: Command) -> Result<Vec<u8>, Error> {
        self.start(call, command)?.finish()
    }

    /// ADD, with the result parsed.
    pub fn add(&self, call: &Call) -> Result<Success, Error> {
        self.start(call, Command::Add)?.result(call.version)
    }

    /// DEL.
    pub fn del(&self, call: &Call) -> Result<(), Error> {
        self.run(call, Command::Del).map(drop)
    }

    /// CHECK.
    pub fn check(&self, call: &Call) -> Result<(), Error> {
        self.run(call, Command::Check).map(drop)
    }

    /// STATUS. A plugin that does not know it has nothing to complain about, unless it does not
    /// speak the version either: then its ADD would fail (code 50).
    pub fn status(&self, call: &Call) -> Result<(), Error> {
        match self.run(call, Command::Status) {
            Err(error) if is_unknown_verb(&error) => self.speaks(call),
            outcome => outcome.map(drop),
        }
    }

    /// GC. A plugin that does not know it keeps what it has.
    pub fn gc(&self, call: &Call) -> Result<(), Error> {
        match self.run(call, Command::Gc) {
            Err(error) if is_unknown_verb(&error) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Code 50 unless the plugin speaks the version of the call.
    fn speaks(&self, call: &Call) -> Result<(), Error> {
        let printed = self.run(call, Command::Version)?;
        let answer: Value = serde_json::from_slice(&printed).unwrap_or_default();
        let versions = &answer["supportedVersions"];
        let version = call.version.as_str();
        let spoken = versions.as_array().into_iter().flatten();
        if spoken.into_iter().any(|spoken| spoken == version) {
            return Ok(());
        }
        let msg = format!(
            "plugin {} does not speak CNI {version}, only {versions}",
            self.name
        );
        Err(Error::new(code::UNAVAILABLE, msg)
            .advise("take it out of cniVersions in the conflist, or install a newer plugin"))
    }

    fn not_started(&self, error: &io::Error) -> Error {
        let msg = format!("cannot run {}: {error}", self.path.display());
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ETXTBSY) => Error::new(code::TRY_AGAIN, msg)
                .advise("it is being written: install plugins by renaming them into place"),
            Some(Errno::ENOENT) => Error::new(code::IO, msg)
                .advise("the file is there: its interpreter or dynamic loader is not"),
            Some(Errno::ENOEXEC) => Error::new(code::IO, msg)
                .advise("install the plugin for this machine's architecture"),
            Some(Errno::EACCES) => Error::new(code::IO, msg)
                .advise("check its permissions, and that its file system is not mounted noexec"),
            _ => Error::new(code::IO, msg),
        }
    }

    fn failure(&self, output: &Output) -> Error {
        if let Some(signal) = output.status.signal() {
            let msg = format!("{} was killed by signal {signal}", self.name);
            return Error::new(code::IO, msg);
        }
        match serde_json::from_slice::<Error>(&output.stdout) {
            Ok(error) if self.is_part => return error,
            Ok(error) => return error.within(&self.name),
            Err(_) => {}
        }
        let status = output.status.code().unwrap_or_default();
        let printed = quote(&output.stdout);
        let msg = format!(
            "{} failed with exit status {status} and no error: {printed}",
            self.name
        );
        Error::new(code::DECODING, msg)
    }
}

/// How plugins answer a verb that is newer than they are: the spec's own library with an invalid
/// environment or, when it looks for a container id first, with an unknown container.
fn is_unknown_verb(error: &Error) -> bool {
    matches!(
        error.code,
        code::INCOMPATIBLE_VERSION | code::UNKNOWN_CONTAINER | code::INVALID_ENVIRONMENT
    )
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn not_found(plugin: &str, folders: &[PathBuf]) -> Error {
    let list: Vec<_> = folders
        .iter()
        .map(|folder| folder.to_string_lossy())
        .collect();
    let msg = format!("plugin {plugin} is not in CNI_PATH ({})", list.join(", "));
    let unusable = folders
        .iter()
        .map(|folder| folder.join(plugin))
        .find(|path| path.exists());
    let advice = match unusable {
        Some(path) => format!("{} is not an executable file", path.display()),
        None => "install it in one of these folders".to_owned(),
    };
    Error::new(code::INVALID_CONFIG, msg).advise(advice)
}

impl Running<'_> {
    /// Waits for its end. Its error is passed on with the plugin's name in the message; death by
    /// signal, and output that is not JSON, are code 5 and 6. Returns what it printed.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        let plugin = self.plugin;
        let output = converse(self.child, self.input).map_err(|error| {
            let msg = format!("{}: lost contact: {error}", plugin.name);
            Error::new(code::IO, msg)
        })?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(plugin.failure(&output))
        }
    }

    /// Waits for its end and parses the result of ADD, which is of `version`.
    pub fn result(self, version: Version) -> Result<Success, Error> {
        let plugin = self.plugin;
        let printed = self.finish()?;
        let json = serde_json::from_slice(&printed).map_err(|_| {
            let msg = format!(
                "{} did not print a result: {}",
                plugin.name,
                quote(&printed)
            );
            Error::new(code::DECODING, msg)
        })?;
        Success::parse(&json, version).map_err(|error| error.within(&plugin.name))
    }
}

/// Reads all that the child prints, and waits for its end. A child that prints before it reads
/// would block us both where the pipe could not take all of its input at once, so then a thread
/// writes.
fn converse(child: Child, input: Input<'_>) -> io::Result<Output> {
    let (pipe, stdin) = match input {
        Input::Written(written) => {
            // Errors are looked at after the wait: no child is left unreaped.
            let output = child.wait_with_output()?;
            return written.map(|()| output);
        }
        Input::Waiting(pipe, stdin) => (pipe, stdin),
    };
    thread::scope(|scope| {
        let writer = thread::Builder::new().spawn_scoped(scope, || write(pipe, stdin))?;
        let output = child.wait_with_output()?;
        let written = writer
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.map(|()| output)
    })
}

/// A child that does not care to read is none of our business.
fn write(pipe: Option<ChildStdin>, stdin: &[u8]) -> io::Result<()> {
    match pipe.map(|mut pipe| pipe.write_all(stdin)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// The start of what a plugin printed, fit for one line of a message.
fn quote(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    if text.trim().is_empty() {
        return "it printed nothing".to_owned();
    }
    let start: String = text.chars().take(QUOTED).collect();
    let rest = if start.len() < text.len() { "..." } else { "" };
    format!("it printed {start:?}{rest}")
}

#[cfg(test)]
mod tests;
