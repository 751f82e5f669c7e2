//! `routed uninstall`: removes what Flatland put on this node, and shows that nothing is left.

mod leftovers;

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use self::leftovers::{Leftover, SearchPaths};
use crate::cli::{CommandError, Format, json};
use crate::lock;

/// `EX_TEMPFAIL` (sysexits.h): the node is in use; take it out of use and try again.
const IN_USE: u8 = 75;

/// The flags of `routed uninstall`.
#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    /// Shows what would be removed, and removes nothing.
    #[arg(long)]
    dry_run: bool,

    /// Removes all although pods are attached; they have no network then.
    #[arg(long)]
    force: bool,

    /// Where the container runtime looks for conflists.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/cni/net.d")]
    cni_dir: PathBuf,

    /// Where the container runtime looks for plugins.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/cni/bin")]
    cni_bin: PathBuf,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What was done, or would be.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct UninstallOutput {
    dry_run: bool,
    /// What is gone, or would be.
    removed: Vec<String>,
    /// What cannot be looked at, and why.
    hidden: Vec<String>,
}

impl fmt::Display for UninstallOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = if self.dry_run {
            "would remove"
        } else {
            "removed"
        };
        for removed in &self.removed {
            writeln!(f, "{doing} {removed}")?;
        }
        for hidden in &self.hidden {
            writeln!(f, "{hidden}")?;
        }
        f.write_str(match (self.dry_run, self.removed.is_empty()) {
            (true, true) => "nothing of Flatland is on this node",
            (true, false) => "nothing was removed: this was a dry run",
            (false, _) => NOTHING_LEFT,
        })
    }
}

/// Does it, and says what it did.
pub(crate) fn run(args: &UninstallArgs) -> Result<String, CommandError> {
    let place = SearchPaths {
        cni_dir: &args.cni_dir,
        cni_bin: &args.cni_bin,
    };
    let outcome = if args.dry_run {
        preview(&place)?
    } else {
        remove(&place, args.force)?
    };
    match args.output {
        Format::Table => Ok(outcome.to_string()),
        Format::Json => json(&outcome),
    }
}

fn preview(place: &SearchPaths<'_>) -> Result<UninstallOutput, CommandError> {
    let (found, hidden) = check_unused(place)?;
    Ok(UninstallOutput {
        dry_run: true,
        removed: found.iter().map(ToString::to_string).collect(),
        hidden,
    })
}

fn remove(place: &SearchPaths<'_>, force: bool) -> Result<UninstallOutput, CommandError> {
    let _lock = lock::acquire(Path::new(lock::PATH)).map_err(|error| in_use(&error))?;
    let (found, _) = check_unused(place)?;
    refuse_pods(&found, force)?;
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for trace in &found {
        match trace.remove() {
            Ok(()) => removed.push(trace.to_string()),
            Err(why) => failures.push(format!("cannot remove {trace}: {why}")),
        }
    }
    let (left, hidden) = check_unused(place)?;
    if left.is_empty() {
        return Ok(UninstallOutput {
            dry_run: false,
            removed,
            hidden,
        });
    }
    failures.extend(left.iter().map(|trace| format!("still there: {trace}")));
    Err(CommandError::new(1, failures.join("\n")))
}

const NOTHING_LEFT: &str = "nothing of Flatland is left on this node but this program, and kernel \
                            settings such as ip_forward\nwhat the node owns in etcd stays its own: \
                            `routed forget NODE` on another node releases it";

fn check_unused(place: &SearchPaths<'_>) -> Result<(Vec<Leftover>, Vec<String>), CommandError> {
    leftovers::find_leftovers(place).map_err(|why| CommandError::new(1, why))
}

fn in_use(error: &lock::Error) -> CommandError {
    let status = match error {
        lock::Error::Held { .. } => IN_USE,
        lock::Error::File { .. } => 1,
    };
    CommandError::new(status, error.to_string())
}

/// Running pods are reason to stop.
fn refuse_pods(found: &[Leftover], force: bool) -> Result<(), CommandError> {
    let pods = found.iter().filter(|trace| trace.is_pod()).count();
    if pods == 0 || force {
        return Ok(());
    }
    Err(CommandError::new(
        IN_USE,
        format!(
            "{} attached on this node and would lose the network; move pods away first (kubectl \
             drain), or use --force. Nothing was removed",
            if pods == 1 {
                "1 pod is".to_owned()
            } else {
                format!("{pods} pods are")
            }
        ),
    ))
}
