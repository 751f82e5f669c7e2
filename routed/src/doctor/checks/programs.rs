//! Verdicts on the programs that the container runtime runs.

use std::path::{Path, PathBuf};

use wire::cni::program_version;

use super::{Finding, HostFacts, Severity, finding};
use crate::text::list;

const FIX: &str = "routed install puts all of them there, of one version; where the runtime looks for \
                   plugins elsewhere, name that folder with --cni-bin";

/// All are there, can be run, and are of this program's version.
pub(super) fn examine(facts: &HostFacts) -> Finding {
    let check = "programs";
    let all = &facts.programs;
    let paths = |is: &dyn Fn(&Program) -> bool| -> Vec<String> {
        let found = all.iter().filter(|program| is(program));
        found
            .map(|program| program.path.display().to_string())
            .collect()
    };
    let missing = paths(&|program| !program.is_there);
    if !missing.is_empty() {
        let text = format!("there is no {}", list(&missing));
        return finding(check, Severity::Broken, text).fix(FIX);
    }
    let silent = paths(&|program| program.version.is_none());
    if !silent.is_empty() {
        let text = format!(
            "cannot be run, or are none of Flatland's: {}",
            list(&silent)
        );
        return finding(check, Severity::Broken, text).fix(FIX);
    }
    let others = all
        .iter()
        .filter(|program| program.version.as_deref() != Some(wire::VERSION))
        .filter_map(|program| {
            let version = program.version.as_deref()?;
            Some(format!("{} is {version}", program.path.display()))
        });
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        let text = format!("{}, and routed is {}", list(&others), wire::VERSION);
        return finding(check, Severity::Warning, text).fix(FIX);
    }
    let text = format!("{}, all {}", list(&paths(&|_| true)), wire::VERSION);
    finding(check, Severity::Ok, text)
}

/// A program where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Which version it says it is. None where it does not say.
    pub(crate) version: Option<String>,
    pub(crate) is_there: bool,
}

/// Looks for programs of these names in `folder`.
pub(crate) fn find_programs(folder: &Path, names: &[&str]) -> Vec<Program> {
    let paths = names.iter().map(|name| folder.join(name));
    paths
        .map(|path| Program {
            version: program_version(&path),
            is_there: path.exists(),
            path,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{after, says};
    use super::*;

    #[test]
    fn a_program_that_is_missing_broken_or_of_another_version_is_named() {
        let (broken, path) = (Severity::Broken, "/opt/cni/bin/flatland-claim");
        let found = after(|facts| facts.programs[0].is_there = false);
        says(
            found,
            "programs",
            broken,
            &format!("no {path}"),
            "routed install",
        );
        let found = after(|facts| facts.programs[0].version = None);
        says(found, "programs", broken, path, "routed install");
        let found = after(|facts| facts.programs[0].version = Some("0.0.1 (a)".to_owned()));
        let text = format!("{path} is 0.0.1 (a), and routed is ");
        says(
            found,
            "programs",
            Severity::Warning,
            &text,
            "routed install",
        );
    }
}
