//! Check: does a user who is not root hold a lock of ours?

use std::fs;
use std::path::{Path, PathBuf};

use wire::old_lock;
use wire::paths::{RUN_DIR, run_dir};

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::lock;

const CHECK: &str = "locks";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let network = context.conflist.as_ref().ok().map(|it| it.network());
    let daemon = Path::new(RUN_DIR).join(lock::OLD_NAME);
    let paths = [daemon].into_iter().chain(network.map(run_dir));
    let held = paths.filter_map(|path| Some((old_lock::foreign_holder(&path)?, path)));
    examine(held.map(|(pid, path)| (pid, program(pid), path)).collect())
}

fn program(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().to_owned()
}

/// `held`: the locks of versions before 0.2 that another user holds, each with the process and the
/// name of its program, which is empty if the process is gone and has left the lock to its children.
fn examine(held: Vec<(i32, String, PathBuf)>) -> Vec<Finding> {
    if held.is_empty() {
        return vec![Finding::ok(CHECK, "no user but root holds one")];
    }
    let finding = |(pid, program, path): (i32, String, PathBuf)| {
        let path = path.display();
        let text = format!("process {pid} ({program}) of another user has locked {path}");
        Finding::warning(CHECK, text).fix(format!(
            "end it (fuser -v {path} shows it): programs of version 0.1 would wait for it; those \
             of this version do not"
        ))
    };
    held.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests;
