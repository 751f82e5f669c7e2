//! `routed uninstall`: removes what Flatland put on this node, and shows that nothing is left.

mod trace;

use std::path::{Path, PathBuf};

use clap::Args;

use self::trace::{Place, Trace};
use super::Failure;
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
}

/// Does it, and says what it did.
pub(crate) fn run(args: &UninstallArgs) -> Result<String, Failure> {
    let place = Place {
        cni_dir: &args.cni_dir,
        cni_bin: &args.cni_bin,
    };
    if args.dry_run {
        return Ok(preview(&look(&place)?));
    }
    let _lock = lock::take(Path::new(lock::PATH)).map_err(|error| in_use(&error))?;
    let (found, _) = look(&place)?;
    refuse_pods(&found, args.force)?;
    let mut lines = Vec::new();
    for trace in &found {
        lines.push(match trace.remove() {
            Ok(()) => format!("removed {trace}"),
            Err(why) => format!("cannot remove {trace}: {why}"),
        });
    }
    let (left, hidden) = look(&place)?;
    lines.extend(left.iter().map(|trace| format!("still there: {trace}")));
    lines.extend(hidden);
    if !left.is_empty() {
        return Err(Failure::new(1, lines.join("\n")));
    }
    lines.push(NOTHING_LEFT.to_owned());
    Ok(lines.join("\n"))
}

const NOTHING_LEFT: &str = "nothing of Flatland is left on this node but this program, and kernel \
                            settings such as ip_forward\nwhat the node owns in etcd stays its own: \
                            `routed forget NODE` on another node releases it";

fn look(place: &Place<'_>) -> Result<(Vec<Trace>, Vec<String>), Failure> {
    trace::look(place).map_err(|why| Failure::new(1, why))
}

fn preview((found, hidden): &(Vec<Trace>, Vec<String>)) -> String {
    if found.is_empty() {
        return "nothing of Flatland is on this node".to_owned();
    }
    let lines = found.iter().map(|trace| format!("would remove {trace}"));
    lines
        .chain(hidden.iter().cloned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn in_use(error: &lock::Error) -> Failure {
    let status = match error {
        lock::Error::Held { .. } => IN_USE,
        lock::Error::File { .. } => 1,
    };
    Failure::new(status, error.to_string())
}

/// Running pods are reason to stop.
fn refuse_pods(found: &[Trace], force: bool) -> Result<(), Failure> {
    let pods = found.iter().filter(|trace| trace.is_pod()).count();
    if pods == 0 || force {
        return Ok(());
    }
    Err(Failure::new(
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
