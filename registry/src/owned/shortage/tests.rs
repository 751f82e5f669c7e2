use std::time::SystemTime;

use super::*;

#[test]
fn shortage_is_read_back_until_it_ends_or_expires() {
    let folder = tempfile::tempdir().unwrap();
    let [v4, v6] = ["10.9.0.0/16", "fd00::/56"].map(|cidr| cidr.parse::<IpNet>().unwrap());
    let why = Error::Exhausted {
        pod_cidr: v4,
        total: 4,
        excluded: 0,
        by_node: BTreeMap::new(),
    };
    assert!(read(folder.path()).is_empty());
    record(folder.path(), &[v4, v6], Some(&why));
    assert_eq!(read(folder.path())[&v4], why.message());
    record(folder.path(), &[v4], None);
    assert_eq!(read(folder.path()).into_keys().collect::<Vec<_>>(), [v6]);

    let file = fs::File::open(path(folder.path())).unwrap();
    file.set_modified(SystemTime::now() - SHORTAGE_VALIDITY)
        .unwrap();
    assert!(read(folder.path()).is_empty());
    record(folder.path(), &[v6], None);
    assert!(!path(folder.path()).exists());

    fs::write(path(folder.path()), "{").unwrap();
    assert!(read(folder.path()).is_empty());
}
