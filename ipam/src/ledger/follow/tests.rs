use std::path::Path;

use super::*;

fn write(root: &Path, address: &str, container: &str) {
    let folder = root.join("addresses");
    fs::create_dir_all(&folder).unwrap();
    let new = root.join("new");
    let text = format!(
        r#"{{"containerId":"{container}","interface":"eth0","subnet":"10.244.1.0/24","since":1}}"#
    );
    fs::write(&new, text).unwrap();
    fs::rename(&new, folder.join(address)).unwrap();
}

fn words(changes: Vec<AllocationChange>) -> Vec<String> {
    let word = |change| match change {
        AllocationChange::Added(address, it) => format!("+{address} {}", it.container_id),
        AllocationChange::Removed(address, it) => format!("-{address} {}", it.container_id),
    };
    changes.into_iter().map(word).collect()
}

#[test]
fn changes_are_reported_once_and_new_holders_of_an_address_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut reader = AllocationReader::new(root.to_owned());
    assert_eq!(words(reader.changes().unwrap()), Vec::<String>::new());
    write(root, "10.244.1.2", "a");
    write(root, "10.244.1.3", "b");
    assert_eq!(
        words(reader.changes().unwrap()),
        ["+10.244.1.2 a", "+10.244.1.3 b"]
    );
    assert!(reader.changes().unwrap().is_empty());
    write(root, "10.244.1.2", "c");
    fs::remove_file(root.join("addresses/10.244.1.3")).unwrap();
    assert_eq!(
        words(reader.changes().unwrap()),
        ["-10.244.1.2 a", "-10.244.1.3 b", "+10.244.1.2 c"]
    );
}

#[test]
fn damaged_file_holds_nothing_until_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "10.244.1.2", "a");
    fs::write(root.join("addresses/10.244.1.4"), "{").unwrap();
    fs::write(root.join("addresses/no-address"), "").unwrap();
    let mut reader = AllocationReader::new(root.to_owned());
    assert_eq!(words(reader.changes().unwrap()), ["+10.244.1.2 a"]);
    assert!(reader.changes().unwrap().is_empty());
    write(root, "10.244.1.4", "d");
    assert_eq!(words(reader.changes().unwrap()), ["+10.244.1.4 d"]);
}
