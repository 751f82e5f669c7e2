//! Check: does the container runtime find our conflist, and does it take it?

use std::fs;
use std::path::Path;

use wire::conf::Conflist;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::host::cni_folder::{self, FolderView, OwnFile};
use crate::host::crio;
use crate::identity::ROUTED;

const CHECK: &str = "installed conflist";

const STOP: &str = "stop that program from doing so; routed puts the file back while it runs";

/// The folder of the container runtime.
const FOLDER: &str = "/etc/cni/net.d";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    // routed removes its socket when it stops.
    let routed_runs = Path::new(ROUTED.socket).exists();
    let name = context.conflist_path.and_then(Path::file_name);
    let finding = match (name, &context.conflist) {
        (Some(name), Ok(conflist)) => {
            let installed = Path::new(FOLDER).join(name);
            match cni_folder::read(&installed, conflist.network()) {
                Ok(view) => examine(&view, &installed, crio::unseen(), routed_runs),
                Err(error) => Finding::unknown(CHECK, format!("cannot list {FOLDER}: {error}")),
            }
        }
        _ => match find_unread(Path::new(FOLDER)) {
            Some(name) => Finding::broken(
                CHECK,
                format!("no container runtime reads {FOLDER}/{name}: another program renamed it"),
            )
            .fix(STOP),
            None if routed_runs => Finding::broken(
                CHECK,
                format!("there is not exactly one of Flatland in {FOLDER}, although routed runs"),
            )
            .fix("routed status says what is missing"),
            None => return Vec::new(),
        },
    };
    vec![finding]
}

/// The name of a conflist of ours that no runtime reads.
fn find_unread(folder: &Path) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let found = paths.find(|path| {
        let is_read = path.extension().is_some_and(|it| it == "conflist");
        // A file that is being written is hidden.
        let is_hidden = path.extension().is_some_and(|it| it == "tmp");
        !is_read && !is_hidden && path.is_file() && Conflist::read(path).is_ok()
    })?;
    Some(found.file_name()?.to_string_lossy().into_owned())
}

/// `unseen` says that the runtime's choice may be another.
fn examine(view: &FolderView, path: &Path, unseen: Option<&str>, routed_runs: bool) -> Finding {
    let shown = path.display();
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(obstacle) = &view.obstacle {
        let (evidence, fix) = obstacle.split_once(": ").unwrap_or((obstacle, ""));
        return Finding::broken(CHECK, evidence).fix(fix);
    }
    let mut names = view.entries.iter().map(|(name, _)| name);
    let renamed = names.find(|name| name.starts_with(&*own) && **name != own);
    match (&view.own, renamed) {
        (OwnFile::Missing, Some(name)) => Finding::broken(
            CHECK,
            format!("there is no {shown}, but {name}: another program renamed it"),
        )
        .fix(STOP),
        (OwnFile::Missing, None) if routed_runs => {
            Finding::broken(CHECK, format!("there is no {shown} although routed runs"))
                .fix("routed status says what is missing")
        }
        (OwnFile::Missing, None) => Finding::ok(
            CHECK,
            "none yet: routed run installs it once the node's network works",
        ),
        (OwnFile::Unreadable(why), _) => {
            Finding::broken(CHECK, format!("{shown} cannot be read: {why}"))
                .fix("remove it; routed installs it again")
        }
        (OwnFile::Found { content, .. }, _) if content.is_empty() => {
            Finding::broken(CHECK, format!("{shown} is empty"))
                .fix("remove it; routed installs it again")
        }
        _ => match unseen.and_then(|text| text.split_once(". ")) {
            Some((evidence, fix)) => Finding::unknown(CHECK, evidence).fix(fix),
            None => Finding::ok(CHECK, format!("{shown}, which the container runtime takes")),
        },
    }
}

#[cfg(test)]
mod tests;
