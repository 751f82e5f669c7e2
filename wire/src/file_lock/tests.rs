use super::*;

fn lock_file() -> (tempfile::TempDir, impl Fn() -> File) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.lock");
    (folder, move || open(&path).unwrap())
}

#[test]
fn held_lock_is_not_taken_again_until_dropped() {
    let (_folder, file) = lock_file();
    let held = FileLock::try_lock(file()).unwrap().unwrap();
    assert!(FileLock::try_lock(file()).unwrap().is_none());
    let short = Duration::from_millis(20);
    assert!(FileLock::lock_within(file(), short).unwrap().is_none());
    drop(held);
    assert!(FileLock::lock_within(file(), short).unwrap().is_some());
}

#[test]
fn look_at_a_lock_says_whether_it_is_held_and_leaves_it() {
    let (folder, file) = lock_file();
    let path = folder.path().join("a.lock");
    assert!(!is_held(&path).unwrap());
    assert!(!path.exists(), "a look creates nothing");
    let held = FileLock::lock(file()).unwrap();
    assert!(is_held(&path).unwrap());
    drop(held);
    assert!(!is_held(&path).unwrap());
    assert!(FileLock::try_lock(file()).unwrap().is_some());
}

#[test]
fn waiting_lock_is_granted_when_the_holder_drops_it() {
    let (_folder, file) = lock_file();
    let held = FileLock::lock(file()).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| FileLock::lock_within(file(), Duration::from_secs(10)));
        drop(held);
        assert!(waiting.join().unwrap().unwrap().is_some());
    });
}
