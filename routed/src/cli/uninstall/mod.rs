//! `routed uninstall`: removes what Flatland put on this node, and shows that nothing is left.

mod leftovers;
mod wait;

use std::fmt;
use std::os::unix::fs::chroot;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use wire::paths::POLICY_LOCK;
use wire::policy_program;

use self::leftovers::{Leftover, SearchPaths, find_leftovers};
use crate::cli::{CommandError, IN_USE, OutputArgs};
use crate::lock;

/// The flags of `routed uninstall`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of the command line, each of its own"
)]
pub(crate) struct UninstallArgs {
    /// Shows what would be removed, and removes nothing.
    #[arg(long)]
    dry_run: bool,

    /// Removes everything although pods are attached; they lose the network.
    #[arg(long)]
    force: bool,

    /// Only whether anything of Flatland is on this node: for probes.
    #[arg(long, conflicts_with_all = ["dry_run", "force", "output"])]
    check: bool,

    /// Tries again until nothing is left, and then stays, until SIGTERM or SIGINT.
    ///
    /// For a DaemonSet: each node is cleaned once routed and its pods are gone.
    #[arg(long, conflicts_with_all = ["dry_run", "check", "output"])]
    wait: bool,

    /// The folder where the host's root is mounted, for a container.
    ///
    /// It becomes the root of this process (chroot), so that all other paths are those of the host.
    #[arg(long, value_name = "FOLDER")]
    host: Option<PathBuf>,

    /// Where the container runtime looks for conflists.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/cni/net.d")]
    cni_dir: PathBuf,

    /// Where the container runtime looks for plugins.
    #[arg(long, value_name = "FOLDER", default_value = "/opt/cni/bin")]
    cni_bin: PathBuf,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is printed, as text or as JSON.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct UninstallOutput {
    dry_run: bool,
    /// What was removed, or would be.
    removed: Vec<String>,
    /// What could not be read, and why, and what stays.
    hidden: Vec<String>,
    /// Why this would be refused if it were no dry run.
    refusal: Option<String>,
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
        if let Some(refusal) = &self.refusal {
            writeln!(f, "it would be refused now: {refusal}")?;
        }
        f.write_str(match (self.dry_run, self.removed.is_empty()) {
            (true, true) => NOTHING_THERE,
            (true, false) => "nothing was removed: this was a dry run",
            (false, _) => NOTHING_LEFT,
        })
    }
}

/// Removes everything, or shows what would be removed.
pub(crate) fn run(args: &UninstallArgs) -> Result<String, CommandError> {
    if let Some(host) = &args.host {
        enter(host)?;
    }
    let paths = SearchPaths {
        cni_dir: &args.cni_dir,
        cni_bin: &args.cni_bin,
    };
    if args.check {
        return check(&paths);
    }
    if args.wait {
        return wait::run(|| attempt(&paths, args.force));
    }
    let output = if args.dry_run {
        preview(&paths, args.force)?
    } else {
        remove(&paths, args.force)?
    };
    args.output.text(&output, |_| output.to_string())
}

/// Makes `host` the root of this process.
fn enter(host: &Path) -> Result<(), CommandError> {
    let entered = chroot(host).and_then(|()| std::env::set_current_dir("/"));
    entered.map_err(|error| {
        let host = host.display();
        CommandError::new(1, format!("cannot make {host} the root: {error}"))
    })
}

/// Whether the node is clean; names what is left otherwise.
fn check(paths: &SearchPaths<'_>) -> Result<String, CommandError> {
    let (found, _) = find_leftovers(paths)?;
    if found.is_empty() {
        return Ok(NOTHING_THERE.to_owned());
    }
    Err(CommandError::new(1, still_there(&found).join("\n")))
}

/// Removes everything if anything is there.
fn attempt(paths: &SearchPaths<'_>, force: bool) -> Result<String, CommandError> {
    match check(paths) {
        Err(_) => remove(paths, force).map(|output| output.to_string()),
        clean => clean,
    }
}

fn preview(paths: &SearchPaths<'_>, force: bool) -> Result<UninstallOutput, CommandError> {
    let (found, hidden) = find_leftovers(paths)?;
    let held = lock::check(Path::new(lock::PATH)).map_err(|error| in_use(&error));
    let refusal = held.and_then(|()| refuse_policy());
    let refusal = refusal.and_then(|()| refuse_pods(&found, force)).err();
    Ok(UninstallOutput {
        refusal: refusal.map(|error| error.text),
        dry_run: true,
        removed: found.iter().map(ToString::to_string).collect(),
        hidden,
    })
}

fn remove(paths: &SearchPaths<'_>, force: bool) -> Result<UninstallOutput, CommandError> {
    let _lock = lock::acquire(Path::new(lock::PATH)).map_err(|error| in_use(&error))?;
    refuse_policy()?;
    let (found, _) = find_leftovers(paths)?;
    refuse_pods(&found, force)?;
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for leftover in &found {
        match leftover.remove() {
            Ok(()) => removed.push(leftover.to_string()),
            Err(error) => failures.push(format!("cannot remove {leftover}: {error}")),
        }
    }
    let (left, hidden) = find_leftovers(paths)?;
    if left.is_empty() && failures.is_empty() {
        return Ok(UninstallOutput {
            removed,
            hidden,
            ..UninstallOutput::default()
        });
    }
    failures.extend(still_there(&left));
    Err(CommandError::new(1, failures.join("\n")))
}

fn still_there(left: &[Leftover]) -> Vec<String> {
    let lines = left.iter();
    lines
        .map(|leftover| format!("still there: {leftover}"))
        .collect()
}

const NOTHING_THERE: &str = "nothing of Flatland is on this node";

const NOTHING_LEFT: &str = "nothing of Flatland is left on this node but this program, and kernel \
                            settings such as ip_forward\nthe registry keeps the node's subnets: with \
                            etcd until `routed forget NODE` on another node, with Kubernetes until \
                            its Node is deleted";

fn in_use(error: &lock::Error) -> CommandError {
    let status = match error {
        lock::Error::Held { .. } => IN_USE,
        lock::Error::File { .. } => 1,
    };
    CommandError::new(status, error.to_string())
}

/// Refuses to go on while `flatland-policy` runs, which would put its table back.
fn refuse_policy() -> Result<(), CommandError> {
    let running = policy_program::is_running();
    let text = match running {
        Ok(false) => return Ok(()),
        Ok(true) => return Err(CommandError::new(IN_USE, POLICY_RUNS.to_owned())),
        Err(error) => format!("cannot tell whether flatland-policy runs: {POLICY_LOCK}: {error}"),
    };
    Err(CommandError::new(1, text))
}

const POLICY_RUNS: &str = "flatland-policy runs on this node; stop it first";

/// Refuses to go on while pods are attached, unless forced.
fn refuse_pods(found: &[Leftover], force: bool) -> Result<(), CommandError> {
    let pods = found.iter().filter(|leftover| leftover.is_pod()).count();
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
