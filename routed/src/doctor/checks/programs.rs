//! Check: are the CNI plugins and `flatland-claim` installed, runnable, and of `routed`'s version?

use std::path::{Path, PathBuf};

use wire::cni::program_version;
use wire::conf::PROGRAMS;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::text::list;

const CHECK: &str = "programs";

const FIX: &str = "routed install puts all of them there, of one version; where the runtime looks for \
                   plugins elsewhere, name that folder with --cni-bin";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    vec![examine(&find_programs(context.cni_bin))]
}

/// A program in the folder of the plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InstalledProgram {
    path: PathBuf,
    exists: bool,
    /// The version that it prints; `None` if it cannot be run or prints none.
    version: Option<String>,
}

fn find_programs(folder: &Path) -> Vec<InstalledProgram> {
    let paths = PROGRAMS.iter().map(|name| folder.join(name));
    paths
        .map(|path| InstalledProgram {
            version: program_version(&path),
            exists: path.exists(),
            path,
        })
        .collect()
}

fn examine(programs: &[InstalledProgram]) -> Finding {
    let paths = |is_match: &dyn Fn(&InstalledProgram) -> bool| -> Vec<String> {
        let matching = programs.iter().filter(|program| is_match(program));
        matching
            .map(|program| program.path.display().to_string())
            .collect()
    };
    let missing = paths(&|program| !program.exists);
    if !missing.is_empty() {
        return Finding::broken(CHECK, format!("there is no {}", list(&missing))).fix(FIX);
    }
    let unusable = paths(&|program| program.version.is_none());
    if !unusable.is_empty() {
        let text = format!(
            "not a program of Flatland, or cannot be run: {}",
            list(&unusable)
        );
        return Finding::broken(CHECK, text).fix(FIX);
    }
    let different = programs
        .iter()
        .filter(|program| program.version.as_deref() != Some(wire::VERSION))
        .filter_map(|program| {
            let version = program.version.as_deref()?;
            Some(format!("{} is {version}", program.path.display()))
        });
    let different: Vec<String> = different.collect();
    if !different.is_empty() {
        let text = format!("{}, and routed is {}", list(&different), wire::VERSION);
        return Finding::warning(CHECK, text).fix(FIX);
    }
    let text = format!("{}, all {}", list(paths(&|_| true)), wire::VERSION);
    Finding::ok(CHECK, text)
}

#[cfg(test)]
mod tests;
