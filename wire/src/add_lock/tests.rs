use super::*;

#[test]
fn add_lock_is_exclusive_and_visible() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("flatland");
    let (one, other) = ("flat-test-one", "flat-test-other");
    assert!(!is_held_in(&folder, one));
    let held = acquire_in(&folder, one);
    assert!(held.is_some() && acquire_in(&folder, one).is_none());
    assert!(is_held_in(&folder, one) && !is_held_in(&folder, other));
    assert!(acquire_in(&folder, other).is_some());
    drop(held);
    assert!(!is_held_in(&folder, one));
    assert!(acquire_in(&folder, one).is_some());
}

#[test]
fn add_lock_is_granted_where_no_file_can_be_made() {
    let scratch = tempfile::NamedTempFile::new().unwrap();
    assert!(acquire_in(scratch.path(), "one").is_some());
    assert!(!is_held_in(scratch.path(), "one"));
}
