use std::fs;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

async fn expect_change(watch: &mut FolderWatch) {
    let changed = timeout(Duration::from_secs(10), watch.changed()).await;
    changed.expect("a change is reported").unwrap();
}

#[tokio::test]
async fn changes_are_reported_also_in_a_folder_made_anew() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("addresses");
    let mut watch = FolderWatch::new(&folder, NAMES).unwrap();
    assert!(watch.renew().is_err(), "there is no folder yet");
    for _ in 0..2 {
        fs::create_dir(&folder).unwrap();
        watch.renew().unwrap();
        fs::write(folder.join("a"), "").unwrap();
        expect_change(&mut watch).await;
        fs::rename(folder.join("a"), scratch.path().join("b")).unwrap();
        expect_change(&mut watch).await;
        fs::remove_dir(&folder).unwrap();
        expect_change(&mut watch).await;
    }
    let quiet = timeout(Duration::from_millis(20), watch.changed()).await;
    assert!(quiet.is_err(), "nothing changed");
}
