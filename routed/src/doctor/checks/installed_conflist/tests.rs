use super::*;
use crate::doctor::Severity;

#[test]
fn conflist_that_the_runtime_does_not_take_is_broken() {
    let path = Path::new("/etc/cni/net.d/10-flatland.conflist");
    let view = |own: OwnFile, entries: &[&str]| FolderView {
        entries: entries.iter().map(|name| ((*name).to_owned(), 1)).collect(),
        own,
        obstacle: None,
    };
    let found = |content: &[u8]| OwnFile::Found {
        content: content.to_vec(),
        mode: 0o644,
        inode: 1,
    };
    let sound = view(found(b"{}"), &["10-flatland.conflist"]);
    examine(&sound, path, None, true).assert(Severity::Ok, "which the container runtime takes", "");
    let unseen = Some("CRI-O decides. Apply the overlay");
    examine(&sound, path, unseen, true).assert(Severity::Unknown, "CRI-O decides", "Apply");
    let none = view(OwnFile::Missing, &["20-other.conflist"]);
    examine(&none, path, None, false).assert(Severity::Ok, "none yet", "");
    let (broken, missing) = (
        Severity::Broken,
        "there is no /etc/cni/net.d/10-flatland.conflist",
    );
    examine(&none, path, None, true).assert(broken, missing, "routed status");
    let renamed = view(OwnFile::Missing, &["10-flatland.conflist.cilium_bak"]);
    let evidence = "but 10-flatland.conflist.cilium_bak";
    examine(&renamed, path, None, false).assert(broken, evidence, "stop that program");
    let empty = view(found(b""), &["10-flatland.conflist"]);
    examine(&empty, path, None, true).assert(broken, "is empty", "remove it");
    let folder = view(OwnFile::Unreadable("Is a directory".into()), &[]);
    examine(&folder, path, None, true).assert(broken, "Is a directory", "remove it");
    let other = FolderView {
        obstacle: Some("the runtime takes 05-x.conf: move it".into()),
        ..sound
    };
    examine(&other, path, None, true).assert(broken, "takes 05-x.conf", "move it");
}
