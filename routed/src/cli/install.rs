//! `routed install`: copies the plugins to where the container runtime looks for them, and turns
//! forwarding on. The `DaemonSet` runs it as an init container.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use daemonkit::termination;
use serde::Serialize;
use wire::conf::{Conflist, EtcdConfig};
use wire::{atomic_file, state_file};

use super::{CommandError, OutputArgs, footprint};
use crate::host::{forwarding, runtime_needs};
use crate::kernel::Netlink;

/// Mode of the plugins: every user may run them.
const PROGRAM_MODE: u32 = 0o755;

/// The largest file that is installed, in bytes: more than a program with its debug information.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// Mode of the files for etcd: only root may read a key.
const SECRET_MODE: u32 = 0o600;

/// Where the files for etcd come from.
const SECRET_ADVICE: &str = ". On Kubernetes it is in the Secret flatland-etcd of the namespace \
                             flatland: conf/kubernetes/etcd/certificates.sh --apply makes it";

/// The flags of `routed install`.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The conflist that configures the network.
    ///
    /// It is checked first, and not installed: `routed run` does that once the node's network works.
    #[arg(long, value_name = "FILE")]
    conflist: PathBuf,

    /// The folder to copy the plugins from; by default that of this program.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,

    /// Where the container runtime looks for plugins.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/cni/bin")]
    cni_bin: PathBuf,

    /// The folder with the files for etcd that the conflist names (caFile, certFile, keyFile).
    ///
    /// Such as the mount point of a Secret. They are copied below --host.
    #[arg(long, value_name = "FOLDER", requires = "host")]
    etcd_files: Option<PathBuf>,

    /// The folder where the host's root is mounted, for --etcd-files.
    ///
    /// /etc/flatland/ca.crt goes to FOLDER/etc/flatland/ca.crt.
    #[arg(long, value_name = "FOLDER", requires = "etcd_files")]
    host: Option<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed, as text or as JSON.
#[derive(Debug, Serialize)]
struct InstallOutput {
    files: Vec<InstalledFile>,
    /// Kernel settings that were changed.
    settings: Vec<String>,
    /// Programs of others that the container runtime needs and that are missing, as sentences.
    missing: Vec<String>,
}

#[derive(Debug, Serialize)]
struct InstalledFile {
    path: PathBuf,
    /// Whether its content or mode changed.
    changed: bool,
}

impl fmt::Display for InstallOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.iter().map(|file| {
            let state = if file.changed {
                "installed"
            } else {
                "is up to date"
            };
            format!("{} {state}", file.path.display())
        });
        let lines: Vec<String> = files
            .chain(self.settings.iter().cloned())
            .chain(self.missing.iter().cloned())
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Copies the files, and turns forwarding on. The message of a failure is that of the container, too.
pub(crate) fn run(args: &InstallArgs) -> Result<String, CommandError> {
    let installed = install(args);
    if let Err(error) = &installed {
        termination::write(&error.text);
    }
    installed
}

fn install(args: &InstallArgs) -> Result<String, CommandError> {
    let conflist = Conflist::read(&args.conflist)?;
    let from = match &args.from {
        Some(from) => from.clone(),
        None => own_folder()?,
    };
    let files = etcd_files(args, conflist.ipam().etcd.as_ref());
    let programs = footprint::programs(&args.cni_bin).map(|to| InstallFile {
        from: from.join(to.file_name().unwrap_or_default()),
        to,
        mode: PROGRAM_MODE,
    });
    // All are read before the first is written: if one is missing, no mix of versions is installed.
    let read: Vec<(InstallFile, Vec<u8>)> = files
        .into_iter()
        .chain(programs)
        .map(|file| file.read().map(|content| (file, content)))
        .collect::<Result<_, _>>()?;
    let written = read.iter().enumerate().map(|(index, (file, content))| {
        let same = read[..index].iter().find(|it| it.1 == *content);
        file.write(content, same.map(|(before, _)| before))
    });
    let output = InstallOutput {
        files: written.collect::<Result<_, _>>()?,
        settings: turn_forwarding_on(&conflist)?,
        missing: missing_programs(&args.cni_bin, &conflist),
    };
    args.output.text(&output, |_| output.to_string())
}

/// A file to be copied.
#[derive(Debug, PartialEq, Eq)]
struct InstallFile {
    from: PathBuf,
    to: PathBuf,
    mode: u32,
}

impl InstallFile {
    fn read(&self) -> Result<Vec<u8>, CommandError> {
        let reason = match state_file::read_linked(&self.from, MAX_FILE) {
            Ok(content) if content.is_empty() => "it is empty".to_owned(),
            Ok(content) => return Ok(content),
            Err(error) => error.to_string(),
        };
        let from = self.from.display();
        let mut text = format!("cannot read {from}: {reason}; nothing was installed");
        if self.mode == SECRET_MODE {
            text += SECRET_ADVICE;
        }
        Err(CommandError::new(1, text))
    }

    /// Replaces the file atomically: a plugin that is running keeps the old one. A program that is the
    /// `same` as one that was installed before becomes another name of it: `flatland` then does the work
    /// of `flatland-ipam` itself. Where the file system has no such links, it is a file of its own.
    fn write(&self, content: &[u8], same: Option<&Self>) -> Result<InstalledFile, CommandError> {
        let same = same.filter(|same| (same.mode, self.mode) == (PROGRAM_MODE, PROGRAM_MODE));
        let linked = same.and_then(|same| atomic_file::replace_with_link(&self.to, &same.to).ok());
        let written = match linked {
            Some(changed) => Ok(changed),
            None => atomic_file::replace_with(&self.to, content, self.mode),
        };
        let changed = written.map_err(|error| {
            let text = format!("cannot install {}: {error}", self.to.display());
            CommandError::new(1, text)
        })?;
        let path = self.to.clone();
        Ok(InstalledFile { path, changed })
    }
}

/// The files for etcd, each with its place below the host's root.
fn etcd_files(args: &InstallArgs, etcd: Option<&EtcdConfig>) -> Vec<InstallFile> {
    let (Some(from), Some(host), Some(etcd)) = (&args.etcd_files, &args.host, etcd) else {
        return Vec::new();
    };
    footprint::etcd_files(etcd)
        .into_iter()
        .filter_map(|path| {
            Some(InstallFile {
                from: from.join(path.file_name()?),
                to: host.join(path.strip_prefix("/").ok()?),
                mode: SECRET_MODE,
            })
        })
        .collect()
}

/// What else the container runtime needs in the folder of the plugins. In a container, the runtime is
/// not seen, so that `loopback` is always named.
fn missing_programs(folder: &Path, conflist: &Conflist) -> Vec<String> {
    let missing = runtime_needs::find_missing(folder, Some(conflist));
    let loopback = missing.loopback.as_deref();
    let loopback = loopback.map(runtime_needs::loopback_message);
    let chain = runtime_needs::chain_message(&missing.chain);
    let optional = runtime_needs::optional_message(&missing.optional, folder);
    let all = [chain, optional, loopback];
    all.into_iter().flatten().collect()
}

fn own_folder() -> Result<PathBuf, CommandError> {
    let own = std::env::current_exe().map_err(|error| {
        CommandError::new(1, format!("cannot find this program's folder: {error}"))
    })?;
    Ok(own.parent().unwrap_or(Path::new("/")).to_owned())
}

fn turn_forwarding_on(conflist: &Conflist) -> Result<Vec<String>, CommandError> {
    let network = conflist.ipam().into();
    forwarding::ensure_once(&mut Netlink::default(), &network).map_err(|error| {
        CommandError::new(1, format!("the node does not forward packets: {error}"))
    })
}

#[cfg(test)]
mod tests;
