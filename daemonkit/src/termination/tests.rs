use std::fs;

use super::*;

#[test]
fn message_replaces_the_one_before_and_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("termination-log");
    assert!(write_to(&path, "no container").is_err());
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    write_to(&path, &"\u{e4}".repeat(3000)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "\u{e4}".repeat(2048));
    write_to(&path, "the end").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "the end");
}
