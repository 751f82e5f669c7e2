use super::*;
use std::fs;

#[test]
fn written_file_reads_back_and_replaces_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    assert_eq!(read::<Vec<u8>>(&path).unwrap(), None);
    for value in [vec![1], vec![2, 3], vec![]] {
        write(&path, &value).unwrap();
        assert_eq!(read::<Vec<u8>>(&path).unwrap(), Some(value));
    }
}

#[test]
fn interrupted_write_leaves_the_old_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    write(&path, &[1]).unwrap();
    fs::write(folder.path().join(".file.json.tmp"), "[2, ").unwrap();
    assert_eq!(read::<Vec<u8>>(&path).unwrap(), Some(vec![1]));
    write(&path, &[3]).unwrap();
    assert_eq!(read::<Vec<u8>>(&path).unwrap(), Some(vec![3]));
}

#[test]
fn unreadable_file_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    fs::write(&path, "{").unwrap();
    let error = read::<Vec<u8>>(&path).unwrap_err();
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    let error = read::<Vec<u8>>(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains(folder.path().to_str().unwrap()),
        "{error}"
    );
}
