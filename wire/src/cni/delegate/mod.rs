//! Delegation: finding and running another plugin (SPEC.md, section 4, "Plugin Delegation").
//!
//! A plugin that is the very file of this process is called within it: a second process would be most
//! of what a call takes beside the kernel's work.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use nix::errno::Errno;
use serde_json::Value;

use crate::cni::program::call_verb;
use crate::cni::{Call, CniCommand, Error, Program, Success, code};
use crate::text;

mod running;

use running::Exit;
pub use running::RunningDelegate;

/// Counts the delegations that led to this process, so that plugins that delegate to each other in
/// a ring come to an end.
const DEPTH: &str = "FLATLAND_DELEGATION_DEPTH";

/// `flatland` runs an IPAM plugin. No delegation leads to `flatland` itself.
const PLUGIN_DEPTH: u32 = 1;

/// `flatland-ipam` runs `flatland-claim`.
const HELPER_DEPTH: u32 = 2;

/// The program of this process, even if its file was renamed or removed since the start.
const OWN_PROGRAM: &str = "/proc/self/exe";

const RING_ADVICE: &str = "name an IPAM plugin as ipam.type in the conflist, such as flatland-ipam";

/// How a request to a helper program ended.
#[derive(Debug)]
#[must_use]
pub enum HelperOutcome {
    /// The helper did what was requested.
    Done,
    /// The helper ran, and this is the error that it returned.
    Refused(Error),
    /// The helper could not be run, was killed, or printed something unreadable.
    NoAnswer(Error),
}

impl HelperOutcome {
    /// The error, whichever it is.
    pub fn into_result(self) -> Result<(), Error> {
        match self {
            Self::Done => Ok(()),
            Self::Refused(error) | Self::NoAnswer(error) => Err(error),
        }
    }
}

impl From<Result<(), Error>> for HelperOutcome {
    fn from(answer: Result<(), Error>) -> Self {
        answer.map_or_else(Self::Refused, |()| Self::Done)
    }
}

/// A plugin that this program is as well, if it is run under that name.
#[derive(Debug, Clone, Copy)]
pub struct LinkedPlugin {
    /// The name.
    pub name: &'static str,
    /// The plugin.
    pub program: &'static dyn Program,
}

/// A plugin in `CNI_PATH`, or a helper program of the calling plugin.
#[derive(Debug)]
pub struct Delegate {
    name: String,
    kind: DelegateKind,
}

#[derive(Debug)]
enum DelegateKind {
    /// Another file.
    Other(PathBuf),
    /// The file of this process.
    Linked(&'static dyn Program),
}

impl Delegate {
    /// Searches the folders of `CNI_PATH`, in order, for an executable called `plugin`. Code 7 if
    /// the name contains a `/`, nothing is found (the message lists the folders), the file is this
    /// program itself under another name than that of `linked`, or this process was itself run as an
    /// IPAM plugin; code 4 without `CNI_PATH`.
    pub fn find(call: &Call, plugin: &str, linked: LinkedPlugin) -> Result<Self, Error> {
        if plugin.is_empty() || plugin.contains('/') || plugin == "." || plugin == ".." {
            let msg = format!("plugin type {plugin:?} is not the name of a file");
            return Err(Error::new(code::INVALID_CONFIG, msg));
        }
        next_depth(env::var_os(DEPTH).as_deref(), PLUGIN_DEPTH)?;
        let folders = &call.environment.path;
        if folders.is_empty() {
            let msg = format!("CNI_PATH is missing: cannot search for plugin {plugin}");
            let error = Error::new(code::INVALID_ENVIRONMENT, msg);
            return Err(error.advise(
                "the runtime has to set it to the folders that hold plugins; by hand: \
                 CNI_PATH=/opt/cni/bin",
            ));
        }
        let Some((path, is_own)) = first_in(folders, plugin) else {
            let list = list(folders);
            let msg = format!("plugin {plugin} is not in CNI_PATH ({list})");
            return Err(not_found(msg, plugin, folders));
        };
        if is_own && plugin == linked.name {
            return Ok(Self {
                name: plugin.to_owned(),
                kind: DelegateKind::Linked(linked.program),
            });
        }
        Self::other(path, is_own, plugin)
    }

    /// Whether this process was itself run as an IPAM plugin by `flatland`.
    pub fn is_one() -> bool {
        env::var_os(DEPTH).is_some_and(|depth| depth != "0")
    }

    /// Searches for a helper program: in the folder of this executable, where both have the same
    /// version, then in `CNI_PATH`. Code 7 if it is in none of them.
    pub fn find_helper(call: &Call, program: &str) -> Result<Self, Error> {
        // Correct even if the file was replaced since: that changes only the file name.
        let own = env::current_exe().ok();
        let own = own.as_deref().and_then(Path::parent).map(Path::to_owned);
        let more = call.environment.path.iter();
        let more = more.filter(|folder| own.as_ref() != Some(*folder)).cloned();
        let folders: Vec<_> = own.clone().into_iter().chain(more).collect();
        let Some((path, is_own)) = first_in(&folders, program) else {
            let msg = format!("program {program} is in none of {}", list(&folders));
            return Err(not_found(msg, program, &folders));
        };
        Self::other(path, is_own, program)
    }

    /// A program that must not be this one, under whatever name.
    fn other(path: PathBuf, is_own: bool, name: &str) -> Result<Self, Error> {
        if is_own {
            let msg = format!(
                "plugin {name} ({}) is the very program that runs it",
                path.display()
            );
            return Err(Error::new(code::INVALID_CONFIG, msg).advise(RING_ADVICE));
        }
        Ok(Self {
            name: name.to_owned(),
            kind: DelegateKind::Other(path),
        })
    }

    /// Starts it with our environment, `CNI_COMMAND` set to `command`, and our configuration on its
    /// standard input. It shares our standard error. One that is this very file has ended on return.
    pub fn start<'a>(
        &'a self,
        call: &'a Call,
        command: CniCommand,
    ) -> Result<RunningDelegate<'a>, Error> {
        self.start_with(call, command, &[])
    }

    fn start_with<'a>(
        &'a self,
        call: &'a Call,
        command: CniCommand,
        arguments: &[String],
    ) -> Result<RunningDelegate<'a>, Error> {
        let path = match &self.kind {
            DelegateKind::Other(path) => path,
            DelegateKind::Linked(program) => {
                let outcome = call_verb(*program, &call.with_command(command));
                return Ok(RunningDelegate::ended(&self.name, outcome));
            }
        };
        let depth = next_depth(env::var_os(DEPTH).as_deref(), HELPER_DEPTH)?;
        let child = process::Command::new(path)
            .args(arguments)
            .env("CNI_COMMAND", command.as_str())
            .env(DEPTH, depth.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| not_started(path, &error))?;
        Ok(RunningDelegate::new(&self.name, child, &call.stdin))
    }

    /// Runs it, and returns what it printed.
    fn run(&self, call: &Call, command: CniCommand) -> Result<Vec<u8>, Error> {
        self.start(call, command)?.printed()
    }

    /// Runs a helper program with arguments, our environment and our configuration.
    pub fn run_helper(&self, call: &Call, arguments: &[String]) -> HelperOutcome {
        match self
            .start_with(call, call.environment.command, arguments)
            .and_then(RunningDelegate::wait)
        {
            Ok(Exit::Printed(_) | Exit::Linked(_)) => HelperOutcome::Done,
            Ok(Exit::Failure(error)) => HelperOutcome::Refused(error),
            Err(error) => HelperOutcome::NoAnswer(error),
        }
    }

    /// ADD, with the result parsed.
    pub fn add(&self, call: &Call) -> Result<Success, Error> {
        self.start(call, CniCommand::Add)?.result(call.version)
    }

    /// DEL.
    pub fn del(&self, call: &Call) -> Result<(), Error> {
        self.run(call, CniCommand::Del).map(drop)
    }

    /// CHECK.
    pub fn check(&self, call: &Call) -> Result<(), Error> {
        self.run(call, CniCommand::Check).map(drop)
    }

    /// STATUS. A plugin without STATUS counts as ready, unless it does not support the version
    /// either: then its ADD would fail (code 50).
    pub fn status(&self, call: &Call) -> Result<(), Error> {
        match self.run(call, CniCommand::Status) {
            Err(error) if is_unknown_verb(&error) => self.check_version(call),
            outcome => outcome.map(drop),
        }
    }

    /// GC. It is no error if the plugin has no GC.
    pub fn gc(&self, call: &Call) -> Result<(), Error> {
        match self.run(call, CniCommand::Gc) {
            Err(error) if is_unknown_verb(&error) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Code 50 unless the plugin supports the version of the call.
    fn check_version(&self, call: &Call) -> Result<(), Error> {
        let printed = self.run(call, CniCommand::Version)?;
        let reply: Value = serde_json::from_slice(&printed).unwrap_or_default();
        let versions = &reply["supportedVersions"];
        let version = call.version.as_str();
        let supported = versions.as_array().into_iter().flatten();
        if supported.into_iter().any(|supported| supported == version) {
            return Ok(());
        }
        let msg = format!(
            "plugin {} does not speak CNI {version}, only {versions}",
            self.name
        );
        Err(Error::new(code::UNAVAILABLE, msg)
            .advise("take it out of cniVersions in the conflist, or install a newer plugin"))
    }
}

/// Whether the plugin is older than the verb. The spec's own library then reports an invalid
/// environment or, if it checks the container id first, an unknown container.
fn is_unknown_verb(error: &Error) -> bool {
    matches!(
        error.code,
        code::INCOMPATIBLE_VERSION | code::UNKNOWN_CONTAINER | code::INVALID_ENVIRONMENT
    )
}

fn not_started(path: &Path, error: &io::Error) -> Error {
    let msg = format!("cannot run {}: {error}", path.display());
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ETXTBSY) => Error::new(code::TRY_AGAIN, msg)
            .advise("it is being written: install plugins by renaming them into place"),
        Some(Errno::ENOENT) => Error::new(code::IO, msg)
            .advise("the file is there: its interpreter or dynamic loader is not"),
        Some(Errno::ENOEXEC) => {
            Error::new(code::IO, msg).advise("install the plugin for this machine's architecture")
        }
        Some(Errno::EACCES) => Error::new(code::IO, msg)
            .advise("check its permissions, and that its file system is not mounted noexec"),
        _ => Error::new(code::IO, msg),
    }
}

/// The first executable with that name, and whether it is the file of this process.
fn first_in(folders: &[PathBuf], name: &str) -> Option<(PathBuf, bool)> {
    let candidates = folders.iter().map(|folder| folder.join(name));
    let mut found = candidates.filter_map(|path| {
        let file = path.metadata().ok()?;
        is_executable(&file).then_some((path, file))
    });
    let (path, file) = found.next()?;
    let own = fs::metadata(OWN_PROGRAM);
    let is_own = own.is_ok_and(|own| (own.dev(), own.ino()) == (file.dev(), file.ino()));
    Some((path, is_own))
}

fn is_executable(file: &Metadata) -> bool {
    file.is_file() && file.permissions().mode() & 0o111 != 0
}

/// The depth of a plugin that is run by a process of depth `own`, at most `max`; else code 7. A value
/// that is not a number counts as too deep: the plugin could be in a ring.
fn next_depth(own: Option<&OsStr>, max: u32) -> Result<u32, Error> {
    let own = own.map_or(Some(0), |text| text.to_str()?.parse::<u32>().ok());
    own.filter(|own| *own < max)
        .map(|own| own + 1)
        .ok_or_else(|| {
            let msg = format!("plugins run each other in a ring: {DEPTH} would be more than {max}");
            Error::new(code::INVALID_CONFIG, msg).advise(RING_ADVICE)
        })
}

fn list(folders: &[PathBuf]) -> String {
    text::list(folders.iter().map(|folder| folder.display()))
}

fn not_found(msg: String, name: &str, folders: &[PathBuf]) -> Error {
    let unusable = folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.exists());
    let advice = match unusable {
        Some(path) => format!("{} is not an executable file", path.display()),
        None => "install it in one of these folders".to_owned(),
    };
    Error::new(code::INVALID_CONFIG, msg).advise(advice)
}

#[cfg(test)]
mod tests;
