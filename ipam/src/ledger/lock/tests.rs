use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn lock_held_beyond_the_timeout_is_busy_and_names_the_folder() {
    let scratch = tempfile::tempdir().unwrap();
    let held = folder(scratch.path()).unwrap();
    let error = folder_within(scratch.path(), Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert!(
        error.to_string().contains(scratch.path().to_str().unwrap()),
        "{error}"
    );
    drop(held);
    // The thread that waited may still have it for a moment.
    assert!(folder(scratch.path()).is_ok());
}

#[test]
fn held_lock_is_not_waited_for_if_only_tried() {
    let scratch = tempfile::tempdir().unwrap();
    let held = folder(scratch.path()).unwrap();
    assert!(try_folder(scratch.path()).unwrap().is_none());
    drop(held);
    assert!(try_folder(scratch.path()).unwrap().is_some());
}

#[test]
fn lock_of_an_older_version_is_respected() {
    let scratch = tempfile::tempdir().unwrap();
    let old = FileLock::lock(File::open(scratch.path()).unwrap()).unwrap();
    if nix::unistd::Uid::current().is_root() {
        assert!(try_folder(scratch.path()).unwrap().is_none());
    }
    drop(old);
    assert!(folder(scratch.path()).is_ok());
    let _new = folder(scratch.path()).unwrap();
    let old = FileLock::try_lock(File::open(scratch.path()).unwrap());
    assert!(old.unwrap().is_none());
}

#[test]
fn lock_file_is_for_its_owner_and_may_be_deleted() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join(LOCK_FILE);
    let held = folder(scratch.path()).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::remove_file(&path).unwrap();
    drop(held);
    assert!(folder(scratch.path()).is_ok());
    assert!(path.exists());
}
