//! The command line of `routed`: a file or folder for each command, and what the commands share.

pub(crate) mod addresses;
pub(crate) mod command;
pub(crate) mod doctor;
pub(crate) mod explain;
mod footprint;
pub(crate) mod forget;
mod help;
pub(crate) mod install;
pub(crate) mod nodes;
#[cfg(test)]
mod reference;
pub(crate) mod routes;
mod run;
pub(crate) mod status;
pub(crate) mod subnets;
mod table;
mod terminal;
pub(crate) mod uninstall;

use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use daemonkit::http::client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{self, Runtime};
use wire::cni;
use wire::conf::Conflist;
use wire::netlink;

use self::terminal::{Terminal, Tone};
use crate::config::read_conflist;
use crate::doctor::Severity;
use crate::error::USAGE;
use crate::identity::ROUTED;

/// Where container runtimes look for conflists, and where `routed run` installs ours.
const CONFLIST_FOLDER: &str = "/etc/cni/net.d";

/// Exit status `EX_UNAVAILABLE` (sysexits.h): the daemon does not run.
const NOT_RUNNING: u8 = 69;

/// Exit status `EX_TEMPFAIL` (sysexits.h): the node is in use; take it out of use and try again.
const IN_USE: u8 = 75;

/// Which network a command is about.
#[derive(Debug, Args)]
pub(crate) struct NetworkArgs {
    /// The conflist that configures the network.
    ///
    /// By default the one that is installed in /etc/cni/net.d.
    #[arg(long, value_name = "FILE")]
    conflist: Option<PathBuf>,
}

/// How a command prints what it found.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For machines: one JSON object.
    Json,
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// The exit status.
    pub(crate) status: u8,
    /// What failed, and what to do about it; empty if the daemon's log says it.
    pub(crate) text: String,
}

/// What a command prints (nothing if empty), and its exit status.
#[derive(Debug)]
pub(crate) struct CliOutput {
    pub(crate) text: String,
    pub(crate) status: u8,
}

impl From<String> for CliOutput {
    fn from(text: String) -> Self {
        Self { text, status: 0 }
    }
}

impl CommandError {
    fn new(status: u8, text: String) -> Self {
        Self { status, text }
    }

    /// The command line or the conflist has to be changed.
    fn usage(text: String) -> Self {
        Self::new(USAGE, text)
    }
}

impl From<cni::Error> for CommandError {
    fn from(error: cni::Error) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<registry::Error> for CommandError {
    fn from(error: registry::Error) -> Self {
        Self::new(1, error.to_string())
    }
}

impl From<client::Error> for CommandError {
    fn from(error: client::Error) -> Self {
        Self::new(1, error.to_string())
    }
}

impl From<netlink::Error> for CommandError {
    fn from(error: netlink::Error) -> Self {
        Self::new(1, error.to_string())
    }
}

impl From<ipam::Error> for CommandError {
    fn from(error: ipam::Error) -> Self {
        Self::new(1, error.to_string())
    }
}

impl NetworkArgs {
    /// Whether `--conflist` was given.
    fn is_named(&self) -> bool {
        self.conflist.is_some()
    }

    /// Reads the conflist that was given, or the installed one.
    fn read(&self) -> Result<Conflist, CommandError> {
        self.find().map(|(_, conflist)| conflist)
    }

    /// As [`NetworkArgs::read`], with the path of the file.
    fn find(&self) -> Result<(PathBuf, Conflist), CommandError> {
        match &self.conflist {
            Some(path) => Ok((path.clone(), read_conflist(path)?)),
            None => find_conflist(Path::new(CONFLIST_FOLDER)),
        }
    }
}

impl OutputArgs {
    /// What is printed: the value as JSON, or what `table` makes for the terminal.
    fn text(
        &self,
        value: &impl Serialize,
        table: impl FnOnce(Terminal) -> String,
    ) -> Result<String, CommandError> {
        match self.output {
            Format::Table => Ok(table(Terminal::of_stdout())),
            Format::Json => serde_json::to_string_pretty(value).map_err(|error| {
                CommandError::new(1, format!("cannot be written as JSON: {error}"))
            }),
        }
    }
}

/// The only conflist of Flatland in `folder`, with its path.
fn find_conflist(folder: &Path) -> Result<(PathBuf, Conflist), CommandError> {
    let entries = fs::read_dir(folder).map_err(|error| {
        let folder = folder.display();
        CommandError::usage(format!("cannot list {folder}: {error}; name a --conflist"))
    })?;
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|it| it == "conflist"))
        .filter_map(|path| Some((Conflist::read(&path).ok()?, path)))
        .collect();
    let folder = folder.display();
    match (found.pop(), found.pop()) {
        (Some((conflist, path)), None) => Ok((path, conflist)),
        (None, _) => Err(CommandError::usage(format!(
            "no conflist of Flatland in {folder}; name one with --conflist"
        ))),
        (Some((_, one)), Some((_, other))) => Err(CommandError::usage(format!(
            "{} and {} are both conflists of Flatland; name one with --conflist",
            one.display(),
            other.display()
        ))),
    }
}

/// Reads a page of the daemon of this node, such as `/status`.
fn query_daemon<T: DeserializeOwned>(page: &str) -> Result<T, client::Error> {
    let runtime = runtime().map_err(|error| client::Error::failed(ROUTED, error))?;
    runtime.block_on(client::get(ROUTED, page))
}

/// Asks the daemon of this node whether it can serve pods.
fn query_readiness() -> Result<(), client::Error> {
    let runtime = runtime().map_err(|error| client::Error::failed(ROUTED, error))?;
    runtime.block_on(client::readiness(ROUTED))
}

/// The word for a severity, in its colour, padded to the longest one.
fn severity_word(severity: Severity, terminal: Terminal) -> String {
    let (word, tone) = match severity {
        Severity::Ok => ("ok", Tone::Good),
        Severity::Warning => ("warning", Tone::Doubtful),
        Severity::Broken => ("broken", Tone::Bad),
        Severity::Unknown => ("unknown", Tone::Doubtful),
    };
    terminal.paint(&format!("{word:<7}"), tone)
}

/// Runs a task that waits for the registry.
fn block_on<T>(task: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = runtime()
        .map_err(|error| CommandError::new(1, format!("cannot wait for events: {error}")))?;
    runtime.block_on(task)
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests;
