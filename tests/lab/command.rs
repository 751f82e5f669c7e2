//! Running commands inside a lab, and finding the programs under test.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::{env, fs, thread};

use crate::error::Doing;
use crate::namespaces::own_path;
use crate::{Error, Result};

/// The output and the exit status of a command.
#[derive(Debug, Clone)]
pub struct CommandOutput {
    /// The command, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl CommandOutput {
    /// Returns standard output; an error if the command failed.
    pub fn success(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(Error::new(format!(
            "{}: {}\n{}{}",
            self.command, self.status, self.stdout, self.stderr
        )))
    }
}

/// A command that runs in the namespaces of process `target`, and in the network namespace at
/// `netns` (a path there) if given.
pub(crate) fn enter<I, S>(target: u32, netns: Option<&Path>, command: I) -> Result<Command>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut enter = Command::new(own_path()?);
    enter.args(["enter", "--target", &target.to_string()]);
    if let Some(netns) = netns {
        enter.arg("--netns").arg(netns);
    }
    enter.arg("--").args(command);
    Ok(enter)
}

/// Runs a command to its end with `stdin` as its input.
pub(crate) fn run(mut command: Command, stdin: &[u8]) -> Result<CommandOutput> {
    let name = readable(&command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing(&name)?;
    let pipe = child.stdin.take();
    let output = thread::scope(|scope| {
        // A program may end without reading all of its input.
        scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(stdin)));
        child.wait_with_output()
    })
    .doing(&name)?;
    Ok(CommandOutput {
        command: name,
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The command that runs inside, without the `lab enter` before it.
fn readable(command: &Command) -> String {
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let inside = words
        .iter()
        .position(|word| word == "--")
        .map_or(0, |index| index + 1);
    words[inside..].join(" ")
}

/// A program that was built with the tests: in `FLATLAND_BIN_DIR`, or in cargo's output folder of
/// the running executable.
pub fn program_under_test(name: &str) -> Result<PathBuf> {
    let folder = match env::var_os("FLATLAND_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => beside_own()?,
    };
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::new(format!(
        "{} is not there: run `cargo build --workspace` for the same target first, as `make test` \
         does, or set FLATLAND_BIN_DIR",
        path.display()
    )))
}

/// `target/<triple>/<profile>`. Test executables are one folder further down.
fn beside_own() -> Result<PathBuf> {
    let own = env::current_exe().doing("finding the running executable")?;
    let mut folder = own.parent().unwrap_or(Path::new("/"));
    if folder.file_name() == Some("deps".as_ref()) {
        folder = folder.parent().unwrap_or(folder);
    }
    Ok(folder.to_owned())
}

/// A program of etcd: beside the one that `FLATLAND_ETCD` names, in the folder where `make setup`
/// unpacks etcd, or in PATH.
pub(crate) fn etcd_program(name: &str) -> Result<PathBuf> {
    let named = env::var_os("FLATLAND_ETCD").map(PathBuf::from);
    let named = named.as_deref().and_then(Path::parent).map(Path::to_owned);
    let unpacked = unpacked("usr/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = named
        .into_iter()
        .chain([unpacked])
        .chain(env::split_paths(&path));
    let mut programs = folders.map(|folder| folder.join(name));
    programs
        .find(|path| path.is_file())
        .ok_or_else(|| Error::new(format!("no {name} on this machine: run `make setup`")))
}

/// Where `make setup` unpacks third-party programs.
pub fn unpacked(folder: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    tools.join(folder)
}

/// Copies a program atomically.
pub(crate) fn install(program: &Path, to: &Path) -> Result {
    let draft = to.with_extension("new");
    fs::copy(program, &draft).doing(format!("copying {}", program.display()))?;
    fs::rename(&draft, to).doing(to.display())
}
