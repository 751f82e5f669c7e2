//! The programs that the container runtime runs, and what those run.

use std::path::{Path, PathBuf};

use wire::cni::program_version;

/// A program where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Which version it says it is. None where it does not say.
    pub(crate) version: Option<String>,
    pub(crate) is_there: bool,
}

/// Looks for programs of these names in `folder`.
pub(crate) fn look(folder: &Path, names: &[&str]) -> Vec<Program> {
    let paths = names.iter().map(|name| folder.join(name));
    paths
        .map(|path| Program {
            version: program_version(&path),
            is_there: path.exists(),
            path,
        })
        .collect()
}
