use super::*;
use std::process;

fn file() -> (tempfile::NamedTempFile, impl Fn() -> io::Result<File>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_owned();
    (file, move || File::open(&path))
}

#[test]
fn holder_is_found_by_file_and_counts_if_root_has_it() {
    let (file, _) = file();
    let metadata = file.as_file().metadata().unwrap();
    let (device, inode) = (metadata.dev(), metadata.ino());
    let id = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    let is_root = |pid| pid == 7;
    for (locks, expected) in [
        (String::new(), Holder::Hidden),
        (
            format!("1: FLOCK  ADVISORY  WRITE 7 {id} 0 EOF"),
            Holder::Root,
        ),
        (
            format!("1: FLOCK  ADVISORY  WRITE 8 {id} 0 EOF"),
            Holder::Other(8),
        ),
        (
            format!("1: POSIX  ADVISORY  WRITE 7 {id} 0 EOF"),
            Holder::Hidden,
        ),
        (
            format!("1: FLOCK  ADVISORY  WRITE 7 {id}1 0 EOF"),
            Holder::Hidden,
        ),
        (
            format!(
                "1: FLOCK  ADVISORY  WRITE 8 {id} 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 7 {id} 0 EOF"
            ),
            Holder::Other(8),
        ),
        (
            format!(
                "1: FLOCK  ADVISORY  READ 7 {id} 0 EOF\n\
                     2: FLOCK  ADVISORY  READ 8 {id} 0 EOF"
            ),
            Holder::Root,
        ),
        ("nonsense\n\n1: FLOCK".to_owned(), Holder::Hidden),
    ] {
        assert_eq!(holder(&locks, &metadata, is_root), expected, "{locks}");
    }
}

#[test]
fn privileged_program_of_another_user_is_not_root() {
    let entry = |key: u64, value: u64| [key.to_ne_bytes(), value.to_ne_bytes()].concat();
    assert!(is_secure(&[entry(6, 4096), entry(AT_SECURE, 1)].concat()));
    assert!(!is_secure(&[entry(AT_SECURE, 0), entry(0, 0)].concat()));
    assert!(!is_secure(&[]));
    assert!(has_user_root(
        "Name:\ta\nUid:\t0\t0\t0\t0\nGid:\t1\t1\t1\t1\n"
    ));
    assert!(!has_user_root("Uid:\t1000\t0\t0\t0\n"));
    assert!(!has_user_root(""));
    assert!(!is_root(i32::MAX));
}

#[test]
fn old_lock_held_by_root_is_busy_and_freed_one_is_taken() {
    let (_file, open) = file();
    let held = FileLock::lock(open().unwrap()).unwrap();
    let short = Duration::from_millis(20);
    if is_root(i32::try_from(process::id()).unwrap()) {
        assert!(matches!(take(&open, short).unwrap(), OldLock::Busy));
    } else {
        assert!(matches!(take(&open, short).unwrap(), OldLock::Ignored(_)));
    }
    drop(held);
    // The thread that waited may still have it for a moment.
    let long = Duration::from_secs(10);
    assert!(matches!(take(&open, long).unwrap(), OldLock::Taken(_)));
}
