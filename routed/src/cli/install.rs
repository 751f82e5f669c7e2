//! `routed install`: puts the plugins where the container runtime looks for them, and prepares the
//! node. What a `DaemonSet`'s init container runs.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use wire::atomic_file;
use wire::conf::{Conflist, EtcdConfig, PROGRAMS};

use super::{CommandError, Format, json};
use crate::host::forwarding;
use crate::kernel::Netlink;

/// Everyone may run them.
const PROGRAM: u32 = 0o755;

/// Nobody but root may read a key.
const SECRET: u32 = 0o600;

/// The flags of `routed install`.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The conflist that configures the network.
    ///
    /// It is checked before anything else happens, and not installed: `routed run` does that, once
    /// the node's network works.
    #[arg(long, value_name = "FILE")]
    conflist: PathBuf,

    /// Where the plugins are that are to be installed; by default the folder of this program.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,

    /// Where the container runtime looks for plugins.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/cni/bin")]
    cni_bin: PathBuf,

    /// Where the files for etcd are that the conflist names (caFile, certFile, keyFile).
    ///
    /// Such as the folder that a Secret is mounted at. They are copied below --host.
    #[arg(long, value_name = "FOLDER", requires = "host")]
    etcd_files: Option<PathBuf>,

    /// Where the host's files are, for those that --etcd-files has.
    ///
    /// /etc/flatland/ca.crt goes to FOLDER/etc/flatland/ca.crt.
    #[arg(long, value_name = "FOLDER", requires = "etcd_files")]
    host: Option<PathBuf>,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What was done.
#[derive(Debug, Serialize)]
struct InstallOutput {
    files: Vec<Installed>,
    /// Kernel settings that were made.
    settings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Installed {
    path: PathBuf,
    /// Whether it was another one before.
    changed: bool,
}

impl fmt::Display for InstallOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.iter().map(|file| {
            let state = if file.changed {
                "installed"
            } else {
                "is the same already"
            };
            format!("{} {state}", file.path.display())
        });
        let lines: Vec<String> = files.chain(self.settings.iter().cloned()).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Does it, and says what it did.
pub(crate) fn run(args: &InstallArgs) -> Result<String, CommandError> {
    let conflist = Conflist::read(&args.conflist)?;
    let from = match &args.from {
        Some(from) => from.clone(),
        None => own_folder()?,
    };
    let files = files(args, conflist.ipam().etcd.as_ref());
    let programs = PROGRAMS.map(|name| InstallFile {
        from: from.join(name),
        to: args.cni_bin.join(name),
        mode: PROGRAM,
    });
    // All are read before one is written: a newer plugin beside an older one is rather avoided.
    let read: Vec<(InstallFile, Vec<u8>)> = files
        .into_iter()
        .chain(programs)
        .map(|file| Ok((file.read()?, file)))
        .map(|read: Result<_, CommandError>| read.map(|(content, file)| (file, content)))
        .collect::<Result<_, _>>()?;
    let files = read.iter().map(|(file, content)| file.write(content));
    let outcome = InstallOutput {
        files: files.collect::<Result<_, _>>()?,
        settings: switch_forwarding_on(&conflist)?,
    };
    match args.output {
        Format::Table => Ok(outcome.to_string()),
        Format::Json => json(&outcome),
    }
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
        let why = match fs::read(&self.from) {
            Ok(content) if content.is_empty() => "it is empty".to_owned(),
            Ok(content) => return Ok(content),
            Err(error) => error.to_string(),
        };
        let from = self.from.display();
        let text = format!("cannot read {from}: {why}; nothing was installed");
        Err(CommandError::new(1, text))
    }

    /// An ADD that runs meanwhile goes on with the file that it began with.
    fn write(&self, content: &[u8]) -> Result<Installed, CommandError> {
        let changed = atomic_file::replace_with(&self.to, content, self.mode).map_err(|error| {
            let text = format!("cannot install {}: {error}", self.to.display());
            CommandError::new(1, text)
        })?;
        let path = self.to.clone();
        Ok(Installed { path, changed })
    }
}

/// The files for etcd, to where the host's own programs find them.
fn files(args: &InstallArgs, etcd: Option<&EtcdConfig>) -> Vec<InstallFile> {
    let (Some(from), Some(host), Some(etcd)) = (&args.etcd_files, &args.host, etcd) else {
        return Vec::new();
    };
    let named = [&etcd.ca_file, &etcd.cert_file, &etcd.key_file];
    let named = named.into_iter().flatten();
    named
        .filter_map(|path| {
            Some(InstallFile {
                from: from.join(path.file_name()?),
                to: host.join(path.strip_prefix("/").ok()?),
                mode: SECRET,
            })
        })
        .collect()
}

fn own_folder() -> Result<PathBuf, CommandError> {
    let own = std::env::current_exe().map_err(|error| {
        CommandError::new(1, format!("cannot find this program's folder: {error}"))
    })?;
    Ok(own.parent().unwrap_or(Path::new("/")).to_owned())
}

fn switch_forwarding_on(conflist: &Conflist) -> Result<Vec<String>, CommandError> {
    let network = conflist.ipam().into();
    forwarding::ensure(&mut Netlink::default(), &network).map_err(|error| {
        CommandError::new(1, format!("the node does not forward packets: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(etcd_files: Option<&str>) -> InstallArgs {
        InstallArgs {
            conflist: "/c".into(),
            from: None,
            cni_bin: "/opt/cni/bin".into(),
            etcd_files: etcd_files.map(Into::into),
            host: etcd_files.map(|_| "/host".into()),
            output: Format::Table,
        }
    }

    fn etcd() -> EtcdConfig {
        EtcdConfig {
            endpoints: vec!["https://192.168.1.2:2379".into()],
            ca_file: Some("/etc/flatland/etcd/ca.crt".into()),
            cert_file: Some("/etc/flatland/etcd/client.crt".into()),
            key_file: None,
            prefix: "/flatland".into(),
        }
    }

    #[test]
    fn files_for_etcd_go_to_where_the_conflist_says_below_the_host() {
        let found = files(&args(Some("/secret")), Some(&etcd()));
        let paths: Vec<_> = found
            .iter()
            .map(|file| (file.from.to_str().unwrap(), file.to.to_str().unwrap()))
            .collect();
        assert_eq!(
            paths,
            [
                ("/secret/ca.crt", "/host/etc/flatland/etcd/ca.crt"),
                ("/secret/client.crt", "/host/etc/flatland/etcd/client.crt"),
            ]
        );
        assert!(found.iter().all(|file| file.mode == 0o600));
    }

    #[test]
    fn without_such_files_there_is_nothing_to_copy() {
        assert_eq!(files(&args(None), Some(&etcd())), []);
        assert_eq!(files(&args(Some("/secret")), None), []);
    }
}
