use super::*;
use std::os::unix::fs::MetadataExt;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn new_file_has_content_and_mode_and_leaves_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.d/10-flatland.conflist");
    assert!(replace(&path, b"one").unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
    assert_eq!(names(path.parent().unwrap()), ["10-flatland.conflist"]);
}

#[test]
fn same_content_is_not_written_again_by_replace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.conflist");
    assert!(replace(&path, b"one").unwrap());
    let before = fs::metadata(&path).unwrap();
    assert!(!replace(&path, b"one").unwrap());
    assert_eq!(fs::metadata(&path).unwrap().ino(), before.ino());
    write(&path, b"one").unwrap();
    assert_ne!(fs::metadata(&path).unwrap().ino(), before.ino());
}

#[test]
fn open_reader_keeps_the_old_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.conflist");
    replace(&path, b"old").unwrap();
    let mut reader = File::open(&path).unwrap();
    assert!(replace(&path, b"a longer new one").unwrap());
    let mut seen = String::new();
    io::Read::read_to_string(&mut reader, &mut seen).unwrap();
    assert_eq!(seen, "old");
}

#[test]
fn hidden_file_left_by_a_crash_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.conflist");
    fs::write(folder.path().join(".a.conflist.tmp"), b"half of someth").unwrap();
    assert!(replace(&path, b"whole").unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert_eq!(names(folder.path()), ["a.conflist"]);
}

#[test]
fn symbolic_link_is_replaced_and_its_target_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = (
        folder.path().join("a.conflist"),
        folder.path().join("target"),
    );
    fs::write(&target, b"same").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    assert!(replace(&path, b"same").unwrap());
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(fs::read(&target).unwrap(), b"same");
}

#[test]
fn link_replaces_what_is_there_and_stays_if_it_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let [target, other] = ["target", "other"].map(|name| folder.path().join(name));
    fs::write(&target, "new").unwrap();
    fs::write(&other, "old").unwrap();
    assert!(replace_with_link(&other, &target).unwrap());
    assert_eq!(fs::read(&other).unwrap(), b"new");
    assert!(!replace_with_link(&other, &target).unwrap());
    // A new target leaves the other name with the old content.
    assert!(replace_with(&target, b"newer", 0o755).unwrap());
    assert_eq!(fs::read(&other).unwrap(), b"new");
    assert!(replace_with_link(&other, &target).unwrap());
    assert_eq!(fs::read(&other).unwrap(), b"newer");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
