use super::*;
use std::fs;

#[test]
fn second_lock_fails_and_names_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flatland/.routed.lock");
    let _first = acquire(&path).unwrap();
    assert!(check(&path).is_err());
    let refused = acquire(&path).unwrap_err().to_string();
    assert!(
        refused.contains(&format!("pid {}", process::id())),
        "{refused}"
    );
    assert!(refused.contains("routed.lock"), "{refused}");
}

#[test]
fn lock_is_free_after_its_holder_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".routed.lock");
    assert!(check(&path).is_ok() && !path.exists());
    drop(acquire(&path).unwrap());
    assert!(check(&path).is_ok());
    assert!(acquire(&path).is_ok());
}

#[test]
fn lock_files_are_for_root_even_if_an_older_version_made_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".routed.lock");
    let old = folder.path().join(OLD_NAME);
    fs::write(&old, "7\n").unwrap();
    fs::set_permissions(&old, Permissions::from_mode(0o644)).unwrap();
    let lock = acquire(&path).unwrap();
    for path in [&path, &old] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    // An older version that starts now is refused.
    assert!(
        FileLock::try_lock(File::open(&old).unwrap())
            .unwrap()
            .is_none()
    );
    drop(lock);
}

#[test]
fn lock_of_an_older_version_refuses_and_is_found_by_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".routed.lock");
    let old = folder.path().join(OLD_NAME);
    fs::write(&old, "7\n").unwrap();
    let older = FileLock::lock(File::open(&old).unwrap()).unwrap();
    // One that another user holds is ignored.
    if nix::unistd::Uid::current().is_root() {
        let found = check(&path).unwrap_err().to_string();
        assert!(found.contains("pid 7") && !path.exists(), "{found}");
        assert!(acquire(&path).is_err());
    }
    drop(older);
    assert!(check(&path).is_ok());
}
