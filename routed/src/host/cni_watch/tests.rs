use std::time::Duration;

use tokio::time::timeout;

use super::*;

async fn expect_change(watch: &mut CniWatch) -> Result<(), FolderReplaced> {
    let changed = timeout(Duration::from_secs(8), watch.changed()).await;
    let changed = changed.expect("a change is reported before the interval is over");
    changed.map(drop)
}

#[tokio::test]
async fn changes_of_both_folders_are_reported() {
    let scratch = tempfile::tempdir().unwrap();
    let [conflists, plugins] = ["net.d", "bin"].map(|name| scratch.path().join(name));
    for folder in [&conflists, &plugins] {
        fs::create_dir(folder).unwrap();
    }
    let mut watch = CniWatch::open(&conflists, &plugins);
    let file = conflists.join("10-flatland.conflist");
    fs::write(&file, "one").unwrap();
    assert_eq!(expect_change(&mut watch).await, Ok(()));
    fs::write(&file, "two").unwrap();
    assert_eq!(expect_change(&mut watch).await, Ok(()));
    fs::rename(&file, conflists.join("other")).unwrap();
    assert_eq!(expect_change(&mut watch).await, Ok(()));
    fs::write(plugins.join("loopback"), "").unwrap();
    assert_eq!(expect_change(&mut watch).await, Ok(()));
    // Another folder at the path, as on a host without mounts.
    fs::rename(&conflists, scratch.path().join("old")).unwrap();
    fs::create_dir(&conflists).unwrap();
    assert_eq!(expect_change(&mut watch).await, Ok(()));
    fs::write(&file, "three").unwrap();
    assert_eq!(expect_change(&mut watch).await, Ok(()));
}

#[tokio::test]
async fn folder_that_was_moved_under_a_mount_is_reported() {
    let scratch = tempfile::tempdir().unwrap();
    let conflists = scratch.path().join("net.d");
    fs::create_dir(&conflists).unwrap();
    let mut watch = CniWatch::open(&conflists, &scratch.path().join("bin"));
    // The path leads to the moved folder, as a bind mount does.
    let moved = scratch.path().join("old");
    fs::rename(&conflists, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &conflists).unwrap();
    let error = expect_change(&mut watch).await.unwrap_err().to_string();
    assert!(error.contains("net.d was replaced"), "{error}");
}
